package calibrate

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// planted draws cases whose best thresholds are known: genuine scores around 0.6,
// impostors around 0.2, both with a standard deviation of 0.1.
func planted(n int, seed uint64) []PastScore {
	r := rand.New(rand.NewPCG(seed, 1))
	cases := make([]PastScore, n)
	for i := range cases {
		genuine := i%2 == 0
		mean := 0.2
		if genuine {
			mean = 0.6
		}
		cases[i] = PastScore{Score: mean + 0.1*r.NormFloat64(), Known: true, Genuine: genuine, Chance: 1}
	}
	return cases
}

func lab(t testing.TB, cases []PastScore) *Lab {
	t.Helper()
	l, err := NewLab(cases)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestTheLabRecoversAPlantedThresholdWithinItsInterval(t *testing.T) {
	covered := 0
	const worlds = 20
	for seed := range uint64(worlds) {
		l := lab(t, planted(2000, seed))
		byCost, err := l.ForCosts(Costs{1, 1}, 200, seed)
		if err != nil {
			t.Fatal(err)
		}
		byFMR, err := l.ForFMR(0.01, 200, seed)
		if err != nil {
			t.Fatal(err)
		}
		// Equal costs, equal shares: halfway, 0.4. FMR 1 %: 2.326 standard
		// deviations above the impostors, 0.4326.
		for _, r := range []struct {
			got  Recommendation
			want float64
		}{{byCost, 0.4}, {byFMR, 0.4326}} {
			if math.Abs(r.got.Threshold-r.want) > 0.08 {
				t.Errorf("seed %d: %+v, want %v", seed, r.got, r.want)
			}
			if r.got.Interval.Low <= r.want && r.want <= r.got.Interval.High {
				covered++
			}
		}
		if byFMR.FMR > 0.01 {
			t.Errorf("the recommended threshold misses its target: %v", byFMR.FMR)
		}
	}
	if covered < 2*worlds*8/10 {
		t.Errorf("the intervals hold the planted threshold in %d of %d", covered, 2*worlds)
	}
}

func TestTheLabRefusesWhenDataIsTooThin(t *testing.T) {
	l := lab(t, planted(20, 1))
	if _, err := l.ForCosts(Costs{1, 1}, 10, 1); !errors.Is(err, ErrThin) {
		t.Error(err)
	}
	if _, err := l.ForFMR(0.1, 10, 1); !errors.Is(err, ErrThin) {
		t.Error(err)
	}
	// A thousand impostors can not show 1 in 10 000.
	if _, err := lab(t, planted(2000, 1)).ForFMR(1e-4, 10, 1); !errors.Is(err, ErrThin) {
		t.Error(err)
	}
	if _, err := NewLab([]PastScore{{Score: math.NaN()}}); err == nil {
		t.Error("a score that is no number was taken")
	}
	if _, err := NewLab([]PastScore{{Known: true}}); err == nil {
		t.Error("a verdict without its chance was taken")
	}
}

// When people look at all uncertain cases but only at a twentieth of the others,
// the known cases alone show far too high error rates near the threshold; with
// their weights the estimate is that of all cases.
func TestOnlySomeCasesBeingReviewedDoesNotBiasTheEstimate(t *testing.T) {
	all := planted(40_000, 3)
	r := rand.New(rand.NewPCG(4, 4))
	some := make([]PastScore, len(all))
	for i, c := range all {
		c.Chance = 0.05
		if c.Score > 0.3 && c.Score < 0.5 {
			c.Chance = 1
		}
		c.Known = r.Float64() < c.Chance
		some[i] = c
	}
	b := Band{0.4, 0.4}
	truth, corrected := lab(t, all).WhatIf(b), lab(t, some).WhatIf(b)
	for i := range some {
		some[i].Chance = 1
	}
	naive := lab(t, some).WhatIf(b)
	if math.Abs(corrected.FMR-truth.FMR) > 0.25*truth.FMR || math.Abs(corrected.FNMR-truth.FNMR) > 0.25*truth.FNMR {
		t.Errorf("corrected %v %v, truth %v %v", corrected.FMR, corrected.FNMR, truth.FMR, truth.FNMR)
	}
	if naive.FMR < 2*truth.FMR {
		t.Errorf("the test shows nothing: naive %v, truth %v", naive.FMR, truth.FMR)
	}
	if corrected.Approved != truth.Approved || corrected.Approved+corrected.Rejected+corrected.Reviewed != len(all) {
		t.Errorf("%+v", corrected)
	}
}

func TestWhatIfCountsFlipsAndReviewLoad(t *testing.T) {
	var cases []PastScore
	for i := range 100 {
		cases = append(cases, PastScore{Score: float64(i) / 100, Known: i%10 == 0, Genuine: i >= 50, Chance: 0.1})
	}
	l := lab(t, cases)
	e := l.WhatIf(Band{0.3, 0.7})
	if e.Rejected != 30 || e.Reviewed != 40 || e.Approved != 30 || e.ReviewLoad != 0.4 || e.FMR != 0 || e.FNMR != 0 {
		t.Errorf("%+v", e)
	}
	if n := l.Flips(Band{0.3, 0.7}, Band{0.25, 0.7}); n != 5 {
		t.Errorf("%d flips", n)
	}
	if n := l.Flips(Band{0.3, 0.7}, Band{0.3, 0.7}); n != 0 {
		t.Errorf("%d flips of nothing", n)
	}
	_, genuine, impostor, unknown := l.Histogram(10)
	if genuine[9] != 1 || impostor[0] != 1 || unknown[0] != 9 {
		t.Errorf("%v %v %v", genuine, impostor, unknown)
	}
}

func TestDriftIsSeenWhenScoresMoveAndNotWhenTheyDoNot(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	draw := func(n int, mean float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = mean + 0.1*r.NormFloat64()
		}
		return out
	}
	alarms := 0
	for range 200 {
		d, err := DriftOf(draw(2000, 0.5), draw(500, 0.5))
		if err != nil {
			t.Fatal(err)
		}
		if d.Moved() {
			alarms++
		}
	}
	if alarms > 0 {
		t.Errorf("%d of 200 still streams raised an alarm", alarms)
	}
	d, err := DriftOf(draw(2000, 0.5), draw(500, 0.42))
	if err != nil || !d.Moved() {
		t.Errorf("%+v %v", d, err)
	}
	// Half of the mass in one value: bins fall together, nothing divides by zero.
	same := make([]float64, 300)
	if d, err := DriftOf(same, same); err != nil || d.Moved() || math.IsNaN(d.PSI) {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := DriftOf(same[:50], same); !errors.Is(err, ErrThin) {
		t.Error(err)
	}
}

func TestAgreementIsCountedBeyondChance(t *testing.T) {
	// The example of Cohen's paper shape: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no.
	var a, b []string
	for _, c := range []struct {
		x, y string
		n    int
	}{{"y", "y", 20}, {"y", "n", 5}, {"n", "y", 10}, {"n", "n", 15}} {
		for range c.n {
			a, b = append(a, c.x), append(b, c.y)
		}
	}
	k, err := Agreement(a, b)
	if err != nil || math.Abs(k.Kappa-0.4) > 1e-9 || k.Agreed != 35 || k.Interval.Low > 0.2 || k.Interval.High < 0.6 {
		t.Errorf("%+v %v", k, err)
	}
	if k, _ := Agreement([]int{1, 1}, []int{1, 1}); !math.IsNaN(k.Kappa) {
		t.Errorf("%+v", k)
	}
	if _, err := Agreement([]int{1}, nil); err == nil {
		t.Error("different lengths")
	}
}

func BenchmarkWhatIfOver100000Cases(b *testing.B) {
	l := lab(b, planted(100_000, 9))
	i := 0
	for b.Loop() {
		t := 0.3 + float64(i%100)/1000
		l.WhatIf(Band{t, t + 0.1})
		l.Flips(Band{0.35, 0.45}, Band{t, t + 0.1})
		i++
	}
}
