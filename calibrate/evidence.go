package calibrate

import "math"

// Logistic is a straight line from scores to log-likelihood ratios, fitted by
// logistic regression at equal prior odds (Brümmer and du Preez, "Application-
// independent evaluation of speaker detection", 2006). It rises with the score
// and so never turns the order of two scores around.
type Logistic struct {
	Offset float64 `json:"offset"`
	Slope  float64 `json:"slope"`
}

// FitLogistic fits genuine against impostor scores, each kind weighing half
// whatever its count. ok is false when a kind is missing or the fit does not
// rise.
func FitLogistic(genuine, impostor []float64) (l Logistic, ok bool) {
	if len(genuine) == 0 || len(impostor) == 0 {
		return l, false
	}
	// A ridge keeps the slope finite where the kinds do not overlap at all.
	const ridge, rounds = 1e-6, 100
	a, b := 0.0, 1.0
	for range rounds {
		ga, gb := 0.0, ridge*b
		haa, hab, hbb := ridge, 0.0, ridge
		for kind, scores := range [][]float64{impostor, genuine} {
			w := 0.5 / float64(len(scores))
			for _, s := range scores {
				p := 1 / (1 + math.Exp(-(a + b*s)))
				d, v := w*(p-float64(kind)), w*p*(1-p)
				ga, gb = ga+d, gb+d*s
				haa, hab, hbb = haa+v, hab+v*s, hbb+v*s*s
			}
		}
		det := haa*hbb - hab*hab
		if !(det > 1e-18) {
			break
		}
		da, db := (hbb*ga-hab*gb)/det, (haa*gb-hab*ga)/det
		// Far from the optimum Newton's step overshoots.
		step := math.Min(1, 5/math.Max(1, math.Abs(db)))
		a, b = a-step*da, b-step*db
		if math.Abs(da)+math.Abs(db) < 1e-9 {
			break
		}
	}
	if math.IsNaN(a) || math.IsNaN(b) || b <= 0 {
		return l, false
	}
	return Logistic{a, b}, true
}

// LLR is the base-10 logarithm of the likelihood ratio.
func (l Logistic) LLR(score float64) float64 { return (l.Offset + l.Slope*score) / math.Ln10 }

// Score is where the line reaches a log-likelihood ratio.
func (l Logistic) Score(llr float64) float64 { return (llr*math.Ln10 - l.Offset) / l.Slope }

// Cllr is the cost of log-likelihood ratios in bits (base-10 input): 0 for
// perfect evidence, 1 for evidence that says nothing, more for misleading one.
func Cllr(genuine, impostor []float64) float64 {
	var sum float64
	for kind, llrs := range [][]float64{impostor, genuine} {
		var part float64
		for _, x := range llrs {
			if kind == 1 {
				x = -x
			}
			part += math.Log2(1 + math.Pow(10, x))
		}
		sum += part / float64(len(llrs)) / 2
	}
	return sum
}
