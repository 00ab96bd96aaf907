package policy

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const stepUps = `
    - {name: large amount, when: {amount: {min: 1000}}, evidence: [document_back], checks: [barcode], thresholds: {face_match: 0.45}}
    - {name: new account, when: {account_age_days: {max: 7}, velocity: {min: 3}}, review: true}
    - {name: unknown device, when: {device_risk: {min: 0.8}}, missing: true, checks: [ocr]}
`

func stepUpPolicy(t *testing.T) *Policy {
	t.Helper()
	p, err := Parse([]byte(strings.Replace(string(DefaultYAML()), "  retention:\n", "  step_up:"+stepUps+"  retention:\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRiskSignalsAskForMore(t *testing.T) {
	p := stepUpPolicy(t)
	calm := p.Cell(Context{Signals: Signals{"amount": 10, "device_risk": 0}})
	if len(calm.Fired) != 0 || slices.Contains(calm.Evidence, "document_back") {
		t.Errorf("a calm case was asked for more: %v", calm.Fired)
	}
	c := p.Cell(Context{Signals: Signals{"amount": 5000, "device_risk": 0}})
	bound, _ := c.PassBound("face.similarity", "case")
	if !slices.Equal(c.Fired, []string{"large amount"}) || !slices.Equal(c.Evidence, []string{"document_front", "document_back", "selfie"}) ||
		!slices.Contains(c.Checks, "barcode") || bound != 0.45 {
		t.Errorf("%v %v %v %v", c.Fired, c.Evidence, c.Checks, bound)
	}
	if fired := p.Cell(Context{}).Fired; !slices.Equal(fired, []string{"unknown device"}) {
		t.Errorf("a signal that is missing: %v", fired)
	}
	// The policy itself must not change: the next case is calm again.
	if again := p.Cell(Context{Signals: Signals{"device_risk": 0}}); *again.Thresholds["face_match"].Min != *calm.Thresholds["face_match"].Min {
		t.Error("a step-up changed the policy")
	}
}

func TestARiskyCaseThatIsFlawlessStillGoesToAPersonWhenThePolicySaysSo(t *testing.T) {
	p := stepUpPolicy(t)
	in := Input{Attempt: 1, Context: Context{Signals: Signals{"device_risk": 0}}}
	for _, stage := range p.Cell(in.Context).Checks {
		f := Finding{Stage: stage, Subject: "case"}
		if stage == "face" {
			f.Measures = []Measure{{Name: "face.similarity", Value: 0.9}}
		}
		in.Findings = append(in.Findings, f)
	}
	if d := p.Decide(in); d.Outcome != Approved {
		t.Fatalf("%s %v", d.Outcome, d.Codes)
	}
	in.Context.Signals = Signals{"device_risk": 0, "account_age_days": 1, "velocity": 9}
	d := p.Decide(in)
	if d.Outcome != PendingReview || !slices.Equal(d.Codes, []Code{"compliance.risk_step_up"}) || !slices.Equal(d.StepUps, []string{"new account"}) {
		t.Errorf("%s %v %v", d.Outcome, d.Codes, d.StepUps)
	}
	if a := p.Cell(in.Context).Gate("selfie", nil); !a.Accepted {
		t.Errorf("the gate refused a photo for the case's risk: %v", a.Codes)
	}
}

// Raising the risk in any signal never removes a hurdle: evidence, checks, rules
// that fired, nor a bound.
func TestMoreRiskNeverAsksForLess(t *testing.T) {
	p := stepUpPolicy(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		low, high := Signals{}, Signals{}
		for _, s := range SignalCatalogue {
			a, b := value(r, s), value(r, s)
			if (s.Riskier == "higher") != (a < b) {
				a, b = b, a
			}
			low[s.Name], high[s.Name] = a, b
		}
		cl, ch := p.Cell(Context{Signals: low}), p.Cell(Context{Signals: high})
		for _, f := range cl.Fired {
			if !slices.Contains(ch.Fired, f) {
				t.Fatalf("%v fires %q, riskier %v does not", low, f, high)
			}
		}
		if len(cl.Evidence) > len(ch.Evidence) || len(cl.Checks) > len(ch.Checks) || *cl.Thresholds["face_match"].Min > *ch.Thresholds["face_match"].Min {
			t.Fatalf("%v asks for more than %v", low, high)
		}
	}
}

// value draws near the bounds of the rules as often as anywhere.
func value(r *rand.Rand, s SignalInfo) float64 {
	if r.IntN(2) == 0 {
		return []float64{0, 1, 3, 7, 0.8, 999, 1000, 1001}[r.IntN(8)]
	}
	return s.Min + r.Float64()*(s.Max-s.Min)
}

func TestStepUpsThatAskForLessOrForNothingAreRefused(t *testing.T) {
	for rule, want := range map[string]string{
		"{name: a, when: {amount: {max: 5}}, review: true}":                             "needs a min",
		"{name: a, when: {account_age_days: {min: 5}}, review: true}":                   "needs a max",
		"{name: a, when: {amount: {min: 1, max: 5}}, review: true}":                     "nothing else",
		"{name: a, when: {weather: {min: 1}}, review: true}":                            "unknown signal",
		"{name: a, when: {device_risk: {min: 2}}, review: true}":                        "must be 0 to 1",
		"{name: a, when: {amount: {min: 1}}}":                                           "asks for nothing",
		"{name: a, review: true}":                                                       "needs a condition",
		"{when: {amount: {min: 1}}, review: true}":                                      "name",
		"{name: a, when: {amount: {min: 1}}, thresholds: {face_match: 0.1}}":            "not stricter",
		"{name: a, when: {amount: {min: 1}}, thresholds: {nothing: 0.1}}":               "no threshold",
		"{name: a, when: {amount: {min: 1}}, evidence: [a_dance]}":                      "unknown evidence",
		"{name: a, when: {amount: {min: 1}}, checks: [magic]}":                          "unknown check",
		"{name: a, when: {amount: {min: 1}}, thresholds: {document_glare: 0.5}}":        "not stricter",
		"{name: a, when: {amount: {min: .nan}}, review: true}":                          "must be 0 to",
		"{name: a, when: {amount: {min: 1}}, review: true, retention: {outcome: 500d}}": "retention",
	} {
		_, err := Parse([]byte(strings.Replace(string(DefaultYAML()), "  retention:\n", "  step_up: ["+rule+"]\n  retention:\n", 1)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if err := (Signals{"amount": -1}).Validate(); err == nil {
		t.Error("a negative amount")
	}
	if err := (Signals{"weather": 1}).Validate(); err == nil || !strings.Contains(err.Error(), "velocity") {
		t.Error(err)
	}
}
