package policy

import (
	"fmt"
	"math"
	"regexp"
	"time"
)

// ReviewRules say how people work on the cases of a cell. It moves cases within the
// queue and names how long they may wait; nothing in it can decide one.
type ReviewRules struct {
	// Queue is the name of the queue; empty: "default".
	Queue string `yaml:"queue" json:"queue,omitempty"`
	// SLA is how long a case may wait for a person.
	SLA Duration `yaml:"sla" json:"sla,omitempty"`
	// RiskFirst is how much sooner a case of the highest risk is looked at than
	// its age says, ValueFirst the same for a case at stake of ValueFull or more.
	// Together they are at most the SLA, so that no case starves.
	RiskFirst  Duration `yaml:"risk_first" json:"risk_first,omitempty"`
	ValueFirst Duration `yaml:"value_first" json:"value_first,omitempty"`
	ValueFull  float64  `yaml:"value_full" json:"value_full,omitempty"`
	// Second is the share of cases that two people judge without knowing of each
	// other.
	Second *float64 `yaml:"second" json:"second,omitempty"`
	// Overload is what changes while more cases wait than reviewers can do.
	Overload *Overload `yaml:"overload" json:"overload,omitempty"`
	// Sample is what share of the cases that the policy decides by itself is also
	// put before a person.
	Sample *Sample `yaml:"sample" json:"sample,omitempty"`
}

// Sample has people look at decisions that nobody would look at otherwise. They do
// not learn what was decided, and what they say changes no case: it measures the
// policy. Without it nothing is known of the cases that it lets pass.
type Sample struct {
	// Approved and Rejected are the shares of automatic decisions that are drawn.
	Approved float64 `yaml:"approved" json:"approved,omitempty"`
	Rejected float64 `yaml:"rejected" json:"rejected,omitempty"`
	// Within is how soon the drawn case should be judged; 72 h when left out.
	Within Duration `yaml:"within" json:"within,omitempty"`
}

// usualWithin is Sample.Within where a policy does not say.
const usualWithin = 72 * time.Hour

// of is the share and the time for an outcome.
func (s *Sample) of(o Outcome) (share float64, within time.Duration) {
	if s == nil {
		return 0, 0
	}
	switch o {
	case Approved:
		share = s.Approved
	case Rejected:
		share = s.Rejected
	}
	if within = time.Duration(s.Within); within == 0 {
		within = usualWithin
	}
	return share, within
}

// Overload begins when a queue holds more than Above cases. Clients are told of
// the longer SLA, and risk counts for more. It has no way to let a case pass.
type Overload struct {
	Above     int      `yaml:"above" json:"above"`
	SLA       Duration `yaml:"sla" json:"sla"`
	RiskFirst Duration `yaml:"risk_first" json:"risk_first,omitempty"`
}

// DefaultQueue is where cases wait whose cell names no queue.
const DefaultQueue = "default"

// Triage says where a case stands in the queue of reviews.
type Triage struct {
	Queue string
	// SLA is how long the case may wait, 0: as the settings say. Sooner is how much
	// earlier than its SLA its turn is; it is at most the SLA.
	SLA, Sooner time.Duration
	// BusySLA and BusySooner are the same while the queue holds more than Above
	// cases. Above is 0 without such a rule.
	BusySLA, BusySooner time.Duration
	Above               int
	Value, Risk         float64 // amount at stake; 0 to 1
	Second              float64 // share that is judged twice
	// Sample is the share of cases decided like this one that a person judges
	// blindly, Within how soon; 0 for what goes to a person anyway.
	Sample float64
	Within time.Duration
}

// Triage places a case that was decided in the cell. Every place lies between the
// case's entry and the end of its SLA. So a case is never overtaken by one that
// entered after the first one's SLA had run out, however many of them come.
func (c Cell) Triage(d Decision) Triage {
	t := Triage{Queue: DefaultQueue, Value: c.For.Signals["amount"], Risk: c.risk(d)}
	r := c.Review
	if r == nil {
		return t
	}
	if r.Queue != "" {
		t.Queue = r.Queue
	}
	if r.Second != nil {
		t.Second = *r.Second
	}
	t.Sample, t.Within = r.Sample.of(d.Outcome)
	value := 0.0
	if r.ValueFull > 0 {
		value = math.Min(1, math.Max(0, t.Value/r.ValueFull))
	}
	t.SLA = time.Duration(r.SLA)
	sooner := func(risk Duration) time.Duration {
		return time.Duration(t.Risk*float64(risk) + value*float64(r.ValueFirst))
	}
	t.Sooner = min(sooner(r.RiskFirst), t.SLA)
	t.BusySLA, t.BusySooner = t.SLA, t.Sooner
	if o := r.Overload; o != nil {
		t.Above, t.BusySLA = o.Above, time.Duration(o.SLA)
		t.BusySooner = min(sooner(max(o.RiskFirst, r.RiskFirst)), t.BusySLA)
	}
	return t
}

// risk is between 0 and 1: the most telling of the stated device risk, the step-up
// rules that fired (each halves what is missing to 1), and checks that failed
// outright. It orders work and decides nothing.
func (c Cell) risk(d Decision) float64 {
	risk := math.Max(0, math.Min(1, c.For.Signals["device_risk"]))
	risk = math.Max(risk, 1-math.Pow(0.5, float64(len(d.StepUps))))
	failed := 0
	for _, r := range d.Reasons {
		if i, ok := c.info(r.Code); ok && i.Verdict == Fail && r.Action != Note && r.Code.Category() != "capture" {
			failed++
		}
	}
	return math.Max(risk, 1-math.Pow(0.6, float64(failed)))
}

// overlay replaces what o names.
func (r *ReviewRules) overlay(o *ReviewRules) *ReviewRules {
	if r == nil || o == nil {
		if o != nil {
			return o
		}
		return r
	}
	out := *r
	if o.Queue != "" {
		out.Queue = o.Queue
	}
	for _, d := range []struct{ dst, src *Duration }{{&out.SLA, &o.SLA}, {&out.RiskFirst, &o.RiskFirst}, {&out.ValueFirst, &o.ValueFirst}} {
		if *d.src != 0 {
			*d.dst = *d.src
		}
	}
	if o.ValueFull != 0 {
		out.ValueFull = o.ValueFull
	}
	if o.Second != nil {
		out.Second = o.Second
	}
	if o.Overload != nil {
		out.Overload = o.Overload
	}
	if o.Sample != nil {
		out.Sample = o.Sample
	}
	return &out
}

var queueName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

// maxSLA bounds how long a policy may let a case wait.
const maxSLA = Duration(90 * 24 * time.Hour)

// validateReview checks a resolved cell.
func (c Cell) validateReview(where string) error {
	r := c.Review
	if r == nil {
		return nil
	}
	at := where + ": review"
	switch {
	case r.Queue != "" && !queueName.MatchString(r.Queue):
		return fmt.Errorf("%s: queue %q: want a-z, 0-9, '-' and '_', at most 32", at, r.Queue)
	case r.SLA < Duration(time.Minute) || r.SLA > maxSLA:
		return fmt.Errorf("%s: sla is required, 1m to 90d", at)
	case r.RiskFirst < 0 || r.ValueFirst < 0 || r.RiskFirst+r.ValueFirst > r.SLA:
		return fmt.Errorf("%s: risk_first and value_first together must be at most the sla (%s), or cases that are neither would starve", at, r.SLA)
	case (r.ValueFirst > 0) != (r.ValueFull > 0) || math.IsNaN(r.ValueFull) || math.IsInf(r.ValueFull, 0) || r.ValueFull < 0:
		return fmt.Errorf("%s: value_first and value_full belong together, both above 0", at)
	case r.Second != nil && !(*r.Second >= 0 && *r.Second <= 1):
		return fmt.Errorf("%s: second must be a share of 0 to 1", at)
	}
	if s := r.Sample; s != nil {
		kept, within := c.Retention["capture_image"], s.Within
		if within == 0 {
			within = Duration(usualWithin)
		}
		switch {
		case !(s.Approved >= 0 && s.Approved <= 1 && s.Rejected >= 0 && s.Rejected <= 1):
			return fmt.Errorf("%s: sample: approved and rejected must be shares of 0 to 1", at)
		case s.Within != 0 && s.Within < Duration(time.Hour):
			return fmt.Errorf("%s: sample: within must be at least 1h", at)
		case (s.Approved > 0 || s.Rejected > 0) && within > kept:
			return fmt.Errorf("%s: sample: within (%s) must be at most the retention of capture_image (%s), or there is nothing left to look at", at, within, kept)
		}
	}
	if o := r.Overload; o != nil {
		switch {
		case o.Above < 1 || o.Above > 1_000_000:
			return fmt.Errorf("%s: overload: above must be 1 to 1000000 cases", at)
		case o.SLA < r.SLA || o.SLA > maxSLA:
			return fmt.Errorf("%s: overload: sla must be at least the usual one (%s) and at most 90d", at, r.SLA)
		case o.RiskFirst != 0 && o.RiskFirst < r.RiskFirst:
			return fmt.Errorf("%s: overload: risk_first must be at least the usual one (%s): risk may not count for less", at, r.RiskFirst)
		case max(o.RiskFirst, r.RiskFirst)+r.ValueFirst > o.SLA:
			return fmt.Errorf("%s: overload: risk_first and value_first together must be at most its sla (%s)", at, o.SLA)
		}
	}
	return nil
}
