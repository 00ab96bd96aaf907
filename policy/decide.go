package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// Outcome is the state that a decision leads a session to.
type Outcome string

// The outcomes.
const (
	Approved          Outcome = "approved"
	Rejected          Outcome = "rejected"
	PendingReview     Outcome = "pending_review"
	NeedsResubmission Outcome = "needs_resubmission"
)

// Input is everything that a decision depends on.
type Input struct {
	Context  Context   `json:"context"`
	Attempt  int       `json:"attempt"` // 1 for the first submission
	Findings []Finding `json:"findings"`
}

// Hash is the SHA-256, in hex, of the input's JSON: field order and map order
// are fixed, so equal inputs have one hash.
func (in Input) Hash() (string, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return "", fmt.Errorf("hash policy input: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Reason is one code that a decision rests on.
type Reason struct {
	Code    Code   `json:"code"`
	Subject string `json:"subject"`
	Stage   string `json:"stage"`
	Action  Action `json:"action"`
	Field   string `json:"field,omitempty"`
}

// Decision is the outcome with its reasons. Equal inputs give equal decisions.
type Decision struct {
	Outcome Outcome  `json:"outcome"`
	Codes   []Code   `json:"codes"` // what led to the outcome, most telling first
	Reasons []Reason `json:"reasons"`
	Hint    *Hint    `json:"hint,omitempty"`
	Retake  []string `json:"retake,omitempty"` // evidence to take again

	Policy        string `json:"policy"`
	PolicyVersion string `json:"policy_version"`
	PolicyHash    string `json:"policy_hash"`
	// Calibrations names what the policy's target rates were resolved through;
	// the hash covers them.
	Calibrations []CalibrationRef `json:"calibrations,omitempty"`

	Cell string `json:"cell"`
	// StepUps names the rules that asked for more because of risk signals.
	StepUps []string `json:"step_ups,omitempty"`
	Attempt int      `json:"attempt"`
}

// Hint is what to tell the person in front of the camera.
type Hint struct {
	Code    Code     `json:"code"`
	Text    string   `json:"text"` // English; the code is the key of the translations
	Subject string   `json:"subject"`
	Regions []Region `json:"regions,omitempty"`
}

// Judge fills in what the cell's thresholds say of a finding's measures, and
// from these and the assertions the finding's codes and verdict. Judging again
// changes nothing; judging under another policy replaces the verdicts.
func (c Cell) Judge(f Finding) Finding {
	f.Measures = slices.Clone(f.Measures)
	f.Codes, f.Verdict = nil, Pass
	for i := range f.Measures {
		m := &f.Measures[i]
		m.Threshold, m.Bound, m.Verdict, m.Code, m.Hint, m.LLR = nil, "", "", "", "", nil
		for _, t := range c.rules(m.Name, f.Subject) {
			bound, failed := t.Min, false
			m.Bound = "min"
			if t.Max != nil {
				bound, m.Bound = t.Max, "max"
				failed = m.Value > *bound
			} else {
				failed = m.Value < *bound
			}
			v := *bound
			m.Threshold, m.Verdict = &v, Pass
			if t.calibration != nil && !t.foreign(f) && !math.IsNaN(m.Value) {
				if llr, ok := t.calibration.LLR(m.Value, f.Measured); ok {
					m.LLR = &llr
				}
			}
			// A value that is no number was not measured; it passes nothing.
			// Nor does a score of another model than the calibrated one.
			if math.IsNaN(m.Value) || t.foreign(f) {
				m.Verdict = NotEvaluated
				f.Verdict = worse(f.Verdict, NotEvaluated)
				break
			}
			if failed {
				info, _ := c.info(t.Code)
				m.Code, m.Verdict = t.Code, info.Verdict
				if info.Hint != "" {
					m.Hint = string(t.Code)
				}
				f.Codes = append(f.Codes, t.Code)
				f.Verdict = worse(f.Verdict, info.Verdict)
				break
			}
		}
	}
	for _, a := range f.Assertions {
		f.Codes = append(f.Codes, a.Code)
		if info, ok := c.info(a.Code); ok {
			f.Verdict = worse(f.Verdict, info.Verdict)
		} else {
			f.Verdict = worse(f.Verdict, NotEvaluated)
		}
	}
	f.Codes = c.codes().sort(f.Codes)
	return f
}

// action is what a code leads to in this cell. A code that the catalogue does
// not know (a finding from a newer version) is looked at by a person.
func (c Cell) action(code Code) Action {
	if a, ok := c.Actions[code]; ok {
		return a
	}
	if info, ok := c.info(code); ok {
		return info.Action
	}
	return Review
}

// reasons lists what the judged findings and the missing checks raise.
func (c Cell) reasons(findings []Finding) []Reason {
	var rs []Reason
	for _, f := range findings {
		for _, code := range f.Codes {
			r := Reason{Code: code, Subject: f.Subject, Stage: f.Stage, Action: c.action(code)}
			for _, a := range f.Assertions {
				if a.Code == code {
					r.Field = a.Field
					break
				}
			}
			rs = append(rs, r)
		}
	}
	for _, stage := range c.Checks {
		evaluated := false
		for _, f := range findings {
			// Inconclusive raised its own code; what counts here is whether the
			// check was made at all.
			if f.Stage == stage && f.Verdict != NotEvaluated {
				evaluated = true
			}
		}
		if !evaluated {
			rs = append(rs, Reason{Code: "system.not_evaluated", Subject: "case", Stage: stage, Action: c.action("system.not_evaluated")})
		}
	}
	rs = append(rs, c.unscreened(findings)...)
	if c.reviewed {
		rs = append(rs, Reason{Code: "compliance.risk_step_up", Subject: "case", Stage: "policy", Action: c.action("compliance.risk_step_up")})
	}
	known := c.codes().byCode
	sort.SliceStable(rs, func(i, j int) bool {
		a, b := rs[i], rs[j]
		if oa, ob := known[a.Code].order, known[b.Code].order; oa != ob {
			return oa < ob
		}
		if a.Subject != b.Subject {
			return a.Subject < b.Subject
		}
		return a.Stage < b.Stage
	})
	return rs
}

// Decide gives the decision for a case.
//
// A photo that has to be taken again comes first: what was concluded from a
// bad photo is not held against the person. When no attempt is left the case
// goes to a reviewer. Then rejection outweighs review, and a case is approved
// only when every required check was evaluated and nothing was raised but
// notes.
func (p *Policy) Decide(in Input) Decision {
	cell := p.Cell(in.Context)
	findings := make([]Finding, len(in.Findings))
	for i, f := range in.Findings {
		findings[i] = cell.Judge(f)
	}
	d := Decision{
		Codes: []Code{}, Reasons: cell.reasons(findings),
		Policy: p.Name, PolicyVersion: p.Version, PolicyHash: p.hash, Calibrations: p.CalibrationRefs(),
		Cell: cell.Name, StepUps: cell.Fired, Attempt: in.Attempt,
	}
	if d.Reasons == nil {
		d.Reasons = []Reason{}
	}
	has := func(a Action) bool {
		return slices.ContainsFunc(d.Reasons, func(r Reason) bool { return r.Action == a })
	}
	var decisive []Action
	switch {
	case has(Resubmit) && in.Attempt <= *cell.Resubmissions:
		d.Outcome, decisive = NeedsResubmission, []Action{Resubmit}
	case has(Reject):
		d.Outcome, decisive = Rejected, []Action{Reject}
	case has(Review) || has(Resubmit):
		d.Outcome, decisive = PendingReview, []Action{Review, Resubmit}
	default:
		d.Outcome = Approved
	}
	for _, r := range d.Reasons {
		if slices.Contains(decisive, r.Action) {
			d.Codes = append(d.Codes, r.Code)
		}
	}
	d.Codes = cell.codes().sort(d.Codes)
	if d.Outcome == NeedsResubmission {
		d.Hint = cell.hint(d.Reasons, findings)
		d.Retake = retake(d.Reasons, cell.Evidence)
	}
	return d
}

// hint is the one thing to say first: the resubmit reason that the catalogue
// lists first.
func (c Cell) hint(rs []Reason, findings []Finding) *Hint {
	for _, r := range rs {
		info, ok := c.info(r.Code)
		if r.Action != Resubmit || !ok || info.Hint == "" {
			continue
		}
		h := &Hint{Code: r.Code, Text: hintText(info.Hint, r.Field), Subject: r.Subject}
		for _, f := range findings {
			if f.Stage == r.Stage && f.Subject == r.Subject {
				h.Regions = append(h.Regions, f.regions(r.Code)...)
			}
		}
		return h
	}
	return nil
}

func (f Finding) regions(c Code) []Region {
	var out []Region
	for _, m := range f.Measures {
		if m.Code == c {
			out = append(out, m.Regions...)
		}
	}
	for _, a := range f.Assertions {
		if a.Code == c {
			out = append(out, a.Regions...)
		}
	}
	return out
}

// retake lists the evidence that resubmit reasons point to; a reason about the
// whole case asks for the photo that its category speaks of.
func retake(rs []Reason, evidence []string) []string {
	want := map[string]bool{}
	for _, r := range rs {
		if r.Action != Resubmit {
			continue
		}
		for _, e := range evidence {
			document := strings.HasPrefix(e, "document_")
			switch {
			case r.Subject == e,
				r.Subject == "case" && document == (r.Code.Category() != "biometric"):
				want[e] = true
			}
		}
		if r.Subject != "case" {
			want[r.Subject] = true
		}
	}
	out := make([]string, 0, len(want))
	for _, e := range EvidenceKinds {
		if want[e] {
			out = append(out, e)
		}
	}
	return out
}

// GateAnswer is what an upload is answered with at once.
type GateAnswer struct {
	Accepted bool      `json:"accepted"`
	Subject  string    `json:"subject"`
	Codes    []Code    `json:"codes"`
	Hint     *Hint     `json:"hint,omitempty"`
	Findings []Finding `json:"findings"`
}

// Gate judges the findings about one photo: it is refused when any code asks
// for a new one.
func (c Cell) Gate(subject string, fs []Finding) GateAnswer {
	a := GateAnswer{Accepted: true, Subject: subject, Codes: []Code{}, Findings: make([]Finding, len(fs))}
	for i, f := range fs {
		a.Findings[i] = c.Judge(f)
	}
	open := c
	open.Checks, open.Screening, open.reviewed = nil, nil, false
	rs := open.reasons(a.Findings)
	for _, r := range rs {
		if r.Action == Resubmit {
			a.Accepted = false
			a.Codes = append(a.Codes, r.Code)
		}
	}
	a.Codes = c.codes().sort(a.Codes)
	if !a.Accepted {
		a.Hint = c.hint(rs, a.Findings)
	}
	return a
}
