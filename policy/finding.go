package policy

// Verdict is what a finding or one of its measures amounts to.
type Verdict string

// The verdicts, from best to worst for a case. NotEvaluated is never a pass.
const (
	Pass         Verdict = "pass"
	NotEvaluated Verdict = "not_evaluated"
	Inconclusive Verdict = "inconclusive"
	Fail         Verdict = "fail"
)

func (v Verdict) rank() int {
	switch v {
	case Fail:
		return 3
	case Inconclusive:
		return 2
	case NotEvaluated:
		return 1
	default:
		return 0
	}
}

func worse(a, b Verdict) Verdict {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// Region is a rectangle in pixels of the image that a finding speaks of.
type Region struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Measure is one number that a stage measured. The fields after Regions are
// filled in by [Policy.Judge] from the threshold rule that spoke.
type Measure struct {
	Name    string   `json:"name"`
	Value   float64  `json:"value"`
	Unit    string   `json:"unit,omitempty"`
	Regions []Region `json:"regions,omitempty"`

	Threshold *float64 `json:"threshold,omitempty"`
	Bound     string   `json:"bound,omitempty"` // "min" or "max"
	Verdict   Verdict  `json:"verdict,omitempty"`
	Code      Code     `json:"code,omitempty"`
	Hint      string   `json:"hint,omitempty"` // text key of the remediation
	// LLR is what the value weighs as evidence: the base-10 logarithm of its
	// likelihood ratio, where the calibration of its threshold gives one.
	LLR *float64 `json:"llr,omitempty"`
}

// Assertion is a statement by a stage that no threshold decides, such as
// document.mrz_not_found. Field names the document field it is about, never
// the field's value; for document.type_not_expected it is the document type that
// is wanted.
type Assertion struct {
	Code    Code     `json:"code"`
	Field   string   `json:"field,omitempty"`
	Regions []Region `json:"regions,omitempty"`
}

// ModelRef names a model that took part in a finding.
type ModelRef struct {
	Role   string `json:"role"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// Finding is what one stage says of one subject: "document_front",
// "document_back", "selfie", or "case" for what concerns several of them. It
// holds no personal data.
type Finding struct {
	Stage      string      `json:"stage"`
	Subject    string      `json:"subject"`
	Verdict    Verdict     `json:"verdict"`
	Codes      []Code      `json:"codes,omitempty"`
	Assertions []Assertion `json:"assertions,omitempty"`
	Measures   []Measure   `json:"measures,omitempty"`
	Models     []ModelRef  `json:"models,omitempty"`
	DurationMS float64     `json:"duration_ms"`
}

// Assert adds an assertion. Asserting the same code for the same field again
// changes nothing.
func (f *Finding) Assert(c Code, field string, regions ...Region) {
	for _, a := range f.Assertions {
		if a.Code == c && a.Field == field {
			return
		}
	}
	f.Assertions = append(f.Assertions, Assertion{Code: c, Field: field, Regions: regions})
}

// Measured returns the value of the named measure.
func (f *Finding) Measured(name string) (float64, bool) {
	for _, m := range f.Measures {
		if m.Name == name {
			return m.Value, true
		}
	}
	return 0, false
}
