package ocr

import (
	"regexp"
	"slices"
	"strings"

	"github.com/proofline/proofline/photo"
)

// label is a caption found in a row: words from … to-1.
type label struct {
	field    string
	from, to int
	box      photo.Rect
	tag      bool // a number that stands for a caption
	short    bool // three letters or less
}

// findLabels finds captions in a row. Bilingual captions ("Surname / Nom") are
// several labels of the same field side by side and are joined.
func (t *Template) findLabels(r []Word) []label {
	var out []label
	for i := 0; i < len(r); i++ {
		for n := min(2*t.labels.longest, len(r)-i); n >= 1; n-- {
			if !together(r[i : i+n]) {
				continue
			}
			field, ok := t.caption(join(r[i : i+n]))
			if !ok {
				continue
			}
			l := label{field: field, from: i, to: i + n, box: union(r[i : i+n]), short: len(fold(join(r[i:i+n]))) <= 3}
			if k := len(out) - 1; k >= 0 && out[k].field == field && out[k].to >= i-1 && together(r[out[k].from:i+n]) {
				out[k].to, out[k].box = i+n, union(r[out[k].from:i+n])
			} else {
				out = append(out, l)
			}
			i += n - 1
			break
		}
	}
	return out
}

// numbering is what stands before captions on cards: "4d DLN", "3. Name",
// "(2) Given names".
var numbering = regexp.MustCompile(`^[(\[]?[0-9]{1,2}[a-d]?[.)\]~]* ?`)

// caption is the field of a caption in one language or in several with slashes
// between them; the languages must not name different fields.
func (t *Template) caption(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if bare := numbering.ReplaceAllString(text, ""); bare != text {
		if f, ok := t.caption(bare); ok {
			return f, true
		}
	}
	if f, ok := t.labels.labelField(fold(text)); ok {
		return f, true
	}
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '|' })
	if len(parts) < 2 || len(parts) > 4 {
		return "", false
	}
	field, known := "", 0
	for _, p := range parts {
		f, ok := t.labels.labelField(fold(p))
		if !ok {
			continue
		}
		if field != "" && f != field {
			return "", false
		}
		field = f
		known++
	}
	// One language may be unknown or misread.
	return field, known > 0 && known >= len(parts)-1
}

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

// anchors are the captions and tags of all rows.
func (t *Template) anchors(rows [][]Word) [][]label {
	out := make([][]label, len(rows))
	if t.captioned() {
		for i, r := range rows {
			out[i] = t.findLabels(r)
			if t.Beside {
				out[i] = t.numbered(r, out[i])
			}
		}
		withoutLarge(out)
		return out
	}
	tags := t.tagged(rows)
	for i, r := range rows {
		for k, w := range r {
			if tag, ok := tags[[2]int{i, k}]; ok {
				out[i] = append(out[i], label{field: t.Tags[tag], from: k, to: k + 1, box: w.Box, tag: true})
			}
		}
	}
	t.inferTags(rows, tags, out)
	return out
}

// withoutLarge drops the captions of two or three letters ("TO", "AU") that are
// printed larger than the others are: they are part of a value.
func withoutLarge(labels [][]label) {
	var hs []float64
	for _, ls := range labels {
		for _, l := range ls {
			hs = append(hs, l.box.H)
		}
	}
	if len(hs) < 4 {
		return
	}
	slices.Sort(hs)
	usual := hs[len(hs)/2]
	for i := range labels {
		labels[i] = slices.DeleteFunc(labels[i], func(l label) bool { return l.short && l.box.H > 1.5*usual })
	}
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

// together reports whether words stand at word distance, not in columns.
func together(ws []Word) bool {
	for i := 1; i < len(ws); i++ {
		gap := ws[i].Box.X - (ws[i-1].Box.X + ws[i-1].Box.W)
		if gap > 1.6*max(ws[i].Box.H, ws[i-1].Box.H) {
			return false
		}
	}
	return true
}

func nextFrom(ls []label, k, end int) int {
	if k+1 < len(ls) {
		return ls[k+1].from
	}
	return end
}

// rightEdge is where the next caption of the row begins.
func rightEdge(ls []label, k int) float64 {
	if k+1 < len(ls) {
		return ls[k+1].box.X
	}
	return 1e9
}
