package calibrate

import (
	"math"
	"testing"
)

func TestRatesBySubjectAgreeWithTheGeneralResampling(t *testing.T) {
	ts := people(30, 20)
	got := RatesBySubject(ts, []float64{0.5, 0.1}, 400, 1)
	for i, at := range []float64{0.5, 0.1} {
		fnmr := BySubject(ts, 400, 1, func(s *Scores) float64 { return s.FNMR(at).Value() })
		fmr := BySubject(ts, 400, 1, func(s *Scores) float64 { return s.FMR(at).Value() })
		for _, c := range [][2]float64{{got[i].FNMR.Low, fnmr.Low}, {got[i].FNMR.High, fnmr.High}, {got[i].FMR.Low, fmr.Low}, {got[i].FMR.High, fmr.High}} {
			if math.Abs(c[0]-c[1]) > 1e-9 {
				t.Errorf("at %v: %+v, want %+v and %+v", at, got[i], fmr, fnmr)
			}
		}
	}
}

func TestPairsCountPeopleNotPhotos(t *testing.T) {
	if n := Pairs([]Trial{{A: "a", B: "b"}, {A: "b", B: "a"}, {A: "a", B: "c"}, {A: "a", B: "a", Same: true}}); n != 2 {
		t.Errorf("%d pairs, want 2", n)
	}
	if r := RatesBySubject([]Trial{{Same: true, A: "a", B: "a"}}, []float64{0.5}, 10, 1); !math.IsNaN(r[0].FNMR.Low) {
		t.Errorf("an interval from one person: %+v", r)
	}
}
