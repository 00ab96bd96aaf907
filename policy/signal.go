package policy

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
)

// Signals are the risk signals of a case, by the names of [SignalCatalogue],
// as the relying service states them when it creates a session. They are facts
// about the transaction, never about the person's identity.
type Signals map[string]float64

// SignalInfo describes a risk signal.
type SignalInfo struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Riskier says which direction means more risk: "higher" or "lower". A
	// step-up rule can only ask for more in that direction.
	Riskier string  `json:"riskier"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
	Title   string  `json:"title"`
}

// SignalCatalogue lists the signals that a policy can react to.
var SignalCatalogue = []SignalInfo{
	{"velocity", "sessions in 24 h", "higher", 0, 1e6, "Sessions of the same account, device or address in the last 24 hours"},
	{"distance_km", "km", "higher", 0, 20038, "Distance between the address of the device and the stated residence"},
	{"device_risk", "0 to 1", "higher", 0, 1, "Risk score of the device by the relying service's own means"},
	{"account_age_days", "days", "lower", 0, 36525, "Age of the account"},
	{"prior_rejections", "cases", "higher", 0, 1e6, "Earlier rejected cases of the same account"},
	{"prior_approvals", "cases", "lower", 0, 1e6, "Earlier approved cases of the same account"},
	{"amount", "the relying service's currency", "higher", 0, 1e12, "Amount at stake"},
}

func signalInfo(name string) (SignalInfo, bool) {
	i := slices.IndexFunc(SignalCatalogue, func(s SignalInfo) bool { return s.Name == name })
	if i < 0 {
		return SignalInfo{}, false
	}
	return SignalCatalogue[i], true
}

func signalNames() string {
	var out []string
	for _, s := range SignalCatalogue {
		out = append(out, s.Name)
	}
	return strings.Join(out, ", ")
}

// Validate refuses unknown signals and values outside their range.
func (s Signals) Validate() error {
	names := make([]string, 0, len(s))
	for n := range s {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		i, ok := signalInfo(n)
		if !ok {
			return fmt.Errorf("unknown signal %q; known: %s", n, signalNames())
		}
		if v := s[n]; math.IsNaN(v) || v < i.Min || v > i.Max {
			return fmt.Errorf("signal %s must be %g to %g", n, i.Min, i.Max)
		}
	}
	return nil
}

// StepUp asks for more when risk signals say so. It can only add evidence and
// checks, tighten thresholds and send the case to a person: more risk never
// means fewer hurdles.
type StepUp struct {
	Name string `yaml:"name" json:"name"`
	// When holds the conditions, all of which must be met, by signal: a min for
	// signals whose higher values are riskier, a max for the others.
	When map[string]Bound `yaml:"when" json:"when"`
	// Missing makes conditions on signals that were not stated count as met.
	Missing bool `yaml:"missing" json:"missing,omitempty"`

	Evidence   []string           `yaml:"evidence" json:"evidence,omitempty"`     // needed in addition
	Checks     []string           `yaml:"checks" json:"checks,omitempty"`         // required in addition
	Thresholds map[string]float64 `yaml:"thresholds" json:"thresholds,omitempty"` // tighter bounds, by the rule's name
	Review     bool               `yaml:"review" json:"review,omitempty"`         // a person looks, whatever was found
}

// Bound is one side of a range.
type Bound struct {
	Min *float64 `yaml:"min" json:"min,omitempty"`
	Max *float64 `yaml:"max" json:"max,omitempty"`
}

func (b Bound) holds(v float64) bool {
	return (b.Min == nil || v >= *b.Min) && (b.Max == nil || v <= *b.Max)
}

func (s StepUp) fires(signals Signals) bool {
	for name, b := range s.When {
		v, stated := signals[name]
		if !stated && !s.Missing || stated && !b.holds(v) {
			return false
		}
	}
	return true
}

// validateStepUps checks the rules of a resolved cell.
func (c Cell) validateStepUps(where string) error {
	seen := map[string]bool{}
	for i, s := range c.StepUps {
		at := fmt.Sprintf("%s: step_up[%d]", where, i)
		if s.Name == "" || seen[s.Name] {
			return fmt.Errorf("%s: a name of its own is required; it explains the decision", at)
		}
		seen[s.Name] = true
		at = fmt.Sprintf("%s: step_up %q", where, s.Name)
		if len(s.When) == 0 {
			return fmt.Errorf("%s: needs a condition; what always applies belongs to the cell", at)
		}
		for name, b := range s.When {
			info, ok := signalInfo(name)
			if !ok {
				return fmt.Errorf("%s: unknown signal %q; known: %s", at, name, signalNames())
			}
			bound, side := b.Min, "min"
			other := b.Max
			if info.Riskier == "lower" {
				bound, side, other = b.Max, "max", b.Min
			}
			if bound == nil || other != nil {
				return fmt.Errorf("%s: %s needs a %s and nothing else, because %s values are riskier: more risk must never ask for less", at, name, side, info.Riskier)
			}
			if math.IsNaN(*bound) || *bound < info.Min || *bound > info.Max {
				return fmt.Errorf("%s: %s: the bound must be %g to %g", at, name, info.Min, info.Max)
			}
		}
		if len(s.Evidence)+len(s.Checks)+len(s.Thresholds) == 0 && !s.Review {
			return fmt.Errorf("%s: asks for nothing; name evidence, checks, thresholds or review", at)
		}
		if err := (Cell{Evidence: s.Evidence, Checks: s.Checks}).validate(at); err != nil {
			return err
		}
		for name, v := range s.Thresholds {
			t, ok := c.Thresholds[name]
			switch {
			case !ok:
				return fmt.Errorf("%s: there is no threshold %q to tighten", at, name)
			case math.IsNaN(v) || math.IsInf(v, 0), t.Min != nil && v < *t.Min, t.Max != nil && v > *t.Max:
				return fmt.Errorf("%s: threshold %s: %g is not stricter than the cell's own", at, name, v)
			}
		}
	}
	return nil
}

// stepUp applies the rules that fire to a resolved cell.
func (c Cell) stepUp(signals Signals) Cell {
	fired := false
	for _, s := range c.StepUps {
		if !s.fires(signals) {
			continue
		}
		if !fired {
			c.Evidence, c.Checks, c.Thresholds = slices.Clone(c.Evidence), slices.Clone(c.Checks), merge(c.Thresholds, nil)
			fired = true
		}
		c.Fired = append(c.Fired, s.Name)
		c.reviewed = c.reviewed || s.Review
		c.Evidence = inOrder(EvidenceKinds, append(c.Evidence, s.Evidence...))
		c.Checks = inOrder(Stages, append(c.Checks, s.Checks...))
		for name, v := range s.Thresholds {
			t := c.Thresholds[name]
			if t.Min != nil {
				t.Min = new(max(*t.Min, v))
			} else {
				t.Max = new(min(*t.Max, v))
			}
			c.Thresholds[name] = t
		}
	}
	return c
}

// inOrder returns what of all is named, each once.
func inOrder(all, named []string) []string {
	var out []string
	for _, a := range all {
		if slices.Contains(named, a) {
			out = append(out, a)
		}
	}
	return out
}
