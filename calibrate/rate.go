package calibrate

import (
	"fmt"
	"math"
)

// Rate is a number of errors among trials. Keeping both, rather than their
// quotient, is what allows to say how far it can be trusted.
type Rate struct {
	Errors int `json:"errors"`
	Trials int `json:"trials"`
}

// Value is the observed proportion; not-a-number without trials.
func (r Rate) Value() float64 { return float64(r.Errors) / float64(r.Trials) }

// Interval is a range that covers the true value with the confidence that its
// maker states.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// z95 is the two-sided 95 % quantile of the normal distribution.
const z95 = 1.959963984540054

// Wilson is the 95 % score interval of Wilson (1927), which stays inside 0 to
// 1 and is honest for small counts, unlike the usual ± formula. It assumes
// independent trials; comparisons that share people are not, so for them it is
// too narrow and BySubject is the better one. Without trials it is 0 to 1.
func (r Rate) Wilson() Interval {
	if r.Trials <= 0 {
		return Interval{0, 1}
	}
	return wilson(r.Value(), float64(r.Trials))
}

// wilson is the interval of a share p of n trials.
func wilson(p, n float64) Interval {
	d := 1 + z95*z95/n
	mid := (p + z95*z95/(2*n)) / d
	half := z95 / d * math.Sqrt(p*(1-p)/n+z95*z95/(4*n*n))
	return Interval{math.Max(0, mid-half), math.Min(1, mid+half)}
}

// RuleOf3 is the smallest error rate that this many independent trials can
// support at 95 % confidence: 3/N, reached when none of them is an error
// (ISO/IEC 19795-1, annex B). A claim below it is not proven by the data.
func (r Rate) RuleOf3() float64 {
	if r.Trials <= 0 {
		return 1
	}
	return math.Min(1, 3/float64(r.Trials))
}

// String is the rate with its interval, as tables print it.
func (r Rate) String() string {
	if r.Trials == 0 {
		return "no trials"
	}
	w := r.Wilson()
	return fmt.Sprintf("%.2f %% (%d/%d, 95 %% %.2f–%.2f %%)", 100*r.Value(), r.Errors, r.Trials, 100*w.Low, 100*w.High)
}
