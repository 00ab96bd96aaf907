package calibrate

import (
	"math"
	"math/rand/v2"
	"sort"
)

// BySubject gives the 95 % percentile interval of a statistic by resampling
// subjects with replacement, rounds times, with a fixed seed so that a report
// can be made again.
//
// Comparisons of the same person are not independent: ten photos of one face
// that is easily confused fail together. Resampling people keeps them
// together. A comparison of two people enters as often as the product of both
// people's draws says (the two-way bootstrap of Poh and Bengio, 2007; for
// genuine comparisons, as often as the person was drawn). Rounds in which the
// statistic is not a number, such as a draw without impostors, are left out;
// if none is left, or there are fewer than two subjects, the interval is not a
// number.
func BySubject(trials []Trial, rounds int, seed uint64, statistic func(*Scores) float64) Interval {
	index := map[string]int{}
	for _, t := range trials {
		for _, who := range []string{t.A, t.B} {
			if _, ok := index[who]; !ok {
				index[who] = len(index)
			}
		}
	}
	if len(index) < 2 {
		return Interval{math.NaN(), math.NaN()}
	}
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	var values []float64
	drawn := make([]int, len(index))
	for range rounds {
		clear(drawn)
		for range len(drawn) {
			drawn[rng.IntN(len(drawn))]++
		}
		var sample []Trial
		for _, t := range trials {
			times := drawn[index[t.A]]
			if t.A != t.B {
				times *= drawn[index[t.B]]
			}
			for range times {
				sample = append(sample, t)
			}
		}
		if v := statistic(Of(sample)); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	sort.Float64s(values)
	return Interval{quantile(values, 0.025), quantile(values, 0.975)}
}

// quantile interpolates linearly between the order statistics of sorted values.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(math.Floor(at))
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	f := at - float64(i)
	return sorted[i]*(1-f) + sorted[i+1]*f
}
