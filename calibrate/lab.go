package calibrate

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
)

// PastScore is a decided case as the threshold lab sees it: the score that one
// measure gave, and what a person found out, if anyone looked.
type PastScore struct {
	Score float64
	// Known: a person decided. Genuine is that verdict.
	Known, Genuine bool
	// Chance is the probability with which a case like this one is looked at by a
	// person: 1 for what a policy always sends to review, the sampled share for
	// cases that are checked blindly. Cases that are never looked at teach nothing
	// about themselves, whatever their number (selective labels), so the known
	// ones stand for them with the weight 1/Chance (Horvitz and Thompson 1952).
	Chance float64
}

// Lab answers what-if questions about thresholds over past cases. Making it
// sorts once; each question is a search.
type Lab struct {
	all      []float64 // scores of all cases, sorted
	genuine  weighted
	impostor weighted
	cases    []PastScore // the known ones
}

// weighted is a set of sorted scores with running sums of their weights.
type weighted struct {
	scores   []float64
	sums     []float64 // sums[i]: weight of the first i scores
	squares  []float64 // the same of the weights' squares
	heaviest float64
	n        int
}

func weigh(cases []PastScore, genuine bool) weighted {
	var own []PastScore
	for _, c := range cases {
		if c.Known && c.Genuine == genuine {
			own = append(own, c)
		}
	}
	slices.SortFunc(own, func(a, b PastScore) int {
		if a.Score < b.Score {
			return -1
		} else if a.Score > b.Score {
			return 1
		}
		return 0
	})
	w := weighted{scores: make([]float64, len(own)), sums: make([]float64, len(own)+1), squares: make([]float64, len(own)+1), n: len(own)}
	for i, c := range own {
		x := 1 / c.Chance
		w.scores[i], w.sums[i+1], w.squares[i+1] = c.Score, w.sums[i]+x, w.squares[i]+x*x
		w.heaviest = math.Max(w.heaviest, x)
	}
	return w
}

func (w weighted) total() float64 { return w.sums[w.n] }

// effective is how many equally weighted cases tell at least as much of an error
// that was not seen: it may hide among the heaviest. Ten that stand for a hundred
// each and a thousand that stand for themselves are worth 20.
func (w weighted) effective() float64 {
	if w.n == 0 {
		return 0
	}
	return w.total() / w.heaviest
}

// worth says what unequal weights cost.
func (w weighted) worth() string {
	if e := w.effective(); e < 0.95*float64(w.n) {
		return fmt.Sprintf(", worth %.0f of equal weight", e)
	}
	return ""
}

// below is the weight of scores under t.
func (w weighted) below(t float64) float64 { return w.sums[sort.SearchFloat64s(w.scores, t)] }

// share is a part of the whole; NaN of nothing.
func share(part, whole float64) float64 {
	if whole == 0 {
		return math.NaN()
	}
	return part / whole
}

// NewLab takes past cases. It refuses scores that are no numbers and chances
// outside (0, 1].
func NewLab(cases []PastScore) (*Lab, error) {
	l := &Lab{all: make([]float64, len(cases))}
	for i, c := range cases {
		if math.IsNaN(c.Score) || math.IsInf(c.Score, 0) {
			return nil, fmt.Errorf("case %d: the score is no number", i)
		}
		if c.Known {
			if !(c.Chance > 0 && c.Chance <= 1) {
				return nil, fmt.Errorf("case %d: the chance of a review must be above 0 and at most 1", i)
			}
			l.cases = append(l.cases, c)
		}
		l.all[i] = c.Score
	}
	sort.Float64s(l.all)
	l.genuine, l.impostor = weigh(l.cases, true), weigh(l.cases, false)
	return l, nil
}

// Band is a pair of thresholds: below Reject a case is rejected, from Approve on
// it is approved, and what lies between goes to a person.
type Band struct {
	Reject  float64 `json:"reject"`
	Approve float64 `json:"approve"`
}

// Effect is what a band does to the past cases.
type Effect struct {
	Band
	Approved, Rejected, Reviewed int     // cases
	FMR                          float64 // estimated share of impostors that are approved
	FNMR                         float64 // estimated share of genuine ones that are rejected
	ReviewLoad                   float64 // share of all cases that goes to a person
}

// WhatIf says what a band would have done.
func (l *Lab) WhatIf(b Band) Effect {
	low, high := sort.SearchFloat64s(l.all, b.Reject), sort.SearchFloat64s(l.all, b.Approve)
	high = max(low, high)
	n := len(l.all)
	return Effect{Band: b, Approved: n - high, Rejected: low, Reviewed: high - low,
		FMR:        share(l.impostor.total()-l.impostor.below(b.Approve), l.impostor.total()),
		FNMR:       share(l.genuine.below(b.Reject), l.genuine.total()),
		ReviewLoad: share(float64(high-low), float64(n))}
}

// Flips counts the cases that end otherwise under another band.
func (l *Lab) Flips(from, to Band) int {
	side := func(b Band, s float64) int {
		switch {
		case s < b.Reject:
			return -1
		case s >= b.Approve:
			return 1
		}
		return 0
	}
	// Only scores between the outermost bounds can flip.
	bounds := []float64{from.Reject, from.Approve, to.Reject, to.Approve}
	i := sort.SearchFloat64s(l.all, slices.Min(bounds))
	n := 0
	for ; i < len(l.all) && l.all[i] <= slices.Max(bounds); i++ {
		if side(from, l.all[i]) != side(to, l.all[i]) {
			n++
		}
	}
	return n
}

// Histogram counts scores in so many bins of equal width between the lowest and
// the highest: genuine, impostor and unknown ones.
func (l *Lab) Histogram(bins int) (edges []float64, genuine, impostor, unknown []int) {
	genuine, impostor, unknown = make([]int, bins), make([]int, bins), make([]int, bins)
	edges = make([]float64, bins+1)
	if len(l.all) == 0 || bins < 1 {
		return edges, genuine, impostor, unknown
	}
	lo, hi := l.all[0], l.all[len(l.all)-1]
	width := (hi - lo) / float64(bins)
	for i := range edges {
		edges[i] = lo + float64(i)*width
	}
	count := func(into []int, scores []float64) {
		for _, s := range scores {
			b := bins - 1
			if width > 0 {
				b = min(bins-1, int((s-lo)/width))
			}
			into[b]++
		}
	}
	count(genuine, l.genuine.scores)
	count(impostor, l.impostor.scores)
	count(unknown, l.all)
	for i := range unknown {
		unknown[i] -= genuine[i] + impostor[i]
	}
	return edges, genuine, impostor, unknown
}

// ErrThin refuses a recommendation that the data can not carry.
var ErrThin = errors.New("too little data for a recommendation")

// MinPerClass is the least number of known genuine and of known impostor cases
// that a recommendation rests on. Below it the interval of a rate of 10 % is
// wider than the rate itself.
const MinPerClass = 50

// Recommendation is a threshold with its 95 % interval, by bootstrap over cases.
type Recommendation struct {
	Threshold float64  `json:"threshold"`
	Interval  Interval `json:"interval"`
	FMR       float64  `json:"fmr"`
	FNMR      float64  `json:"fnmr"`
	Genuine   int      `json:"genuine"` // known cases it rests on
	Impostor  int      `json:"impostor"`
}

// ForFMR recommends the threshold whose estimated FMR is at most the target. It
// refuses targets that so few impostors can not show (rule of 3).
func (l *Lab) ForFMR(target float64, rounds int, seed uint64) (Recommendation, error) {
	if !(target > 0 && target < 1) {
		return Recommendation{}, errors.New("the target must be above 0 and below 1")
	}
	if need := int(math.Ceil(3 / target)); l.impostor.effective() < float64(need)-1e-6 {
		return Recommendation{}, fmt.Errorf("%w: a false match rate of %g shows in no less than %d known impostor cases, here are %d%s", ErrThin, target, need, l.impostor.n, l.impostor.worth())
	}
	return l.recommend(rounds, seed, func(_, impostor weighted) float64 {
		allowed := target * impostor.total()
		// The lowest threshold that leaves at most the allowed weight above it.
		i := sort.Search(impostor.n, func(i int) bool { return impostor.total()-impostor.sums[i] <= allowed })
		if i == 0 {
			return impostor.scores[0]
		}
		return math.Nextafter(impostor.scores[i-1], math.Inf(1))
	})
}

// Costs weighs the two errors; what matters is their ratio.
type Costs struct {
	FalseMatch    float64 `json:"false_match"`
	FalseNonMatch float64 `json:"false_non_match"`
}

// ForCosts recommends the threshold with the least expected cost for the mix of
// genuine and impostor cases that the data shows.
func (l *Lab) ForCosts(c Costs, rounds int, seed uint64) (Recommendation, error) {
	if !(c.FalseMatch > 0 && c.FalseNonMatch > 0) {
		return Recommendation{}, errors.New("both costs must be above 0")
	}
	return l.recommend(rounds, seed, func(genuine, impostor weighted) float64 {
		best, least := math.Inf(1), math.Inf(1)
		last := 0.0
		flat := 0 // of thresholds with the same cost the middle is taken
		for _, t := range slices.Sorted(slices.Values(slices.Concat(genuine.scores, impostor.scores))) {
			cost := c.FalseMatch*(impostor.total()-impostor.below(t)) + c.FalseNonMatch*genuine.below(t)
			switch {
			case cost < least:
				least, best, last, flat = cost, t, t, 1
			case cost == least && flat > 0:
				last = t
			default:
				flat = 0
			}
		}
		return (best + last) / 2
	})
}

func (l *Lab) recommend(rounds int, seed uint64, threshold func(genuine, impostor weighted) float64) (Recommendation, error) {
	if l.genuine.n < MinPerClass || l.impostor.n < MinPerClass {
		return Recommendation{}, fmt.Errorf("%w: %d genuine and %d impostor cases were decided by people, %d of each are needed", ErrThin, l.genuine.n, l.impostor.n, MinPerClass)
	}
	t := threshold(l.genuine, l.impostor)
	r := rand.New(rand.NewPCG(seed, 0))
	drawn := make([]float64, 0, rounds)
	sample := make([]PastScore, len(l.cases))
	for range rounds {
		for i := range sample {
			sample[i] = l.cases[r.IntN(len(l.cases))]
		}
		g, im := weigh(sample, true), weigh(sample, false)
		if g.n > 0 && im.n > 0 {
			drawn = append(drawn, threshold(g, im))
		}
	}
	slices.Sort(drawn)
	e := l.WhatIf(Band{t, t})
	return Recommendation{Threshold: t, Interval: Interval{Low: quantile(drawn, 0.025), High: quantile(drawn, 0.975)},
		FMR: e.FMR, FNMR: e.FNMR, Genuine: l.genuine.n, Impostor: l.impostor.n}, nil
}
