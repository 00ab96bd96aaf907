package calibrate

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestTheFitFindsTheLikelihoodRatioOfTwoNormals(t *testing.T) {
	// Equal variances: the log-likelihood ratio is the line (µ/σ²)(s − µ/2).
	rng := rand.New(rand.NewPCG(3, 4))
	var g, i []float64
	for range 20000 {
		g = append(g, 0.6+0.2*rng.NormFloat64())
		i = append(i, 0.2*rng.NormFloat64())
	}
	l, ok := FitLogistic(g, i[:5000])
	if !ok || math.Abs(l.Slope-15) > 0.8 || math.Abs(l.Offset+4.5) > 0.3 {
		t.Fatalf("%+v, want slope 15 and offset -4.5", l)
	}
	if at := l.Score(0); math.Abs(at-0.3) > 0.01 {
		t.Errorf("even odds at %v, want 0.3", at)
	}
	llrs := func(s []float64) []float64 {
		var out []float64
		for _, x := range s {
			out = append(out, l.LLR(x))
		}
		return out
	}
	if c := Cllr(llrs(g), llrs(i)); c < 0.05 || c > 0.35 {
		t.Errorf("Cllr %v", c)
	}
	if c := Cllr([]float64{0, 0}, []float64{0}); c != 1 {
		t.Errorf("evidence that says nothing costs %v bits", c)
	}
}

func TestScoresThatDoNotOverlapStillGiveAFiniteLine(t *testing.T) {
	l, ok := FitLogistic([]float64{0.9, 0.8}, []float64{0.1, 0})
	if !ok || math.IsInf(l.Slope, 0) || l.LLR(0.9) <= 0 || l.LLR(0) >= 0 {
		t.Errorf("%+v %v", l, ok)
	}
	if _, ok := FitLogistic([]float64{0, 0.1}, []float64{0.8, 0.9}); ok {
		t.Error("a falling line was accepted")
	}
	if _, ok := FitLogistic(nil, []float64{1}); ok {
		t.Error("a line from nothing")
	}
}
