package policy

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// MaxFileBytes bounds a policy file; a real one has a few kilobytes.
const MaxFileBytes = 1 << 20

// maxNesting bounds brackets within brackets; a policy needs four.
const maxNesting = 32

// Policy is one version of the rules.
type Policy struct {
	Name    string `yaml:"name" json:"name"`
	Version string `yaml:"version" json:"version"`
	// Defaults apply to every case; a cell overrides what it names.
	Defaults Cell   `yaml:"defaults" json:"defaults"`
	Cells    []Cell `yaml:"cells" json:"cells,omitempty"`
	// Calibrations resolve the targets that thresholds name.
	Calibrations []Calibration `yaml:"calibrations" json:"calibrations,omitempty"`

	hash string
}

// Cell is what applies to the cases that it matches. In a file, a cell names
// only what differs from the defaults.
type Cell struct {
	Name  string `yaml:"name" json:"name,omitempty"`
	Match Match  `yaml:"match" json:"match"`

	// Evidence lists the photos a case needs: document_front, document_back,
	// selfie; selfie_burst, a second and a half of frames of the face; and
	// selfie_challenge, frames of the head turning as the server asks.
	Evidence []string `yaml:"evidence" json:"evidence,omitempty"`
	// Checks lists the stages whose finding must exist and be evaluated before
	// a case can be approved.
	Checks []string `yaml:"checks" json:"checks,omitempty"`
	// Documents lists the accepted documents: document types, MRZ formats or
	// classes ([DocumentTypes], [Accepted]); empty accepts all.
	Documents []string `yaml:"documents" json:"documents,omitempty"`
	// Attributes lists the fields that the relying service receives.
	Attributes []string `yaml:"attributes" json:"attributes,omitempty"`
	// Resubmissions is how often photos may be asked for again.
	Resubmissions *int `yaml:"resubmissions" json:"resubmissions,omitempty"`
	// MinimumAge in years on the day of the case; 0 means no rule.
	MinimumAge *int `yaml:"minimum_age" json:"minimum_age,omitempty"`
	// Expires is how long a session may stay unfinished.
	Expires Duration `yaml:"expires" json:"expires,omitempty"`
	// Thresholds by name; a cell replaces the default's rule of the same name.
	Thresholds map[string]Threshold `yaml:"thresholds" json:"thresholds,omitempty"`
	// Actions override the catalogue's action of a code.
	Actions map[Code]Action `yaml:"actions" json:"actions,omitempty"`
	// Retention by data class, counted from the write.
	Retention map[string]Duration `yaml:"retention" json:"retention,omitempty"`
	// Residency names the storage region in which the case's evidence has to
	// lie (storage.regions); empty: the main store.
	Residency string `yaml:"residency" json:"residency,omitempty"`
	// StepUps ask for more when risk signals say so.
	StepUps []StepUp `yaml:"step_up" json:"step_up,omitempty"`
	// Screening lists the lists of which a result is required ([ScreeningLists]).
	Screening []string `yaml:"screening" json:"screening,omitempty"`
	// Review says how people work on the cell's cases.
	Review *ReviewRules `yaml:"review" json:"review,omitempty"`
	// Duplicates compares the case with others; nil: it does not.
	Duplicates *Duplicates `yaml:"duplicates" json:"duplicates,omitempty"`

	// BurstLight has the capture page light the face with its own screen while
	// selfie_burst is taken, for the signals of light; nil: it does not.
	BurstLight *bool `yaml:"burst_light" json:"burst_light,omitempty"`

	// Fired names the step-up rules that a resolved cell contains.
	Fired    []string `yaml:"-" json:"-"`
	reviewed bool     // one of them wants a person to look

	// For is the case that [Policy.Cell] resolved the cell for.
	For Context `yaml:"-" json:"-"`

	catalogue *catalogue // that it was parsed under; nil: the compiled-in one
}

// Match selects cases; an empty field or "*" matches all.
type Match struct {
	Segment      string `yaml:"segment" json:"segment,omitempty"`
	Jurisdiction string `yaml:"jurisdiction" json:"jurisdiction,omitempty"`
	DocumentType string `yaml:"document" json:"document,omitempty"`
}

// Context is what is known of a case before any photo.
type Context struct {
	Segment      string `json:"segment,omitempty"`
	Jurisdiction string `json:"jurisdiction,omitempty"`  // ISO 3166-1 alpha-2 or alpha-3 as the relying service uses
	DocumentType string `json:"document_type,omitempty"` // one of DocumentTypes
	// Signals are the risk signals that the relying service stated.
	Signals Signals `json:"signals,omitempty"`
}

// Threshold bounds one measure. Rules for the same measure are tried from the
// strictest code to the mildest (the order of their Rank, then name); the
// first that fails gives its code.
type Threshold struct {
	Measure  string   `yaml:"measure" json:"measure"`
	Subjects []string `yaml:"subjects" json:"subjects,omitempty"` // empty: all
	Min      *float64 `yaml:"min" json:"min,omitempty"`
	Max      *float64 `yaml:"max" json:"max,omitempty"`
	// TargetFMR stands in for Min: the false match rate that the calibration of
	// the measure gives the bound for.
	TargetFMR *float64 `yaml:"target_fmr" json:"target_fmr,omitempty"`
	Code      Code     `yaml:"code" json:"code"`
	Rank      int      `yaml:"rank" json:"rank,omitempty"`
	// Basis says where the number comes from: "measured: …" with the error
	// rate and the data, or "guess".
	Basis string `yaml:"basis" json:"basis"`

	calibration *Calibration // that TargetFMR was resolved through
}

// Classes are the data classes that every policy gives a retention.
var Classes = []string{"capture_image", "biometric_template", "extracted_fields", "outcome", "consent", "review_note"}

// Stages are the checks that a policy can require, in pipeline order.
var Stages = []string{"quality", "document", "mrz", "ocr", "barcode", "face", "liveness", "consistency", "duplicates"}

// EvidenceKinds are the photos that a policy can require.
var EvidenceKinds = []string{"document_front", "document_back", "selfie", "selfie_burst", "selfie_challenge"}

//go:embed default.yaml
var defaultYAML []byte

// Default returns the policy that ships with Proofline.
func Default() *Policy {
	p, err := Parse(defaultYAML)
	if err != nil {
		panic(err) // compiled in and covered by a test
	}
	return p
}

// DefaultYAML returns the text of the shipped policy, to start one's own from.
func DefaultYAML() []byte { return bytes.Clone(defaultYAML) }

// Load reads and checks the policy file at path.
func Load(path string) (*Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open policy: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read policy %s: %w", path, err)
	}
	p, err := Parse(b)
	var fault *FaultError
	switch {
	case errors.As(err, &fault): // in the form that editors jump to
		return nil, fmt.Errorf("%s:%d:%d: %w", path, fault.Line, fault.Column, fault.Err)
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Parse reads and checks a policy; a *FaultError says where it is wrong. Unknown keys are errors: a misspelt
// threshold must not silently fall back to another one.
func Parse(b []byte) (*Policy, error) { return parseUnder(b, codes()) }

// ParseUnder is Parse under an earlier release's catalogue of reason codes, as
// [CodesYAML] gave it: what was decided under both is decided so again.
func ParseUnder(b, codesText []byte) (*Policy, error) {
	if len(codesText) > MaxFileBytes {
		return nil, fmt.Errorf("reason-code catalogue is larger than %d bytes", MaxFileBytes)
	}
	k, err := newCatalogue(codesText)
	if err != nil {
		return nil, err
	}
	return parseUnder(b, k)
}

func parseUnder(b []byte, k catalogue) (*Policy, error) {
	if len(b) > MaxFileBytes {
		return nil, fmt.Errorf("larger than %d bytes", MaxFileBytes)
	}
	// Nested aliases grow exponentially when expanded; cells overlay the
	// defaults, so a policy needs none.
	depth := 0
	for _, t := range lexer.Tokenize(string(b)) {
		switch t.Type {
		case token.AliasType:
			return nil, faultAt(t, errors.New("YAML aliases are not accepted; write the value out"))
		case token.SequenceStartType, token.MappingStartType:
			// The parser calls itself for each: 100 000 of them take a minute.
			if depth++; depth > maxNesting {
				return nil, faultAt(t, fmt.Errorf("nested deeper than %d", maxNesting))
			}
		case token.SequenceEndType, token.MappingEndType:
			depth--
		}
	}
	var p Policy
	if err := yaml.UnmarshalWithOptions(b, &p, yaml.Strict()); err != nil {
		return nil, unreadable(err)
	}
	p.Defaults.catalogue = &k
	for i := range p.Cells {
		p.Cells[i].catalogue = &k
	}
	if err := p.calibrate(); err != nil {
		return nil, locate(b, err)
	}
	if err := p.validate(); err != nil {
		return nil, locate(b, err)
	}
	// The hash covers the rules, not the file's layout or comments: JSON of
	// Go maps is sorted by key and so is canonical.
	c, err := json.Marshal(&p)
	if err != nil {
		return nil, fmt.Errorf("hash: %w", err)
	}
	sum := sha256.Sum256(c)
	p.hash = hex.EncodeToString(sum[:])
	return &p, nil
}

// Hash is the SHA-256 of the rules in hex. It does not change with comments or
// layout.
func (p *Policy) Hash() string { return p.hash }

// CodesHash is that of the catalogue that the policy was parsed under.
func (p *Policy) CodesHash() string { return p.Defaults.codes().hash }

func (m Match) normal() Match {
	for _, f := range []*string{&m.Segment, &m.Jurisdiction, &m.DocumentType} {
		if *f == "*" {
			*f = ""
		}
	}
	return m
}

// specificity orders matching cells: more named fields win; among equals the
// document outweighs the jurisdiction, and that the segment.
func (m Match) specificity() int {
	n := 0
	for i, f := range []string{m.Segment, m.Jurisdiction, m.DocumentType} {
		if f != "" {
			n += 8 + 1<<i
		}
	}
	return n
}

func (m Match) matches(c Context) bool {
	return (m.Segment == "" || m.Segment == c.Segment) &&
		(m.Jurisdiction == "" || m.Jurisdiction == c.Jurisdiction) &&
		(m.DocumentType == "" || m.DocumentType == c.DocumentType)
}

// Cell returns the rules for a case: the defaults, overlaid with the most
// specific cell that matches, and what its step-up rules add for the case's risk
// signals.
func (p *Policy) Cell(c Context) Cell {
	best, score := Cell{Name: "defaults"}, 0
	for _, cell := range p.Cells {
		m := cell.Match.normal()
		if s := m.specificity(); m.matches(c) && s > score {
			best, score = cell, s
		}
	}
	out := p.Defaults.overlay(best).stepUp(c.Signals)
	out.For = c
	return out
}

// overlay returns the cell with everything that o names replaced.
func (c Cell) overlay(o Cell) Cell {
	out := c
	out.Name, out.Match = o.Name, o.Match
	for _, s := range []struct{ dst, src *[]string }{
		{&out.Evidence, &o.Evidence}, {&out.Checks, &o.Checks}, {&out.Documents, &o.Documents}, {&out.Attributes, &o.Attributes},
	} {
		if *s.src != nil {
			*s.dst = *s.src
		}
	}
	out.Review = c.Review.overlay(o.Review)
	if o.Screening != nil {
		out.Screening = o.Screening
	}
	if o.StepUps != nil {
		out.StepUps = o.StepUps
	}
	if o.Resubmissions != nil {
		out.Resubmissions = o.Resubmissions
	}
	if o.MinimumAge != nil {
		out.MinimumAge = o.MinimumAge
	}
	if o.Expires != 0 {
		out.Expires = o.Expires
	}
	if o.Residency != "" {
		out.Residency = o.Residency
	}
	if o.Duplicates != nil {
		out.Duplicates = o.Duplicates
	}
	if o.BurstLight != nil {
		out.BurstLight = o.BurstLight
	}
	out.Thresholds = merge(c.Thresholds, o.Thresholds)
	out.Actions = merge(c.Actions, o.Actions)
	out.Retention = merge(c.Retention, o.Retention)
	return out
}

func merge[K comparable, V any](a, b map[K]V) map[K]V {
	out := make(map[K]V, len(a)+len(b))
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

// RetainUntil is when evidence of the class, written at t, is to be erased.
func (c Cell) RetainUntil(class string, t time.Time) (time.Time, error) {
	d, ok := c.Retention[class]
	if !ok {
		return time.Time{}, fmt.Errorf("no retention for data class %q", class)
	}
	return t.Add(time.Duration(d)), nil
}

// rules returns the threshold rules for a measure of a subject in the order in
// which they are tried.
func (c Cell) rules(measure, subject string) []Threshold {
	var names []string
	for name, t := range c.Thresholds {
		if t.Measure == measure && (len(t.Subjects) == 0 || slices.Contains(t.Subjects, subject)) {
			names = append(names, name)
		}
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := c.Thresholds[names[i]], c.Thresholds[names[j]]
		if a.Rank != b.Rank {
			return a.Rank < b.Rank
		}
		return names[i] < names[j]
	})
	out := make([]Threshold, len(names))
	for i, n := range names {
		out[i] = c.Thresholds[n]
	}
	return out
}

// PassBound is the bound that a measure of a subject has to meet to raise no
// code at all: the highest minimum or the lowest maximum of its rules.
func (c Cell) PassBound(measure, subject string) (bound float64, ok bool) {
	for _, t := range c.rules(measure, subject) {
		switch {
		case t.Min != nil && (!ok || *t.Min > bound):
			bound, ok = *t.Min, true
		case t.Max != nil && (!ok || *t.Max < bound):
			bound, ok = *t.Max, true
		}
	}
	return bound, ok
}
