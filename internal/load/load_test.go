package load

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAMixIsSpreadEvenlyOverEachRound(t *testing.T) {
	m, err := ParseMix("passport=6, id_card=2,refused=1")
	if err != nil {
		t.Fatal(err)
	}
	seq := m.Sequence()
	count := map[string]int{}
	for _, k := range seq {
		count[k]++
	}
	if len(seq) != 9 || count[Passport] != 6 || count[IDCard] != 2 || count[Refused] != 1 {
		t.Errorf("%v", seq)
	}
	if slices.Index(seq, IDCard) > 4 {
		t.Errorf("the first half has no card: %v", seq)
	}
	if m.String() != "passport=6,id_card=2,refused=1" {
		t.Error(m.String())
	}
	for _, bad := range []string{"", "passport", "passport=x", "passport=0", "passport=-1", "visa=1", "passport=1,passport=2"} {
		if _, err := ParseMix(bad); err == nil {
			t.Errorf("%q is taken for a mix", bad)
		}
	}
}

func TestQuantilesAreSamplesThatOccurred(t *testing.T) {
	var s []time.Duration
	for i := range 100 {
		s = append(s, time.Duration(i+1)*time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0: 1, .5: 50, .95: 95, .99: 99, 1: 100} {
		if got := Quantile(s, q); got != want*time.Millisecond {
			t.Errorf("quantile %g is %v", q, got)
		}
	}
	l := summary(Upload, []time.Duration{100 * time.Millisecond, 300 * time.Millisecond})
	if l.MeanMS != 200 || l.P50MS != 100 || l.MaxMS != 300 || l.CV < 0.70 || l.CV > 0.71 {
		t.Errorf("%+v", l)
	}
}

// The server stalls for ten seconds while people go on coming: with only the
// time of each request the median would look untouched.
func TestTheOpenLoopCountsTheWaitBehindAStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := NewRecorder()
		busy := make(chan struct{}, 1)
		began := time.Now()
		play := func(_ context.Context, n int, intended time.Time) (string, error) {
			busy <- struct{}{}
			defer func() { <-busy }()
			sent := time.Now()
			if n == 10 {
				time.Sleep(10 * time.Second)
			}
			time.Sleep(10 * time.Millisecond)
			rec.Step(Create, time.Since(sent)) // what a naive generator would report
			rec.Step(Whole, time.Since(intended))
			return "approved", nil
		}
		// Ten people a second; at most four open, so most wait in the generator.
		res, err := Run(t.Context(), Plan{Cases: 100, PerMinute: 600, Even: true, MaxOpen: 4}, rec, play, nil)
		if err != nil || res.Cases != 100 || res.MaxInFlight > 4 {
			t.Fatalf("%+v, %v", res, err)
		}
		by := map[string]Latency{}
		for _, l := range res.Latencies {
			by[l.Step] = l
		}
		if by[Create].P95MS > 20 {
			t.Errorf("naive 95th percentile %.0f ms", by[Create].P95MS)
		}
		if by[Whole].P50MS < 3000 || by[Whole].MaxMS < 9900 {
			t.Errorf("the stall is hidden: median %.0f ms, most %.0f ms", by[Whole].P50MS, by[Whole].MaxMS)
		}
		if wall := time.Since(began); wall < 10*time.Second || wall > 21*time.Second {
			t.Errorf("took %v", wall)
		}
	})
}

func TestPeopleComeAtTheRateThatWasAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := NewRecorder()
		res, err := Run(t.Context(), Plan{Duration: 10 * time.Minute, PerMinute: 120, MaxOpen: 1000, Seed: 1}, rec,
			func(context.Context, int, time.Time) (string, error) { time.Sleep(time.Second); return "approved", nil }, nil)
		if err != nil || res.Cases < 1100 || res.Cases > 1300 || res.PerMinute < 110 || res.PerMinute > 130 {
			t.Errorf("%d cases, %.1f a minute, %v", res.Cases, res.PerMinute, err)
		}
	})
}

func TestTheClosedLoopKeepsItsClientsBusyAndLeavesFillingOutOfTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rec := NewRecorder()
		var open, most atomic.Int64
		res, err := Run(t.Context(), Plan{Cases: 40, Clients: 4}, rec, func(_ context.Context, n int, _ time.Time) (string, error) {
			most.Store(max(most.Load(), open.Add(1)))
			defer open.Add(-1)
			time.Sleep(time.Second)
			if n == 0 {
				time.Sleep(20 * time.Second) // a cold start
			}
			if n == 7 {
				return "", errors.New("case with a name in it")
			}
			return "approved", nil
		}, nil)
		if err != nil || res.Cases != 39 || res.Failed != 1 || res.MaxInFlight != 4 || most.Load() != 4 {
			t.Fatalf("%+v, %d open, %v", res, most.Load(), err)
		}
		if res.PerMinute < 160 || res.PerMinute > 260 {
			t.Errorf("%.0f cases a minute, of four at a second each", res.PerMinute)
		}
		if res.Errors["case lost"] != 1 || len(res.Errors) != 1 {
			t.Errorf("%v", res.Errors)
		}
	})
}

func TestIntervalsTellOnlyWhatIsNew(t *testing.T) {
	rec := NewRecorder()
	for i := range 3 {
		rec.Step(Whole, time.Duration(i+1)*time.Second)
		rec.finished("approved", time.Second)
	}
	if i := rec.Interval(); i.Cases != 3 || i.P95 != 3*time.Second {
		t.Errorf("%+v", i)
	}
	if i := rec.Interval(); i.Cases != 0 || i.P95 != 0 {
		t.Errorf("%+v", i)
	}
}

func TestAProcessIsCountedWithItsChildren(t *testing.T) {
	root := t.TempDir()
	stat := func(pid, parent, user, ended, pages string) {
		dir := filepath.Join(root, pid)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		// A name with a bracket and a space in it is legal.
		f := []string{pid, "(a) b)", "S", parent, "0", "0", "0", "0", "0", "0", "0", "0", "0", user, "0", ended, "0", "20", "0", "1", "0", "100", "0", pages}
		if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(strings.Join(f, " ")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stat("1", "0", "1000", "0", "1000000")
	stat("50", "1", "200", "300", "256")
	stat("51", "50", "100", "0", "256")
	stat("52", "51", "100", "0", "512")
	cpu, mib, err := tree(root, 50)
	if want := float64(1024*os.Getpagesize()) / (1 << 20); err != nil || cpu != 7 || mib != want {
		t.Errorf("%g s, %g MiB, %v", cpu, mib, err)
	}
	if _, _, err := tree(root, 99); err == nil {
		t.Error("a process that is not there was counted")
	}
	w, err := Watch([]string{"self"}, []int{os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	if u := w.Look(); u[0].PeakMiB < 1 || u[0].Name != "self" {
		t.Errorf("%+v", u)
	}
}
