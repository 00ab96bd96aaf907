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
