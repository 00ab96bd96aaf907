package console

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// maxLabCases bounds what the page of thresholds looks at: the newest.
const maxLabCases = 100_000

// labLife is for how long a lab is kept: moving a slider must not read the cases
// again each time.
const labLife = time.Minute

// lab is the past cases of one measure in one window.
type lab struct {
	*calibrate.Lab
	cases             []session.CaseScore // oldest first
	genuine, impostor []float64           // known ones, sorted
	at                time.Time
}

type labKey struct{ measure, window string }

// labs keeps those that were asked for last.
type labs struct {
	mu    sync.Mutex
	known map[labKey]*lab
}

func (x *Console) lab(ctx context.Context, measure string, w window) (*lab, error) {
	k, now := labKey{measure, w.Code}, x.c.Now()
	x.labs.mu.Lock()
	l := x.labs.known[k]
	x.labs.mu.Unlock()
	if l != nil && now.Sub(l.at) < labLife {
		return l, nil
	}
	cases, err := x.c.Store.Scores(ctx, measure, now.Add(-w.Length), maxLabCases)
	if err != nil {
		return nil, err
	}
	l = &lab{cases: cases, at: now}
	past := make([]calibrate.PastScore, len(cases))
	for i, c := range cases {
		// A person sees a case because the policy sent it there, always.
		past[i] = calibrate.PastScore{Score: c.Score, Known: c.Known, Genuine: c.Genuine, Chance: 1}
		switch {
		case c.Known && c.Genuine:
			l.genuine = append(l.genuine, c.Score)
		case c.Known:
			l.impostor = append(l.impostor, c.Score)
		}
	}
	slices.Sort(l.genuine)
	slices.Sort(l.impostor)
	if l.Lab, err = calibrate.NewLab(past); err != nil {
		return nil, err
	}
	x.labs.mu.Lock()
	defer x.labs.mu.Unlock()
	if x.labs.known == nil {
		x.labs.known = map[labKey]*lab{}
	}
	x.labs.known[k] = l
	return l, nil
}

// rule is a threshold of the policy on a measure.
type rule struct {
	Name   string
	Min    float64
	Code   policy.Code
	Action policy.Action
	Basis  string
}

// rulesOn lists the rules of the defaults that bound a measure from below.
func rulesOn(p *policy.Policy, m session.ScoredMeasure) []rule {
	cell := p.Cell(policy.Context{})
	var out []rule
	for name, t := range cell.Thresholds {
		if t.Measure == m.Name && t.Min != nil && (len(t.Subjects) == 0 || slices.Contains(t.Subjects, m.Subject)) {
			out = append(out, rule{name, *t.Min, t.Code, cell.ActionOf(t.Code), t.Basis})
		}
	}
	slices.SortFunc(out, func(a, b rule) int {
		switch {
		case a.Min < b.Min:
			return -1
		case a.Min > b.Min:
			return 1
		}
		return 0
	})
	return out
}

// bandOf is where a policy rejects and from where it approves.
func bandOf(rules []rule, low float64) calibrate.Band {
	b := calibrate.Band{Reject: low, Approve: low}
	for _, r := range rules {
		b.Approve = math.Max(b.Approve, r.Min)
		if r.Action == policy.Reject {
			b.Reject = math.Max(b.Reject, r.Min)
		}
	}
	return b
}

// side says what a band does to a score.
func side(b calibrate.Band, s float64) policy.Outcome {
	switch {
	case s < b.Reject:
		return policy.Rejected
	case s >= b.Approve:
		return policy.Approved
	}
	return policy.PendingReview
}

// flip is a past case that would end otherwise.
type flip struct {
	session.CaseScore
	From, To policy.Outcome
}

// flips lists the newest cases that end otherwise under another band.
func (l *lab) flips(from, to calibrate.Band, limit int) []flip {
	var out []flip
	for _, c := range slices.Backward(l.cases) {
		if a, b := side(from, c.Score), side(to, c.Score); a != b {
			if out = append(out, flip{c, a, b}); len(out) == limit {
				break
			}
		}
	}
	return out
}

// grid is what the page's script needs to answer without asking: how many cases
// lie below each step of the slider.
type grid struct {
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	All      []int   `json:"all"`
	Genuine  []int   `json:"genuine"`
	Impostor []int   `json:"impostor"`
	Cases    int     `json:"cases"`
	// Genuines and Impostors are how many there are.
	Genuines  int `json:"genuines"`
	Impostors int `json:"impostors"`
	// From is the policy's band, and Below how many cases lie below its bounds,
	// which need not be on a step.
	From  calibrate.Band `json:"from"`
	Below [2]int         `json:"below"`
}

func (l *lab) grid(low, high, step float64, from calibrate.Band) grid {
	g := grid{Low: low, High: high, Cases: len(l.cases), Genuines: len(l.genuine), Impostors: len(l.impostor), From: from}
	all := make([]float64, len(l.cases))
	for i, c := range l.cases {
		all[i] = c.Score
	}
	slices.Sort(all)
	below := func(sorted []float64, t float64) int { i, _ := slices.BinarySearch(sorted, t); return i }
	g.Below = [2]int{below(all, from.Reject), below(all, from.Approve)}
	for i := range int(math.Round((high-low)/step)) + 1 {
		t := onStep(low+float64(i)*step, step)
		g.All = append(g.All, below(all, t))
		g.Genuine = append(g.Genuine, below(l.genuine, t))
		g.Impostor = append(g.Impostor, below(l.impostor, t))
	}
	return g
}

// onStep is the value of the slider's step nearest to v, as the form sends it.
func onStep(v, step float64) float64 {
	n := math.Round(1 / step)
	return math.Round(v*n) / n
}
