package calibrate

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// A policy that approves from 0.6 shows people only what lies below. With a sample of
// one in fifty of what it approves, each standing for fifty, the error rates are
// those of all cases.
func TestASampleOfAutomaticDecisionsCorrectsTheRatesForWhatNobodySees(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	var all, seen, corrected []PastScore
	drawn, judged := 0, 0
	for range 60_000 {
		c := PastScore{Known: true, Chance: 1, Genuine: r.Float64() < 0.9}
		if c.Score = 0.45 + 0.12*r.NormFloat64(); c.Genuine {
			c.Score = 0.75 + 0.12*r.NormFloat64()
		}
		all = append(all, c)
		switch {
		case c.Score < 0.6:
			seen, corrected = append(seen, c), append(corrected, c)
		case r.Float64() < 0.02:
			if drawn++; r.Float64() < 0.8 { // some still wait
				judged++
				corrected = append(corrected, c)
			}
		}
	}
	for i, c := range corrected {
		if c.Score >= 0.6 {
			corrected[i].Chance = Response(0.02, drawn, judged)
		}
	}
	rates := func(cases []PastScore) (fmr, fnmr WeightedRate) {
		l, err := NewLab(cases)
		if err != nil {
			t.Fatal(err)
		}
		return l.Rates(0.6)
	}
	wantFMR, wantFNMR := rates(all)
	naive, naiveFNMR := rates(seen)
	fmr, fnmr := rates(corrected)
	if naive.Value() != 0 || naiveFNMR.Value() != 1 {
		t.Errorf("of what people see alone: %v, %v", naive.Value(), naiveFNMR.Value())
	}
	for name, x := range map[string][2]WeightedRate{"FMR": {fmr, wantFMR}, "FNMR": {fnmr, wantFNMR}} {
		if math.Abs(x[0].Value()-x[1].Value()) > 0.5*x[1].Value() {
			t.Errorf("%s %.4f, of all cases %.4f", name, x[0].Value(), x[1].Value())
		}
		if ci := x[0].Wilson(); x[1].Value() < ci.Low || x[1].Value() > ci.High {
			t.Errorf("%s %.4f lies outside %v", name, x[1].Value(), ci)
		}
	}
}

func TestFewCasesOfGreatWeightDoNotPassForMany(t *testing.T) {
	var cases []PastScore
	for i := range 400 {
		c := PastScore{Known: true, Score: float64(i%100) / 100, Chance: 1, Genuine: i%2 == 0}
		if i%20 == 1 {
			c.Chance = 0.01
		}
		cases = append(cases, c)
	}
	l, err := NewLab(cases)
	if err != nil {
		t.Fatal(err)
	}
	// 200 impostors, of which 20 weigh a hundred each: worth about 22 of equal weight.
	if _, err := l.ForFMR(0.02, 10, 1); !errors.Is(err, ErrThin) {
		t.Errorf("%v", err)
	}
	fmr, _ := l.Rates(0.5)
	if fmr.Effective > 30 || fmr.Total < 2000 {
		t.Errorf("%+v", fmr)
	}
}
