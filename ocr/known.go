package ocr

import (
	"strings"

	"github.com/proofline/proofline/photo"
)

// fewCaptions is the number of captions below which a page's values are also
// looked for by what they should say: captions of 2 mm are illegible on scans on
// which the values, twice as high, are not.
const fewCaptions = 4

// byContent finds the print of values that another part of the document says,
// where no caption tells what is what. A name or number has to be like the known
// value, not the same: one altered digit is still found, and then differs. Print
// that says something else altogether is not found, and the field is not read.
func (t *Template) byContent(rows [][]Word, known map[string]string, have []Field) []Field {
	var out []Field
	taken := func(r photo.Rect) bool {
		for _, fs := range [][]Field{have, out} {
			for _, f := range fs {
				if overlapping(f.Region, r) {
					return true
				}
			}
		}
		return false
	}
	for _, name := range t.Read {
		value := known[name]
		if value == "" || named(have, name) {
			continue
		}
		best, most := Field{}, 0.0
		for _, r := range rows {
			for i := range r {
				for n := 1; n <= 6 && i+n <= len(r) && together(r[i:i+n]); n++ {
					f := Field{Name: name, Text: join(r[i : i+n]), Region: union(r[i : i+n]), Source: "visual", Confidence: 1, room: 1e9}
					var ok bool
					if f.Value, ok = t.normal(name, f.Text); !ok || strings.Contains(f.Text, "<") || taken(f.Region) {
						continue
					}
					for _, w := range r[i : i+n] {
						f.Confidence = min(f.Confidence, w.Confidence)
					}
					if l := alike(name, f.Value, value); l > most {
						best, most = f, l
					}
				}
			}
		}
		if most > 0 {
			out = append(out, best)
		}
	}
	return out
}

func named(fs []Field, name string) bool {
	for _, f := range fs {
		if f.Name == name {
			return true
		}
	}
	return false
}

// alike is how like two values are, 0 where not enough for one to be the print of
// the other: a quarter of a name's letters may differ, and two characters of a
// number. A date has to be the same: those of issue and expiry often differ in
// one digit.
func alike(field, a, b string) float64 {
	x, y := strings.ReplaceAll(fold(a), " ", ""), strings.ReplaceAll(fold(b), " ", "")
	longest, allowed, shortest := max(len(x), len(y)), 0, 3
	switch catalogue().Fields[field].Kind {
	case "name":
		allowed = longest / 4
	case "number":
		allowed, shortest = 2, 6
	case "date":
		shortest = 8
	default: // single letters and codes are found by chance
		return 0
	}
	if min(len(x), len(y)) < shortest || longest > 60 {
		return 0
	}
	d := distance(x, y, allowed)
	if d > allowed {
		return 0
	}
	return 1 - float64(d)/float64(longest)
}

// overlapping: two boxes on a row share a third of the narrower one's width.
func overlapping(a, b photo.Rect) bool {
	return (sameRow(a, b) || sameRow(b, a)) && min(a.X+a.W, b.X+b.W)-max(a.X, b.X) > min(a.W, b.W)/3
}
