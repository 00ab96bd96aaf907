package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofline/proofline/policy"
)

// Case is everything that a decision can depend on.
type Case struct {
	// Documents holds the files by evidence kind: document_front,
	// document_back, selfie, selfie_burst, selfie_challenge.
	Documents map[string][]byte
	// Claims is what the relying service says of the person, by field name
	// (see FieldNames); dates as 2006-01-02.
	Claims  map[string]string
	Context policy.Context
	// Screening is what lists say of the person.
	Screening Screening
	// AsOf is the day on which the case is judged: expiry and age are relative
	// to it. There is no other clock.
	AsOf time.Time
	// Attempt counts submissions from 1; 0 means 1.
	Attempt int
	// NoBiometrics leaves faces alone: there is no consent to compare them.
	NoBiometrics bool
	// Challenge finds what was asked under a nonce. nil: nobody knows, and an
	// answer to a challenge is not evaluated.
	Challenge func(ctx context.Context, nonce []byte) (Challenge, error)
	// Assisted: the person chose another way than a challenge.
	Assisted bool
	// Others compares the case with other subjects. nil: nobody can.
	Others Others
}

// FieldNames are the names of document fields in claims, findings and reports.
var FieldNames = []string{"surname", "given_names", "birth_date", "document_number", "expiry_date", "issuing_state", "nationality", "sex"}

// PrintedFields are the names of all fields that a document's print or barcode
// is read for: those above and those that only a policy may ask for.
var PrintedFields = append(slices.Clone(FieldNames), "issue_date", "place_of_birth", "authority", "address", "personal_number")

// Field is one value read from a document. It is personal data.
type Field struct {
	Name       string  `json:"name"`
	Value      string  `json:"value"`
	Source     string  `json:"source"` // mrz, visual, barcode
	Confidence float64 `json:"confidence"`
	// Verified: a check digit confirms the value.
	Verified bool `json:"verified,omitempty"`
	// Readings are the values of the single readings of the print, where it was
	// read more than once.
	Readings []string `json:"readings,omitempty"`
}

// Report is the outcome of Verify.
type Report struct {
	Findings []policy.Finding `json:"findings"` // judged
	Decision policy.Decision  `json:"decision"`
	Fields   []Field          `json:"fields,omitempty"`
	// Comparisons of what the sources say, without values.
	Comparisons []Comparison `json:"comparisons,omitempty"`
}

// Event tells an observer how a case gets on.
type Event struct {
	Stage    string
	Done     bool // false when the stage begins
	Resumed  bool // its result was stored by an earlier run
	Elapsed  time.Duration
	Findings []policy.Finding
}

// Verify runs a whole case in memory and decides it. The error is for what
// keeps the case from being run at all; bad photos are findings.
func Verify(ctx context.Context, e *Engines, p *policy.Policy, c Case, observe func(Event)) (Report, error) {
	if c.AsOf.IsZero() {
		return Report{}, errors.New("verify case: the day of the case is needed")
	}
	for kind := range c.Documents {
		if !slices.Contains(policy.EvidenceKinds, kind) {
			return Report{}, fmt.Errorf("verify case: unknown kind of evidence %q", kind)
		}
	}
	for name := range c.Claims {
		if !slices.Contains(FieldNames, name) {
			return Report{}, fmt.Errorf("verify case: unknown claim %q", name)
		}
	}
	if observe == nil {
		observe = func(Event) {}
	}
	r := newRun(e, p, c)
	defer r.close()
	for _, s := range stages {
		observe(Event{Stage: s.Name})
		start := time.Now()
		fs, err := r.stage(ctx, s)
		if err != nil {
			return Report{}, fmt.Errorf("verify case: %w", err)
		}
		r.findings = append(r.findings, fs...)
		observe(Event{Stage: s.Name, Done: true, Elapsed: time.Since(start), Findings: fs})
	}
	d := r.decide()
	return Report{Findings: r.judged(), Decision: d, Fields: r.fields, Comparisons: r.comparisons}, nil
}
