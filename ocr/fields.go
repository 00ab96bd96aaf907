package ocr

import (
	"slices"
	"sort"

	"github.com/proofline/proofline/photo"
)

// Field is one value of the visual zone.
type Field struct {
	Name       string     `json:"name"`  // surname, given_names, document_number, nationality, birth_date, sex, place_of_birth, issue_date, expiry_date, authority, personal_number, address, issuing_state
	Text       string     `json:"text"`  // as read
	Value      string     `json:"value"` // normalised: dates YYYY-MM-DD, sex M, F or X, numbers without spaces
	Confidence float64    `json:"confidence"`
	Region     photo.Rect `json:"region"`
	Source     string     `json:"source"` // "visual"
	// Readings are the single readings, the first of the page as a whole, where
	// the value was read more than once.
	Readings []Reading `json:"readings,omitempty"`

	room  float64 // right limit of the value's column
	under float64 // where the caption above the value begins; 0 where it is beside
}

// Reading is one of several readings of the same print.
type Reading struct {
	Value      string  `json:"value"`
	Confidence float64 `json:"confidence"`
	How        string  `json:"how"` // the engine and the preparation
}

// maxWords bounds the work on one page; a document has a few hundred words.
const maxWords = 2000

// ExtractFields finds the values of a page of unknown kind: those that stand
// under or beside known labels. It works for any layout whose captions it knows
// (labels.yaml); fields without a legible label or with a value that can not be
// of their kind are left out rather than guessed. At most one field of each name
// is returned, sorted by name.
func ExtractFields(p *Page) []Field {
	fs, _ := anyDocument().extract(p.bounded().rows())
	return fs
}

func (p *Page) bounded() *Page {
	if len(p.Words) > maxWords {
		return &Page{Words: p.Words[:maxWords]}
	}
	return p
}

// gap is a field whose caption was read and whose value was not.
type gap struct {
	field  string
	label  label
	right  float64 // where the next caption or value of the row begins
	beside bool
	seen   photo.Rect // what was read of the value, if anything
}

// extract finds the values of a page and the captions that seem to have none.
func (t *Template) extract(rows [][]Word) ([]Field, []gap) {
	labels := t.anchors(rows)
	best := map[string]Field{}
	var missed []gap
	keep := func(f Field) {
		if old, have := best[f.Name]; !have || f.Confidence > old.Confidence {
			best[f.Name] = f
		}
	}
	for i := range rows {
		for k, l := range labels[i] {
			if l.field == "" || l.field == ignored {
				continue
			}
			right := rightEdge(labels[i], k)
			beside := rows[i][l.to:max(l.to, nextFrom(labels[i], k, len(rows[i])))]
			if l.tag && t.After[l.field] != "" {
				for _, f := range t.split(l, beside, right) {
					keep(f)
				}
				continue
			}
			f, ok := Field{}, false
			// What stands far to the right is hardly the caption's while there is
			// something below it.
			near := l.tag || t.Beside || len(beside) > 0 && beside[0].Box.X-l.box.X-l.box.W < 3*l.box.H
			if near {
				f, ok = t.value(l, beside, true)
			}
			if !ok && !l.tag && !t.Beside {
				f, ok = t.below(l, rows, labels, i, right)
				f.under = l.box.X
			}
			if !ok && !near && len(beside) > 0 {
				if far, is := t.value(l, beside, true); is {
					f, ok = far, true
				}
			}
			seen := f.Region
			if ok {
				f.room = right
				keep(f)
				continue
			}
			missed = append(missed, gap{field: l.field, label: l, right: right, beside: l.tag || t.Beside, seen: seen})
		}
	}
	missed = slices.DeleteFunc(missed, func(g gap) bool { _, have := best[g.field]; return have })
	out := make([]Field, 0, len(best))
	for _, f := range best {
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, missed
}

// split reads a row that holds a field and another after it: a date and, behind
// it, a place. The shortest run of words that makes the first is taken.
func (t *Template) split(l label, ws []Word, right float64) []Field {
	for n := 1; n <= len(ws); n++ {
		f, ok := t.value(l, ws[:n], true)
		if !ok {
			continue
		}
		out := []Field{f}
		rest := label{field: t.After[l.field], box: l.box}
		if g, ok := t.value(rest, ws[n:], true); ok {
			out[0].room = g.Region.X
			g.room = right
			out = append(out, g)
		}
		return out
	}
	return nil
}

// below takes the value from the next rows: the words that start under the
// caption and end before the next caption's column.
func (t *Template) below(l label, rows [][]Word, labels [][]label, i int, right float64) (Field, bool) {
	reach := l.box.Y + l.box.H*5.5
	for j := i + 1; j < len(rows) && j <= i+3; j++ {
		var ws []Word
		for n, w := range rows[j] {
			if slices.ContainsFunc(labels[j], func(o label) bool { return n >= o.from && n < o.to }) {
				continue
			}
			if w.Box.Y > reach || w.Box.X+w.Box.W < l.box.X-l.box.H || w.Box.X >= right-l.box.H/2 {
				continue
			}
			ws = append(ws, w)
		}
		// A caption under a caption: the field is empty.
		for _, o := range labels[j] {
			if o.box.Y < reach && o.box.X < right && o.box.X+o.box.W > l.box.X {
				return Field{}, false
			}
		}
		if len(ws) == 0 {
			continue
		}
		// Words in a column further right belong to another caption.
		for k := 1; k < len(ws); k++ {
			if !together(ws[k-1 : k+1]) {
				ws = ws[:k]
				break
			}
		}
		if ws[0].Box.X > l.box.X+max(l.box.W, 6*l.box.H) {
			continue
		}
		f, ok := t.value(l, ws, false)
		if !ok && ws[0].Box.X < l.box.X-2*l.box.H {
			return Field{}, false // of a column further left
		}
		return f, ok
	}
	return Field{}, false
}

// value makes the field's value of words, if they can be one. On the caption's
// own row the value must follow at once; a tag's value stands in a column.
func (t *Template) value(l label, ws []Word, sameRow bool) (Field, bool) {
	for len(ws) > 0 && fold(ws[0].Text) == "" {
		ws = ws[1:]
	}
	if len(ws) == 0 {
		return Field{}, false
	}
	if sameRow {
		for k := 1; k < len(ws); k++ {
			if !together(ws[k-1 : k+1]) {
				ws = ws[:k]
				break
			}
		}
	}
	f := Field{Name: l.field, Text: join(ws), Region: union(ws), Source: "visual", Confidence: 1}
	for _, w := range ws {
		f.Confidence = min(f.Confidence, w.Confidence)
	}
	var ok bool
	f.Value, ok = t.normal(l.field, f.Text)
	if ok && sameRow && !l.tag && catalogue().Fields[l.field].Kind == "name" {
		ok = len(f.Value) > 2
	}
	return f, ok
}

func join(ws []Word) string {
	n := 0
	for _, w := range ws {
		n += len(w.Text) + 1
	}
	b := make([]byte, 0, n)
	for i, w := range ws {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, w.Text...)
	}
	return string(b)
}

func union(ws []Word) photo.Rect {
	if len(ws) == 0 {
		return photo.Rect{}
	}
	x0 := slices.MinFunc(ws, func(a, b Word) int { return compare(a.Box.X, b.Box.X) }).Box.X
	y0 := slices.MinFunc(ws, func(a, b Word) int { return compare(a.Box.Y, b.Box.Y) }).Box.Y
	x1, y1 := x0, y0
	for _, w := range ws {
		x1, y1 = max(x1, w.Box.X+w.Box.W), max(y1, w.Box.Y+w.Box.H)
	}
	return photo.Rect{X: x0, Y: y0, W: x1 - x0, H: y1 - y0}
}
