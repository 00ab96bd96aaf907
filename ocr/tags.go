package ocr

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// tagShapes are the readings that a tag may have: its digit or letter may be
// taken for a similar one, and its full stop for a comma or nothing.
var tagShapes = map[string]*regexp.Regexp{
	"1": regexp.MustCompile(`^[1lI|iT!][.,:]?$`), "2": regexp.MustCompile(`^[2zZ][.,:]?$`), "3": regexp.MustCompile(`^3[.,:]?$`),
	"4a": regexp.MustCompile(`^[4A][aáàâ@][.,:]?$`), "4b": regexp.MustCompile(`^[4A][b6hB][.,:]?$`),
	"4c": regexp.MustCompile(`^[4A][cC(e][.,:]?$`), "4d": regexp.MustCompile(`^[4A][dD][.,:]?$`),
	"5": regexp.MustCompile(`^[5sS][.,:]?$`), "7": regexp.MustCompile(`^[7?][.,:]?$`), "8": regexp.MustCompile(`^[8B][.,:]?$`), "9": regexp.MustCompile(`^[9g][.,:]?$`),
}

// tagged finds the template's tags: by row and word index. Each is looked for
// once, and a tag stands above the next one, in its column or further right.
func (t *Template) tagged(rows [][]Word) map[[2]int]string {
	out := map[[2]int]string{}
	if len(t.Tags) == 0 {
		return out
	}
	taken := map[string]bool{}
	for i, r := range rows {
		for k, w := range r {
			// A tag is smaller than its value and stands left of it.
			if k+1 < len(r) && w.Box.H > 1.3*r[k+1].Box.H || len([]rune(w.Text)) > 3 {
				continue
			}
			for tag := range t.Tags {
				if shape := tagShapes[tag]; shape != nil && !taken[tag] && shape.MatchString(w.Text) {
					taken[tag], out[[2]int{i, k}] = true, tag
					break
				}
			}
		}
	}
	return out
}

// inferTags sets right what was read of the tags, which are small single
// characters: the values of a licence stand in one column, one below the other,
// in an order that is the same everywhere. The tags that were read vote on which
// row is which; tags that do not fit are dropped and missing ones added.
func (t *Template) inferTags(rows [][]Word, tags map[[2]int]string, out [][]label) {
	var columns []float64
	for at, tag := range tags {
		if slices.Contains(t.Order, tag) && at[1]+1 < len(rows[at[0]]) {
			columns = append(columns, rows[at[0]][at[1]+1].Box.X)
		}
	}
	if len(columns) == 0 {
		return
	}
	slices.Sort(columns)
	column := columns[len(columns)/2]
	// Left of the numbers are pictures.
	var tagColumns []float64
	for at, tag := range tags {
		if slices.Contains(t.Order, tag) {
			tagColumns = append(tagColumns, rows[at[0]][at[1]].Box.X)
		}
	}
	slices.Sort(tagColumns)
	tagColumn := tagColumns[len(tagColumns)/2]
	for i, ls := range out {
		out[i] = slices.DeleteFunc(ls, func(l label) bool { return l.box.X < tagColumn-2*l.box.H })
	}
	// Numbers in the column of the values belong to values: "7 LINDEN WALK".
	for i, ls := range out {
		out[i] = slices.DeleteFunc(ls, func(l label) bool {
			d := l.box.X - column
			return d > -l.box.H && d < l.box.H
		})
	}
	type at struct{ row, word int }
	var stack []at // the rows with a value in the column, from top to bottom
	for i, r := range rows {
		for k, w := range r {
			if d := w.Box.X - column; d > -w.Box.H && d < w.Box.H {
				stack = append(stack, at{i, k})
				break
			}
		}
	}
	// Which row is the first tag's? Every tag that was read has a say.
	votes := map[int]int{}
	for n, tag := range t.Order {
		for where, read := range tags {
			if read == tag {
				if m := slices.IndexFunc(stack, func(a at) bool { return a.row == where[0] }); m >= 0 {
					votes[m-n]++
				}
			}
		}
	}
	first, most := 0, 0
	for d, n := range votes {
		if n > most || n == most && d > first {
			first, most = d, n
		}
	}
	if most == 0 {
		return
	}
	for n, tag := range t.Order {
		if i := first + n; i >= 0 && i < len(stack) {
			set(out, stack[i].row, stack[i].word, rows, label{field: t.Tags[tag], tag: true})
		}
	}
	// What follows the last of them and has a tag that was not read: the address
	// is the only text there is.
	for i := first + len(t.Order); i > 0 && i < len(stack); i++ {
		a := stack[i]
		if len(out[a.row]) > 0 && out[a.row][0].from < a.word {
			if out[a.row][0].field == "address" {
				break
			}
			continue
		}
		if text := join(rows[a.row][a.word:]); letters(text) >= 6 && strings.ContainsAny(text, "0123456789,") {
			set(out, a.row, a.word, rows, label{field: "address", tag: true})
			break
		}
	}
}

// set makes l the label left of a row's value.
func set(out [][]label, row, word int, rows [][]Word, l label) {
	w := rows[row][word].Box
	l.from, l.to = word, word
	l.box = photo.Rect{X: w.X - 1.5*w.H, Y: w.Y, W: w.H / 2, H: w.H}
	rest := out[row]
	if len(rest) > 0 && rest[0].from < word { // the tag as it was read
		l.from, l.box = rest[0].from, rest[0].box
		rest = rest[1:]
	}
	out[row] = append([]label{l}, rest...)
}

// numberedCaption is a number, perhaps with the letters of a misread caption.
var numberedCaption = regexp.MustCompile(`^([0-9]{1,2}[a-d]?)(?:[.)~ -]*[\pL0-9.~]{0,8})?$`)

// numbered adds the captions that are known by their number only. They are
// printed smaller than the values beside them.
func (t *Template) numbered(r []Word, ls []label) []label {
	big := 0.0
	for _, w := range r {
		if len([]rune(w.Text)) > 1 {
			big = max(big, w.Box.H)
		}
	}
	labelled := func(i int) bool {
		return slices.ContainsFunc(ls, func(l label) bool { return i >= l.from && i < l.to })
	}
	for i := 0; i < len(r); i++ {
		if labelled(i) || r[i].Box.H > 0.85*big {
			continue
		}
		to := i + 1
		for to < len(r) && to < i+3 && !labelled(to) && r[to].Box.H <= 0.85*big && together(r[i:to+1]) && letters(r[to].Text) > 0 {
			to++
		}
		// Captions begin a column; numbers within a value are part of it.
		m := numberedCaption.FindStringSubmatch(r[i].Text)
		if m == nil || i > 0 && together(r[i-1:i+1]) && !(labelled(i-1) && r[i-1].Text == m[1]) {
			continue
		}
		// The longest number that is one of the template's: "4aI1ss" is 4a.
		for n := len(m[1]); n > 0; n-- {
			if rest := r[i].Text[n:]; rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				continue
			}
			if field, ok := t.Tags[m[1][:n]]; ok {
				ls = append(ls, label{field: field, from: i, to: to, box: union(r[i:to])})
				i = to - 1
				break
			}
		}
	}
	slices.SortFunc(ls, func(a, b label) int { return a.from - b.from })
	return ls
}

// tags reads the small numbers left of the values one by one, where the reading
// of the page passed them over.
func (rd *Reader) tags(ctx context.Context, t *Template, m gocv.Mat, rows [][]Word) ([]Word, error) {
	found := t.tagged(rows)
	var columns, tagColumns []float64
	taken := map[int]bool{}
	for at, tag := range found {
		if r := rows[at[0]]; slices.Contains(t.Order, tag) && at[1]+1 < len(r) {
			columns, tagColumns = append(columns, r[at[1]+1].Box.X), append(tagColumns, r[at[1]].Box.X)
			taken[at[0]] = true
		}
	}
	if len(columns) == 0 {
		return nil, nil
	}
	slices.Sort(columns)
	slices.Sort(tagColumns)
	column, tagColumn := columns[len(columns)/2], tagColumns[len(tagColumns)/2]
	var out []Word
	for i, r := range rows {
		if taken[i] || len(out) >= 12 {
			continue
		}
		for _, w := range r {
			if d := w.Box.X - column; d < -w.Box.H || d > w.Box.H {
				continue
			}
			h := w.Box.H
			place := photo.Rect{X: tagColumn - 0.4*h, Y: w.Box.Y - 0.1*h, W: column - tagColumn, H: 1.3 * h}
			where, ok := inkBox(m, place, 0.7*h)
			if !ok {
				break
			}
			crop, ok := line(m, photo.Rect{X: where.X - 0.3*h, Y: where.Y - 0.3*h, W: where.W + 0.6*h, H: where.H + 0.6*h}, where.H, asIs)
			if !ok {
				break
			}
			page, err := rd.Page.Read(ctx, crop, Request{PSM: 8, Whitelist: "12345789abcd."})
			crop.Close()
			if err != nil {
				return nil, fmt.Errorf("ocr: read field number: %w", err)
			}
			for _, x := range page.Words {
				out = append(out, Word{Text: x.Text, Confidence: x.Confidence, Box: where, Line: w.Line})
				break
			}
			break
		}
	}
	return out, nil
}
