package calibrate

import (
	"errors"
	"math"
	"slices"
	"sort"
)

// Drift compares a stream of scores with the one that thresholds were set on.
type Drift struct {
	// PSI is the population stability index over ten bins that hold equal shares
	// of the baseline. Below 0.1 is read as stable, above 0.25 as moved: a habit of
	// credit scoring, not a test.
	PSI float64 `json:"psi"`
	// KS is the largest distance of the two distribution functions, P the
	// probability of a larger one by chance (Kolmogorov and Smirnov, two-sided,
	// asymptotic).
	KS float64 `json:"ks"`
	P  float64 `json:"p"`
	// Counts of scores.
	Baseline, Recent int
}

// Moved reports whether the streams differ by more than chance and by an amount
// that matters: with many scores any difference is significant, with few a large
// PSI is chance.
func (d Drift) Moved() bool { return d.P < 0.01 && d.PSI > 0.25 }

// psiBins of the baseline.
const psiBins = 10

// DriftOf compares recent scores with a baseline; each needs at least 100.
func DriftOf(baseline, recent []float64) (Drift, error) {
	if len(baseline) < 100 || len(recent) < 100 {
		return Drift{}, ErrThin
	}
	if slices.ContainsFunc(slices.Concat(baseline, recent), math.IsNaN) {
		return Drift{}, errors.New("a score is no number")
	}
	a, b := slices.Sorted(slices.Values(baseline)), slices.Sorted(slices.Values(recent))
	d := Drift{Baseline: len(a), Recent: len(b)}
	low := math.Inf(-1)
	for i := 1; i <= psiBins; i++ {
		high := math.Inf(1)
		if i < psiBins {
			high = quantile(a, float64(i)/psiBins)
		}
		if high == low {
			continue // many equal scores: the bins fall together
		}
		p, q := within(a, low, high), within(b, low, high)
		// Half a case in an empty bin keeps the logarithm finite.
		p, q = math.Max(p, 0.5/float64(len(a))), math.Max(q, 0.5/float64(len(b)))
		d.PSI += (q - p) * math.Log(q/p)
		low = high
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		x := math.Min(a[i], b[j])
		for i < len(a) && a[i] == x {
			i++
		}
		for j < len(b) && b[j] == x {
			j++
		}
		d.KS = math.Max(d.KS, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	n := math.Sqrt(float64(len(a)) * float64(len(b)) / float64(len(a)+len(b)))
	d.P = kolmogorov((n + 0.12 + 0.11/n) * d.KS)
	return d, nil
}

// within is the share of sorted scores in [low, high).
func within(sorted []float64, low, high float64) float64 {
	return float64(sort.SearchFloat64s(sorted, high)-sort.SearchFloat64s(sorted, low)) / float64(len(sorted))
}

// kolmogorov is the probability that the Kolmogorov distribution exceeds x.
func kolmogorov(x float64) float64 {
	if x < 0.2 {
		return 1 // the series converges slowly, to 1
	}
	p := 0.0
	for k := 1.0; k <= 100; k++ {
		term := math.Exp(-2 * k * k * x * x)
		if int(k)%2 == 0 {
			term = -term
		}
		p += 2 * term
	}
	return math.Min(1, math.Max(0, p))
}

// Kappa is the agreement of two people beyond chance (Cohen 1960).
type Kappa struct {
	Cases    int      `json:"cases"`
	Agreed   int      `json:"agreed"`
	Kappa    float64  `json:"kappa"` // not-a-number when chance alone would agree on all
	Interval Interval `json:"interval"`
}

// Agreement compares two decisions on each of the cases. The interval is Cohen's
// large-sample one; with few cases it is wide, which is what it says.
func Agreement[T comparable](first, second []T) (Kappa, error) {
	if len(first) != len(second) {
		return Kappa{}, errors.New("the two people decided different numbers of cases")
	}
	if len(first) == 0 {
		return Kappa{Kappa: math.NaN(), Interval: Interval{math.NaN(), math.NaN()}}, nil
	}
	k := Kappa{Cases: len(first)}
	a, b := map[T]float64{}, map[T]float64{}
	for i := range first {
		a[first[i]]++
		b[second[i]]++
		if first[i] == second[i] {
			k.Agreed++
		}
	}
	n := float64(k.Cases)
	observed, chance := float64(k.Agreed)/n, 0.0
	for c, na := range a {
		chance += na / n * b[c] / n
	}
	k.Kappa = (observed - chance) / (1 - chance)
	half := z95 * math.Sqrt(observed*(1-observed)/(n*(1-chance)*(1-chance)))
	k.Interval = Interval{math.Max(-1, k.Kappa-half), math.Min(1, k.Kappa+half)}
	return k, nil
}
