package calibrate

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func trials(genuine, impostor []float64) []Trial {
	var out []Trial
	for i, s := range genuine {
		who := string(rune('a' + i%26))
		out = append(out, Trial{Score: s, Same: true, A: who, B: who})
	}
	for i, s := range impostor {
		out = append(out, Trial{Score: s, A: string(rune('a' + i%26)), B: string(rune('A' + i%26))})
	}
	return out
}

func TestASeparatedSetHasNoErrorsBetweenTheTwoGroups(t *testing.T) {
	s := Of(trials([]float64{0.7, 0.8, 0.9}, []float64{0.1, 0.2, 0.3}))
	if s.AUC() != 1 || s.EER() != 0 {
		t.Errorf("AUC %v, EER %v", s.AUC(), s.EER())
	}
	if s.FMR(0.5).Errors != 0 || s.FNMR(0.5).Errors != 0 {
		t.Errorf("errors at 0.5: %v %v", s.FMR(0.5), s.FNMR(0.5))
	}
}

func TestAScoreExactlyAtTheThresholdMatches(t *testing.T) {
	s := Of(trials([]float64{0.5}, []float64{0.5}))
	if s.FMR(0.5).Errors != 1 || s.FNMR(0.5).Errors != 0 {
		t.Errorf("FMR %v, FNMR %v", s.FMR(0.5), s.FNMR(0.5))
	}
}

func TestAUCCountsTiesHalf(t *testing.T) {
	s := Of(trials([]float64{0.5, 0.5}, []float64{0.5, 0.5}))
	if s.AUC() != 0.5 {
		t.Errorf("AUC %v, want 0.5", s.AUC())
	}
	// By hand: wins of (3,5) over (1,3,4) are 1+½ and 3 of 6.
	s = Of(trials([]float64{3, 5}, []float64{1, 3, 4}))
	if want := 4.5 / 6; math.Abs(s.AUC()-want) > 1e-12 {
		t.Errorf("AUC %v, want %v", s.AUC(), want)
	}
}

func TestAFailedGenuineTrialIsANonMatchAndAFailedImpostorIsNoMatch(t *testing.T) {
	ts := append(trials([]float64{0.9}, []float64{0.1}),
		Trial{Same: true, Failed: true, A: "x", B: "x"}, Trial{Failed: true, A: "x", B: "y"}, Trial{Same: true, Score: math.NaN()})
	s := Of(ts)
	if got := s.FNMR(-1); got.Errors != 2 || got.Trials != 3 {
		t.Errorf("FNMR %v", got)
	}
	if got := s.FMR(-1); got.Errors != 1 || got.Trials != 2 {
		t.Errorf("FMR %v", got)
	}
	if got := s.Failures(); got.Errors != 3 || got.Trials != 5 {
		t.Errorf("failures %v", got)
	}
}

func TestTheThresholdForATargetKeepsToItAndSaysWhenTheDataIsTooSmall(t *testing.T) {
	impostor := make([]float64, 1000)
	for i := range impostor {
		impostor[i] = float64(i) / 1000
	}
	s := Of(trials([]float64{0.5, 2}, impostor))
	o, ok := s.AtFMR(1e-2)
	if !ok || o.FMR.Errors != 10 || !o.Supported {
		t.Errorf("at 1e-2: %+v", o)
	}
	o, _ = s.AtFMR(1e-4)
	if o.FMR.Errors != 0 || o.Supported || o.Threshold <= 0.999 {
		t.Errorf("at 1e-4 of 1000 trials: %+v", o)
	}
	if o.FNMR.Errors != 1 {
		t.Errorf("FNMR %v", o.FNMR)
	}
	if _, ok := Of(nil).AtFMR(1e-3); ok {
		t.Error("a threshold without data")
	}
}

func TestTiedImpostorScoresDoNotSlipPastTheTarget(t *testing.T) {
	s := Of(trials(nil, []float64{0.2, 0.9, 0.9, 0.9}))
	o, _ := s.AtFMR(0.25)
	if o.FMR.Errors != 0 {
		t.Errorf("%+v", o)
	}
}

func TestRatesAreMonotonicAlongTheCurve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := rapid.SliceOfN(rapid.Float64Range(-1, 1), 1, 40).Draw(t, "genuine")
		i := rapid.SliceOfN(rapid.Float64Range(-1, 1), 1, 40).Draw(t, "impostor")
		s := Of(trials(g, i))
		ps := s.DET()
		for k := 1; k < len(ps); k++ {
			if ps[k].Threshold <= ps[k-1].Threshold || ps[k].FMR > ps[k-1].FMR || ps[k].FNMR < ps[k-1].FNMR {
				t.Fatalf("point %d %+v after %+v", k, ps[k], ps[k-1])
			}
		}
		first, last := ps[0], ps[len(ps)-1]
		if first.FMR != 1 && first.FNMR != 0 || last.FMR != 0 || last.FNMR != 1 {
			t.Fatalf("ends %+v %+v", first, last)
		}
		if auc := s.AUC(); auc < 0 || auc > 1 {
			t.Fatalf("AUC %v", auc)
		}
		target := rapid.Float64Range(0, 1).Draw(t, "target")
		if o, _ := s.AtFMR(target); o.FMR.Value() > target+1e-9 {
			t.Fatalf("asked %v, got %+v", target, o)
		}
	})
}
