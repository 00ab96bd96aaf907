package policy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

func (p *Policy) validate() error {
	if p.Name == "" || p.Version == "" {
		return fmt.Errorf("name and version are required")
	}
	if d := p.Defaults; d.Match != (Match{}) {
		return fmt.Errorf("defaults: match belongs to a cell, not to the defaults")
	}
	if len(p.Defaults.Evidence) == 0 || len(p.Defaults.Checks) == 0 || p.Defaults.Resubmissions == nil || p.Defaults.Expires == 0 {
		return fmt.Errorf("defaults: evidence, checks, resubmissions and expires are required")
	}
	for _, c := range Classes {
		if p.Defaults.Retention[c] <= 0 {
			return fmt.Errorf("defaults: retention of %s is missing; every data class needs one", c)
		}
	}
	if err := p.Defaults.validate("defaults"); err != nil {
		return err
	}
	if err := p.Defaults.validateBounded("defaults"); err != nil {
		return err
	}
	if err := p.Defaults.validateStepUps("defaults"); err != nil {
		return err
	}
	if err := p.Defaults.validateReview("defaults"); err != nil {
		return err
	}
	if err := p.Defaults.validateDuplicates("defaults"); err != nil {
		return err
	}
	seen := map[Match]string{}
	for i, c := range p.Cells {
		where := fmt.Sprintf("cells[%d]", i)
		if c.Name != "" {
			where += " " + strconv.Quote(c.Name)
		}
		m := c.Match.normal()
		if m == (Match{}) {
			return fmt.Errorf("%s: matches every case; put it into defaults", where)
		}
		if other, dup := seen[m]; dup {
			return fmt.Errorf("%s: matches the same cases as %s", where, other)
		}
		seen[m] = where
		if err := c.validate(where); err != nil {
			return err
		}
		// A partial override (other bounds only) is resolved before it is checked.
		if err := p.Defaults.overlay(c).validateThresholds(where); err != nil {
			return err
		}
		if err := p.Defaults.overlay(c).validateBounded(where); err != nil {
			return err
		}
		if err := p.Defaults.overlay(c).validateStepUps(where); err != nil {
			return err
		}
		if err := p.Defaults.overlay(c).validateReview(where); err != nil {
			return err
		}
		if err := p.Defaults.overlay(c).validateDuplicates(where); err != nil {
			return err
		}
	}
	return nil
}

func (c Cell) validate(where string) error {
	for _, e := range c.Evidence {
		if !slices.Contains(EvidenceKinds, e) {
			return fmt.Errorf("%s: unknown evidence %q; known: %s", where, e, strings.Join(EvidenceKinds, ", "))
		}
	}
	for _, s := range c.Checks {
		if !slices.Contains(Stages, s) {
			return fmt.Errorf("%s: unknown check %q; known: %s", where, s, strings.Join(Stages, ", "))
		}
	}
	if err := c.validateResidency(where); err != nil {
		return err
	}
	if err := c.validateScreening(where); err != nil {
		return err
	}
	if err := c.validateDocuments(where); err != nil {
		return err
	}
	for class, d := range c.Retention {
		if !slices.Contains(Classes, class) {
			return fmt.Errorf("%s: retention of unknown data class %q", where, class)
		}
		if d <= 0 {
			return fmt.Errorf("%s: retention of %s must be longer than nothing", where, class)
		}
	}
	for code, a := range c.Actions {
		if _, ok := c.info(code); !ok {
			return fmt.Errorf("%s: actions: unknown code %q", where, code)
		}
		if !a.valid() {
			return fmt.Errorf("%s: actions: %s: unknown action %q", where, code, a)
		}
	}
	if c.Resubmissions != nil && (*c.Resubmissions < 0 || *c.Resubmissions > 20) {
		return fmt.Errorf("%s: resubmissions must be 0 to 20", where)
	}
	if c.MinimumAge != nil && (*c.MinimumAge < 0 || *c.MinimumAge > 120) {
		return fmt.Errorf("%s: minimum_age must be 0 to 120", where)
	}
	return c.validateThresholds(where)
}

// scored are the checks whose whole result is one score: required without a
// minimum on it, they would pass whatever was measured.
var scored = []struct{ check, measure, subject string }{
	{"face", "face.similarity", "case"},
	{"liveness", "liveness.score", "selfie"},
}

// validateBounded refuses a resolved cell that requires a score but accepts any,
// or whose action makes a failed score a mere note.
func (c Cell) validateBounded(where string) error {
	for _, s := range scored {
		if !slices.Contains(c.Checks, s.check) {
			continue
		}
		bounded := false
		for _, t := range c.rules(s.measure, s.subject) {
			bounded = bounded || t.Min != nil && *t.Min <= 1 && c.action(t.Code) != Note
		}
		if !bounded {
			return fmt.Errorf("%s: check %s is required, but no threshold with a min of at most 1 on %s leads to more than a note: every %s would be accepted (or none could be); see `proofline policy show`", where, s.check, s.measure, s.check)
		}
	}
	return nil
}

func (c Cell) validateThresholds(where string) error {
	for name, t := range c.Thresholds {
		at := fmt.Sprintf("%s: threshold %s", where, name)
		if t.Measure == "" || t.Basis == "" {
			return fmt.Errorf("%s: measure and basis are required", at)
		}
		if (t.Min == nil) == (t.Max == nil) {
			return fmt.Errorf("%s: give either min or max, or a target_fmr", at)
		}
		for _, v := range []*float64{t.Min, t.Max} {
			if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
				return fmt.Errorf("%s: the bound must be a finite number", at)
			}
		}
		if _, ok := c.info(t.Code); !ok {
			return fmt.Errorf("%s: unknown code %q", at, t.Code)
		}
		for _, s := range t.Subjects {
			if s != "case" && !slices.Contains(EvidenceKinds, s) {
				return fmt.Errorf("%s: unknown subject %q", at, s)
			}
		}
	}
	return nil
}
