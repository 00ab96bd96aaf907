package capacity

import (
	"errors"
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Max(math.Abs(want), 1e-9) {
		t.Errorf("%s is %g, want %g", what, got, want)
	}
}

// Values of Erlang's C formula as tabled for call centres.
func TestErlangCGivesTheTabledProbabilities(t *testing.T) {
	near(t, "one server", ErlangC(1, 0.5), 0.5, 1e-9) // M/M/1: the load
	near(t, "two servers", ErlangC(2, 1), 1.0/3, 1e-9)
	near(t, "ten Erlangs on eleven", ErlangC(11, 10), 0.6821, 1e-3)
	if p := ErlangC(5000, 4900); p <= 0 || p >= 1 {
		t.Errorf("thousands of servers: %g", p)
	}
	if ErlangC(3, 3) != 1 || !math.IsInf(MeanWait(3, 3, Cost{ServiceSeconds: 1}), 1) {
		t.Error("an overload has a finite wait")
	}
}

func TestOneServerWaitsAsPollaczekAndKhinchineSay(t *testing.T) {
	// W = rho/(1-rho) * s * (1+cv²)/2
	near(t, "M/M/1", MeanWait(0.8, 1, Cost{ServiceSeconds: 1, ServiceCV: 1}), 4, 1e-9)
	near(t, "M/D/1", MeanWait(0.8, 1, Cost{ServiceSeconds: 1}), 2, 1e-9)
}

func TestTheSimulationAgreesWithTheFormula(t *testing.T) {
	for _, x := range []struct {
		rate    float64
		servers int
		cv      float64
	}{{0.7, 1, 1}, {0.8, 1, 0.3}, {1.6, 2, 0.4}, {6, 8, 0.4}, {58, 64, 0.5}} {
		c := Cost{ServiceSeconds: 1, ServiceCV: x.cv}
		s := Simulate(x.rate, x.servers, c, 400_000, 7)
		near(t, "mean wait", s.WaitMean, MeanWait(x.rate, x.servers, c), 0.12)
		near(t, "95th percentile", s.WaitP95, WaitQuantile(x.rate, x.servers, c, .95), 0.15)
		near(t, "use", s.Use, x.rate/float64(x.servers), 0.02)
		near(t, "decision", s.DecisionMean, s.WaitMean+1, 0.02)
	}
}

var cost = Cost{ServiceSeconds: 1.6, ServiceCV: 0.3, APISeconds: 0.25, WorkerMiB: 250, EvidenceMB: 1.5}

func TestAPlanHoldsItsTargetWithTheFewestWorkers(t *testing.T) {
	target := Target{Peak: 3, WaitSeconds: 10, CoresPerHost: 16, StorePerSecond: 200, RetainDays: 30}
	last := 0
	for _, n := range []float64{1e3, 1e4, 1e6, 1e7, 1e8} {
		p, err := For(n, cost, target)
		if err != nil {
			t.Fatal(err)
		}
		if p.WaitP95 > target.WaitSeconds*1.2 {
			t.Errorf("%g a day: 95th percentile of the wait %.1f s", n, p.WaitP95)
		}
		if p.Workers > 1 && WaitQuantile(p.PerSecond, p.Workers-1, cost, .95) <= target.WaitSeconds {
			t.Errorf("%g a day: one worker fewer would do", n)
		}
		if p.Workers < last || p.Use >= 1 || p.AddFirst == "" {
			t.Errorf("%+v", p)
		}
		last = p.Workers
	}
	small, _ := For(1e3, cost, target)
	large, _ := For(1e8, cost, target)
	if small.Hosts != 1 || small.Stores != 1 || large.Stores < 15 || large.EvidenceTB < 4000 {
		t.Errorf("%+v\n%+v", small, large)
	}
	near(t, "evidence", large.EvidenceTB, 1e8*30*1.5/1e6, 1e-9)
}

func TestAMeasurementThatIsNoneIsRefused(t *testing.T) {
	good := Target{Peak: 1, WaitSeconds: 1, CoresPerHost: 1, StorePerSecond: 1}
	for _, c := range []Cost{{}, {ServiceSeconds: math.NaN()}, {ServiceSeconds: -1}, {ServiceSeconds: 1, ServiceCV: -1}} {
		if _, err := For(1000, c, good); !errors.Is(err, ErrCost) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := For(0, cost, good); !errors.Is(err, ErrCost) {
		t.Error("no cases a day were planned for")
	}
	for name, change := range map[string]func(*Target){
		"peak below 1": func(t *Target) { t.Peak = 0.5 }, "no number": func(t *Target) { t.Peak = math.NaN() }, "no end": func(t *Target) { t.Peak = math.Inf(1) },
		"more than a day": func(t *Target) { t.Peak = 25 }, "no wait": func(t *Target) { t.WaitSeconds = 0 }, "a wait without end": func(t *Target) { t.WaitSeconds = math.Inf(1) },
		"no core": func(t *Target) { t.CoresPerHost = 0 }, "a store of nothing": func(t *Target) { t.StorePerSecond = math.NaN() }, "for ever": func(t *Target) { t.RetainDays = math.Inf(1) },
	} {
		bad := good
		change(&bad)
		if _, err := For(1000, cost, bad); !errors.Is(err, ErrTarget) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
