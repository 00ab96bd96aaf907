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
	sampled           int                 // known by the blind sample
	waits             int                 // drawn for it, not judged
	stands            float64             // how many cases a sampled one stands for, on average
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
	past, chance := make([]calibrate.PastScore, len(cases)), chances(cases)
	for i, c := range cases {
		past[i] = calibrate.PastScore{Score: c.Score, Known: c.Known, Genuine: c.Genuine, Chance: chance[i]}
		if c.Drawn > 0 && !c.Judged {
			l.waits++
		}
		if c.Known && c.Drawn > 0 {
			l.sampled++
			l.stands += 1 / chance[i]
		}
		switch {
		case c.Known && c.Genuine:
			l.genuine = append(l.genuine, c.Score)
		case c.Known:
			l.impostor = append(l.impostor, c.Score)
		}
	}
	if l.sampled > 0 {
		l.stands /= float64(l.sampled)
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

// chances says of each case with what chance a person has judged one like it. What
// the policy sends to people they see always. Of what it decides by itself they
// see the sampled share, less what is not judged yet; kinds are told apart by the
// outcome and by the share that they were drawn with.
func chances(cases []session.CaseScore) []float64 {
	type kind struct {
		machine policy.Outcome
		drawn   float64
	}
	drawn, judged := map[kind]int{}, map[kind]int{}
	for _, c := range cases {
		if c.Drawn > 0 {
			k := kind{c.Automatic, c.Drawn}
			if drawn[k]++; c.Judged {
				judged[k]++
			}
		}
	}
	out := make([]float64, len(cases))
	for i, c := range cases {
		out[i] = 1
		if c.Drawn > 0 {
			k := kind{c.Automatic, c.Drawn}
			out[i] = calibrate.Response(c.Drawn, drawn[k], judged[k])
		}
	}
	return out
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
	Low      float64   `json:"low"`
	High     float64   `json:"high"`
	All      []int     `json:"all"`
	Genuine  []float64 `json:"genuine"` // weights
	Impostor []float64 `json:"impostor"`
	Cases    int       `json:"cases"`
	// Genuines and Impostors are how many cases the known ones stand for.
	Genuines  float64 `json:"genuines"`
	Impostors float64 `json:"impostors"`
	// From is the policy's band, and Below how many cases lie below its bounds,
	// which need not be on a step.
	From  calibrate.Band `json:"from"`
	Below [2]int         `json:"below"`
}

func (l *lab) grid(low, high, step float64, from calibrate.Band) grid {
	g := grid{Low: low, High: high, Cases: len(l.cases), From: from}
	fmr, fnmr := l.Rates(low)
	g.Impostors, g.Genuines = tenth(fmr.Total), tenth(fnmr.Total)
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
		fmr, fnmr := l.Rates(t)
		g.Genuine = append(g.Genuine, tenth(fnmr.Errors))
		g.Impostor = append(g.Impostor, tenth(fmr.Total-fmr.Errors))
	}
	return g
}

// tenth keeps the page small.
func tenth(v float64) float64 { return math.Round(v*10) / 10 }

// onStep is the value of the slider's step nearest to v, as the form sends it.
func onStep(v, step float64) float64 {
	n := math.Round(1 / step)
	return math.Round(v*n) / n
}
