package pipeline

import (
	"strings"

	"github.com/proofline/proofline/policy"
)

// Results of a comparison.
const (
	Match         = "match"
	Mismatch      = "mismatch"
	NotComparable = "not_comparable"
)

// Comparison is what two sources have to say on a field, without a value.
type Comparison struct {
	Field   string    `json:"field"`
	Sources [2]string `json:"sources"`
	Result  string    `json:"result"` // match, mismatch, not_comparable
	// Sure: a mismatch that is one of the document, not of its reading, and with
	// that a sign of tampering.
	Sure     bool    `json:"sure,omitempty"`
	Likeness float64 `json:"likeness"` // 1 for a match
	// Confidence is that of the less certain source.
	Confidence float64 `json:"confidence"`
	// Readings of the print, how many of them agree with each other and how many
	// with the other source.
	Readings int `json:"readings,omitempty"`
	Agreeing int `json:"agreeing,omitempty"`
	Matching int `json:"matching,omitempty"`
}

// How many readings have to say the same for a difference to be the document's.
// Measured on generated specimens; docs/fields.md has the error rates.
const (
	sureReadings = 3
	// otherName is the likeness below which two names are different names, however
	// single letters were read.
	otherName = 0.7
	// legible is the confidence from which a name that is read can be another
	// one at all: print under glare is read alike in all ways, and wrong.
	legible = 0.6
)

// against compares two fields of the same name.
func against(a, b Field, cutA bool) Comparison {
	c := Comparison{Field: a.Name, Sources: [2]string{a.Source, b.Source}, Confidence: min(a.Confidence, b.Confidence)}
	l, ok := likeness(a, b, cutA)
	if !ok {
		c.Result = NotComparable
		return c
	}
	c.Likeness, c.Result = l, Mismatch
	if l == 1 {
		c.Result = Match
	}
	if b.Source != "visual" || len(b.Readings) == 0 {
		c.Sure = c.Result == Mismatch && c.Confidence >= sureDifference && (b.Source != "visual" || l < otherName)
		return c
	}
	c.weigh(a, b, cutA)
	return c
}

// weigh looks at the single readings of the print. It agrees with the other
// source when at least half of them do; it differs for sure when enough of them
// say the same and none says what the other source does.
func (c *Comparison) weigh(a, b Field, cutA bool) {
	closest := 0.0
	for _, v := range b.Readings {
		l, ok := likeness(a, Field{Name: b.Name, Value: v, Source: "visual"}, cutA)
		if !ok {
			continue
		}
		c.Readings++
		closest = max(closest, l)
		if l == 1 {
			c.Matching++
		}
		if same(b.Name, v, b.Value) {
			c.Agreeing++
		}
	}
	if c.Result == Match {
		return
	}
	if 2*c.Matching >= c.Readings && c.Readings >= 2 {
		c.Result, c.Likeness = Match, 1
		return
	}
	// A zone without check digit over the field has to be read well itself.
	if c.Matching > 0 || !a.Verified && a.Confidence < sureDifference {
		return
	}
	switch a.Name {
	case "surname", "given_names":
		// One misread letter, above all one with a diacritic, is no other name.
		c.Sure = closest < otherName && c.Agreeing >= 2 ||
			plain(b.Value) && !strings.ContainsAny(a.Value, "<") && !transliterated(a.Value) && c.Agreeing >= sureReadings+1 && b.Confidence >= sureDifference
		c.Sure = c.Sure && b.Confidence >= legible
	case "sex":
		c.Sure = c.Agreeing >= 2
	case "birth_date", "expiry_date", "issue_date":
		// 08/11 is August or November: which, only the document's origin tells.
		c.Sure = c.Agreeing >= sureReadings && !dayForMonth(a.Value, b.Value)
	default:
		c.Sure = c.Agreeing >= sureReadings
	}
}

// dayForMonth: two dates differ in nothing but the order of day and month.
func dayForMonth(a, b string) bool {
	x, y := strings.Split(a, "-"), strings.Split(b, "-")
	return len(x) == 3 && len(y) == 3 && x[0] == y[0] && x[1] == y[2] && x[2] == y[1]
}

// same compares two readings of one print.
func same(name, a, b string) bool {
	if name == "surname" || name == "given_names" {
		l, ok := nameLikeness(a, b, false, false)
		return ok && l == 1
	}
	if name == "document_number" { // letters that look alike are the same reading
		return confusable.Replace(plainNumber(a)) == confusable.Replace(plainNumber(b))
	}
	return plainNumber(a) == plainNumber(b)
}

// plain names have no letter that a reader without diacritics would miss.
func plain(s string) bool {
	for _, r := range s {
		if r > 0x7e && r != '’' {
			return false
		}
	}
	return true
}

// transliterated: a zone's name holds a group that may stand for one letter of
// the print.
func transliterated(s string) bool {
	for _, g := range []string{"AE", "OE", "UE", "AA", "SS", "TH", "DH", "IJ"} {
		if strings.Contains(strings.ToUpper(s), g) {
			return true
		}
	}
	return false
}

// compare adds the verdict on one field of two sources. The measure is named
// after sources and field; its value is the likeness, 1 for a match.
func (r *run) compare(f *policy.Finding, a, b Field) {
	c := against(a, b, r.truncated(a))
	r.comparisons = append(r.comparisons, c)
	if c.Result == NotComparable {
		return
	}
	name := "consistency." + a.Source + "_" + b.Source + "." + a.Name
	f.Measures = append(f.Measures, policy.Measure{Name: name, Value: c.Likeness, Unit: "likeness"},
		policy.Measure{Name: name + ".confidence", Value: c.Confidence, Unit: "probability"})
	if c.Readings > 0 {
		f.Measures = append(f.Measures, policy.Measure{Name: name + ".agreement", Value: float64(c.Agreeing) / float64(c.Readings), Unit: "ratio"})
	}
	switch {
	case c.Result == Match:
	case b.Source == "claim":
		// Whether misread or different: the statement is not confirmed, and a
		// person looks.
		f.Assert("consistency.claim_mismatch", a.Name)
	case c.Sure:
		f.Assert(mismatchCodes[a.Name], a.Name)
	default:
		f.Assert("consistency.uncertain_reading", a.Name)
	}
}

// SameValue reports whether two values of a field are the same as far as
// documents spell them: names by their letters in a zone, numbers without
// punctuation, places like names.
func SameValue(name, a, b string) bool {
	if b == "" {
		return a == ""
	}
	switch name {
	case "place_of_birth", "authority", "address", "nationality":
		l, ok := nameLikeness(wordsOnly(a), wordsOnly(b), false, false)
		return ok && l == 1
	case "personal_number":
		return plainNumber(a) == plainNumber(b)
	}
	l, ok := likeness(Field{Name: name, Value: a}, Field{Name: name, Value: b}, false)
	return ok && l == 1
}

// wordsOnly spells digits as letters, which nameLikeness compares.
func wordsOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return 'A' + r - '0'
		}
		if r == '—' || r == '–' || r == '/' {
			return ' '
		}
		return r
	}, s)
}
