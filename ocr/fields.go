package ocr

import (
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/proofline/proofline/photo"
)

// Field is one value of the visual zone.
type Field struct {
	Name       string     `json:"name"`  // surname, given_names, document_number, nationality, birth_date, sex, place_of_birth, issue_date, expiry_date, authority, personal_number, address
	Text       string     `json:"text"`  // as read
	Value      string     `json:"value"` // normalised: dates YYYY-MM-DD, sex M, F or X, numbers without spaces
	Confidence float64    `json:"confidence"`
	Region     photo.Rect `json:"region"`
	Source     string     `json:"source"` // "visual"
}

// maxWords bounds the work on one page; a document has a few hundred words.
const maxWords = 2000

// ExtractFields finds the values that stand under or beside known labels. It
// works for any layout whose captions it knows (labels.yaml); fields without a
// legible label or with a value that can not be of their kind are left out
// rather than guessed. At most one field of each name is returned, sorted by
// name.
func ExtractFields(p *Page) []Field {
	if len(p.Words) > maxWords {
		p = &Page{Words: p.Words[:maxWords]}
	}
	rows := p.rows()
	labels := make([][]label, len(rows))
	for i, r := range rows {
		labels[i] = findLabels(r)
	}
	best := map[string]Field{}
	for i := range rows {
		for k, l := range labels[i] {
			right := rightEdge(labels[i], k)
			f, ok := l.value(rows[i][l.to:nextFrom(labels[i], k, len(rows[i]))], true)
			if !ok {
				f, ok = l.below(rows, labels, i, right)
			}
			if old, have := best[l.field]; ok && (!have || f.Confidence > old.Confidence) {
				best[l.field] = f
			}
		}
	}
	out := make([]Field, 0, len(best))
	for _, f := range best {
		out = append(out, f)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// label is a caption found in a row: words from … to-1.
type label struct {
	field    string
	from, to int
	box      photo.Rect
}

// findLabels finds captions in a row. Bilingual captions ("Surname / Nom") are
// several labels of the same field side by side and are joined.
func findLabels(r []Word) []label {
	c := catalogue()
	var out []label
	// A caption may share a word with its neighbour's language by a slash, so
	// words are split at slashes for comparison only.
	for i := 0; i < len(r); i++ {
		for n := min(2*c.longest, len(r)-i); n >= 1; n-- {
			if !together(r[i : i+n]) {
				continue
			}
			field, ok := c.caption(join(r[i : i+n]))
			if !ok {
				continue
			}
			l := label{field: field, from: i, to: i + n, box: union(r[i : i+n])}
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

// caption is the field of a caption in one language or in several with slashes
// between them; the languages must not name different fields.
func (c *labelCatalogue) caption(text string) (string, bool) {
	if f, ok := c.labelField(fold(text)); ok {
		return f, true
	}
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '|' })
	if len(parts) < 2 || len(parts) > 4 {
		return "", false
	}
	field, known := "", 0
	for _, p := range parts {
		f, ok := c.labelField(fold(p))
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

// below takes the value from the next rows: the words that start under the
// caption and end before the next caption's column.
func (l label) below(rows [][]Word, labels [][]label, i int, right float64) (Field, bool) {
	reach := l.box.Y + l.box.H*5.5
	for j := i + 1; j < len(rows) && j <= i+3; j++ {
		var ws []Word
		for _, w := range rows[j] {
			if w.Box.Y > reach || w.Box.X+w.Box.W < l.box.X-l.box.H || w.Box.X >= right-l.box.H/2 {
				continue
			}
			ws = append(ws, w)
		}
		if len(ws) == 0 {
			continue
		}
		// A caption under a caption: the field is empty.
		for _, o := range labels[j] {
			if o.box.X < right && o.box.X+o.box.W > l.box.X {
				return Field{}, false
			}
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
		return l.value(ws, false)
	}
	return Field{}, false
}

var (
	numberLike = regexp.MustCompile(`^[A-Z0-9]{5,20}$`)
	nameLike   = regexp.MustCompile(`^[\p{L}][\p{L}\p{M}'’.\- ]*$`)
)

// value makes the field's value of words, if they can be one. On the caption's
// own row the value must follow at once.
func (l label) value(ws []Word, sameRow bool) (Field, bool) {
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
	text := join(ws)
	f := Field{Name: l.field, Text: text, Region: union(ws), Source: "visual", Confidence: 1}
	for _, w := range ws {
		f.Confidence = min(f.Confidence, w.Confidence)
	}
	ok := false
	switch catalogue().Fields[l.field].Kind {
	case "date":
		f.Value, ok = parseDate(text)
	case "sex":
		f.Value, ok = parseSex(text)
	case "number":
		f.Value = strings.ToUpper(strings.NewReplacer(" ", "", "-", "", ".", "", "/", "").Replace(text))
		ok = numberLike.MatchString(f.Value) && strings.ContainsAny(f.Value, "0123456789")
	case "name":
		f.Value = strings.Trim(text, " .,:;-_|")
		ok = nameLike.MatchString(f.Value) && !sameRow || nameLike.MatchString(f.Value) && len(f.Value) > 2
	default:
		f.Value = strings.Trim(text, " .,:;_|")
		ok = len([]rune(f.Value)) >= 2
	}
	return f, ok
}

var sexes = map[string]string{
	"m": "M", "male": "M", "f": "F", "female": "F", "x": "X", "w": "F", "k": "F", "h": "M",
	"masculin": "M", "feminin": "F", "masculino": "M", "femenino": "F", "weiblich": "F", "mannlich": "M", "diverse": "X",
}

// parseSex reads M, F or X, also doubled as in "M/M" or "F / K".
func parseSex(text string) (string, bool) {
	words := strings.Fields(fold(text))
	if len(words) == 0 || len(words) > 3 {
		return "", false
	}
	v, ok := sexes[words[0]]
	return v, ok
}

func join(ws []Word) string {
	parts := make([]string, len(ws))
	for i, w := range ws {
		parts[i] = w.Text
	}
	return strings.Join(parts, " ")
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
