package calibrate

import (
	"math"
	"math/rand/v2"
	"sort"
)

// RateIntervals are 95 % intervals at one threshold.
type RateIntervals struct {
	FMR, FNMR Interval
}

// RatesBySubject gives the intervals of both error rates at fixed thresholds by
// the same resampling of subjects as [BySubject], in one pass over the trials
// per round, so that it also serves for a million comparisons. Without two
// subjects the intervals are not a number.
func RatesBySubject(trials []Trial, thresholds []float64, rounds int, seed uint64) []RateIntervals {
	n := len(thresholds)
	out := make([]RateIntervals, n)
	order := make([]int, n) // thresholds in rising order
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(i, j int) bool { return thresholds[order[i]] < thresholds[order[j]] })
	rising := make([]float64, n)
	for i, o := range order {
		rising[i] = thresholds[o]
	}
	index := map[string]int{}
	at := func(who string) int {
		i, ok := index[who]
		if !ok {
			i = len(index)
			index[who] = i
		}
		return i
	}
	// Trials of the same people fall together: what counts is how many of them
	// lie above which thresholds.
	type key struct{ a, b, above int }
	counts := map[key]float64{}
	for _, t := range trials {
		above := sort.Search(n, func(i int) bool { return rising[i] > t.Score })
		if t.Failed || math.IsNaN(t.Score) {
			above = 0
		}
		a, b := at(t.A), at(t.B)
		if a > b {
			a, b = b, a
		}
		if !t.Same && a == b {
			continue
		}
		if t.Same {
			b = a
		}
		counts[key{a, b, above}]++
	}
	if len(index) < 2 {
		for i := range out {
			nan := Interval{math.NaN(), math.NaN()}
			out[i] = RateIntervals{nan, nan}
		}
		return out
	}
	type group struct {
		key
		n float64
	}
	groups := make([]group, 0, len(counts))
	for k, c := range counts {
		groups = append(groups, group{k, c})
	}
	// Sums of floats in map order would differ in the last digit.
	sort.Slice(groups, func(i, j int) bool {
		a, b := groups[i].key, groups[j].key
		if a.a != b.a {
			return a.a < b.a
		}
		if a.b != b.b {
			return a.b < b.b
		}
		return a.above < b.above
	})
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	drawn := make([]float64, len(index))
	fmr, fnmr := make([][]float64, n), make([][]float64, n)
	for range rounds {
		clear(drawn)
		for range len(drawn) {
			drawn[rng.IntN(len(drawn))]++
		}
		// by number of thresholds passed
		genuine, impostor := make([]float64, n+1), make([]float64, n+1)
		var allGenuine, allImpostor float64
		for _, g := range groups {
			if g.a == g.b {
				w := drawn[g.a] * g.n
				genuine[g.above] += w
				allGenuine += w
			} else {
				w := drawn[g.a] * drawn[g.b] * g.n
				impostor[g.above] += w
				allImpostor += w
			}
		}
		var under, over float64
		for i := range n {
			under += genuine[i]
			over += impostor[i]
			if allGenuine > 0 {
				fnmr[i] = append(fnmr[i], under/allGenuine)
			}
			if allImpostor > 0 {
				fmr[i] = append(fmr[i], 1-over/allImpostor)
			}
		}
	}
	for i, o := range order {
		out[o] = RateIntervals{middle95(fmr[i]), middle95(fnmr[i])}
	}
	return out
}

func middle95(values []float64) Interval {
	if len(values) == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	sort.Float64s(values)
	return Interval{quantile(values, 0.025), quantile(values, 0.975)}
}

// Pairs counts the different pairs of people among impostor trials: the number
// of comparisons that are independent as far as people go, which the rule of 3
// is about.
func Pairs(trials []Trial) int {
	seen := map[[2]string]bool{}
	for _, t := range trials {
		if !t.Same {
			seen[[2]string{min(t.A, t.B), max(t.A, t.B)}] = true
		}
	}
	return len(seen)
}
