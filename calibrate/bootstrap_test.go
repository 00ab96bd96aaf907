package calibrate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// people makes trials of n people with photos each, whose scores share a
// person's own difficulty.
func people(n, each int) []Trial {
	rng := rand.New(rand.NewPCG(1, 2))
	var out []Trial
	for p := range n {
		name := string(rune(0x4e00 + p))
		hard := rng.NormFloat64() * 0.2
		for range each {
			out = append(out, Trial{Score: 0.6 + hard + rng.NormFloat64()*0.05, Same: true, A: name, B: name})
		}
		other := string(rune(0x4e00 + (p+1)%n))
		out = append(out, Trial{Score: rng.NormFloat64() * 0.1, A: name, B: other})
	}
	return out
}

func TestTheSubjectIntervalIsWiderThanOneThatTakesPhotosForIndependent(t *testing.T) {
	ts := people(30, 20)
	fnmr := func(s *Scores) float64 { return s.FNMR(0.5).Value() }
	by := BySubject(ts, 300, 1, fnmr)
	naive := Of(ts).FNMR(0.5).Wilson()
	if by.High-by.Low < 1.5*(naive.High-naive.Low) {
		t.Errorf("by subject %+v, naive %+v", by, naive)
	}
	if v := fnmr(Of(ts)); v < by.Low || v > by.High {
		t.Errorf("estimate %v outside of %+v", v, by)
	}
}

func TestTheIntervalIsTheSameForTheSameSeed(t *testing.T) {
	ts := people(10, 5)
	auc := func(s *Scores) float64 { return s.AUC() }
	if a, b := BySubject(ts, 100, 7, auc), BySubject(ts, 100, 7, auc); a != b {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestOneSubjectGivesNoInterval(t *testing.T) {
	got := BySubject([]Trial{{Score: 1, Same: true, A: "a", B: "a"}}, 50, 1, (*Scores).AUC)
	if !math.IsNaN(got.Low) || !math.IsNaN(got.High) {
		t.Errorf("%+v", got)
	}
}
