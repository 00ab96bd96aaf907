package calibrate

import (
	"math"
	"sort"
)

// WeightedRate is a share of weighted cases: Errors and Total are sums of weights,
// Effective is how many equally weighted cases tell as much.
type WeightedRate struct{ Errors, Total, Effective float64 }

// Value is the share; not-a-number of nothing.
func (r WeightedRate) Value() float64 { return share(r.Errors, r.Total) }

// Wilson is the 95 % score interval at the effective number of cases.
func (r WeightedRate) Wilson() Interval {
	if !(r.Effective > 0) {
		return Interval{0, 1}
	}
	return wilson(r.Value(), r.Effective)
}

// rate is the share of scores below t. Its effective number of cases is the one at
// which the share would vary as much as the weighted one does (linearised variance
// of a ratio, Särndal et al. 1992, section 5.6).
func (w weighted) rate(t float64, above bool) WeightedRate {
	i := sort.SearchFloat64s(w.scores, t)
	r := WeightedRate{Errors: w.sums[i], Total: w.total(), Effective: w.effective()}
	wrong, all := w.squares[i], w.squares[w.n]
	if above {
		r.Errors, wrong = r.Total-r.Errors, all-wrong
	}
	p := r.Value()
	if v := ((1-p)*(1-p)*wrong + p*p*(all-wrong)) / (r.Total * r.Total); v > 0 && p > 0 && p < 1 {
		r.Effective = math.Min(float64(w.n), p*(1-p)/v)
	}
	return r
}

// Rates are the two error rates of one threshold for both sides: impostors at or
// above it, and genuine ones below it.
func (l *Lab) Rates(t float64) (fmr, fnmr WeightedRate) {
	return l.impostor.rate(t, true), l.genuine.rate(t, false)
}

// Response is the chance with which a case is drawn and judged, where of so many
// drawn ones of its kind so many were judged. Those that still wait, or whose
// pictures were gone, are taken to be like the others of the kind.
func Response(chance float64, drawn, judged int) float64 {
	if drawn <= 0 || judged <= 0 {
		return chance
	}
	return chance * math.Min(1, float64(judged)/float64(drawn))
}
