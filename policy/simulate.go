package policy

import (
	"iter"
	"slices"
)

// PastCase is a case that was decided, to be decided again by other rules.
type PastCase struct {
	ID    string
	Input Input
	// Outcome is what the policy in force then decided.
	Outcome Outcome
	// Reviewed is what a person decided afterwards; empty when nobody did.
	Reviewed Outcome
}

// Simulation compares what a policy would have decided with what was decided.
type Simulation struct {
	Cases int `json:"cases"`
	// Before and After count outcomes.
	Before map[Outcome]int `json:"before"`
	After  map[Outcome]int `json:"after"`
	// Flipped counts the cases that would end otherwise, and Flips holds the
	// first of them.
	Flipped int    `json:"flipped"`
	Flips   []Flip `json:"flips"`
	// Reviewed counts the cases that a person approved or rejected. Against those
	// verdicts: wrong approvals and wrong rejections by each policy, and how many
	// would go to a person.
	Reviewed int       `json:"reviewed"`
	Then     Agreement `json:"then"`
	Now      Agreement `json:"now"`
}

// Agreement counts automatic outcomes against what people decided.
type Agreement struct {
	WrongApprovals  int `json:"wrong_approvals"`  // approved, a person rejected
	WrongRejections int `json:"wrong_rejections"` // rejected, a person approved
	ToPeople        int `json:"to_people"`        // sent to review
}

func (a *Agreement) count(automatic, person Outcome) {
	switch {
	case automatic == PendingReview:
		a.ToPeople++
	case automatic == Approved && person == Rejected:
		a.WrongApprovals++
	case automatic == Rejected && person == Approved:
		a.WrongRejections++
	}
}

// Flip is one case that would end otherwise.
type Flip struct {
	ID       string  `json:"id"`
	From     Outcome `json:"from"`
	To       Outcome `json:"to"`
	Codes    []Code  `json:"codes"` // of the new decision
	Reviewed Outcome `json:"reviewed,omitempty"`
}

// Simulate decides past cases by p. It keeps at most so many flips, and stops at
// the first error of the sequence.
//
// Cases that the old policy never sent to a person carry no verdict, so what is
// said of wrong approvals is a lower bound (selective labels); package calibrate
// corrects for it where a sample was reviewed blindly.
func (p *Policy) Simulate(cases iter.Seq2[PastCase, error], flips int) (Simulation, error) {
	s := Simulation{Before: map[Outcome]int{}, After: map[Outcome]int{}, Flips: []Flip{}}
	for c, err := range cases {
		if err != nil {
			return s, err
		}
		s.Count(c, p.Decide(c.Input), flips)
	}
	return s, nil
}

// Count adds a case with what another policy says of it. At most so many flips are
// kept.
func (s *Simulation) Count(c PastCase, d Decision, flips int) {
	s.Cases++
	s.Before[c.Outcome]++
	s.After[d.Outcome]++
	if slices.Contains([]Outcome{Approved, Rejected}, c.Reviewed) {
		s.Reviewed++
		s.Then.count(c.Outcome, c.Reviewed)
		s.Now.count(d.Outcome, c.Reviewed)
	}
	if d.Outcome != c.Outcome {
		s.Flipped++
		if len(s.Flips) < flips {
			s.Flips = append(s.Flips, Flip{c.ID, c.Outcome, d.Outcome, d.Codes, c.Reviewed})
		}
	}
}
