package pipeline

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

func TestALoopGoesOnWhileThereIsMoreAndWakesWhenAsked(t *testing.T) {
	var passes atomic.Int64
	l := newLoop("test", time.Hour, nil, func(context.Context) (bool, error) { return passes.Add(1)%3 != 0, nil })
	l.Start()
	eventually(t, time.Minute, "the loop stopped with work left", func() bool { return passes.Load() == 3 })
	time.Sleep(20 * time.Millisecond)
	if n := passes.Load(); n != 3 {
		t.Fatalf("%d passes with nothing to do", n)
	}
	l.Wake()
	eventually(t, time.Minute, "the loop did not wake", func() bool { return passes.Load() == 6 })
	stop(t, l)
}

func TestALoopThatFailsPausesAndSaysSoOnce(t *testing.T) {
	log := &syncBuffer{}
	w := &world{log: log}
	var passes atomic.Int64
	l := newLoop("test", time.Millisecond, w.logger(), func(context.Context) (bool, error) {
		if passes.Add(1) <= 3 {
			return true, errors.New("no connection")
		}
		return false, nil
	})
	l.Start()
	eventually(t, time.Minute, "the loop gave up", func() bool { return passes.Load() > 5 })
	stop(t, l)
	if s := log.String(); strings.Count(s, "no connection") != 1 || strings.Count(s, "works again") != 1 {
		t.Fatalf("log:\n%s", s)
	}
}

func TestShutdownOfALoopWaitsForItsPassAndNoLonger(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	l := newLoop("test", time.Hour, nil, func(context.Context) (bool, error) {
		close(entered)
		<-leave
		return false, nil
	})
	l.Start()
	<-entered
	sctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := l.Shutdown(sctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("shutdown of a stuck pass: %v", err)
	}
	close(leave)
	stop(t, l)
	never := newLoop("test", time.Hour, nil, nil)
	stop(t, never)
	never.Start() // must not run after its end
}

func TestBackoffGrowsToItsLimitWithSpread(t *testing.T) {
	for n := 1; n < 80; n++ {
		d := backoff(n, time.Second, time.Minute)
		if d < 600*time.Millisecond || d > time.Minute {
			t.Fatalf("failure %d waits %v", n, d)
		}
	}
	if backoff(1, time.Second, time.Minute) > time.Second || backoff(60, time.Second, time.Minute) < 40*time.Second {
		t.Fatal("no growth")
	}
}

func TestTheSweeperErasesWhatExpiredAndTellsTheLog(t *testing.T) {
	w := newWorld(t, "")
	id := w.submit() // its photos are kept for an hour
	s := newSweeper(w.store, w.vault, w.logger(), time.Hour, func() time.Time { return time.Now().Add(2 * time.Hour) })
	s.Start()
	defer stop(t, s)
	eventually(t, time.Minute, "evidence is left", func() bool {
		l, err := w.vault.Index().ListObjects(ctx, id, storage.CaptureImage)
		return err == nil && len(l) == 0
	})
	eventually(t, time.Minute, "the log does not know", func() bool {
		entries, err := w.store.Timeline(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Action == "evidence.expired" && e.Hashes["certificate_capture_image"] != "" {
				return true
			}
		}
		return false
	})
	if l, err := w.vault.Index().ListObjects(ctx, id, storage.Outcome); err != nil || len(l) != 1 || l[0].Kind != "deletion_certificate" {
		t.Fatalf("certificates: %+v, %v", l, err)
	}
}

func TestTheSweeperLogsTheEndOfGrants(t *testing.T) {
	w := newWorld(t, "")
	id := w.submit()
	g, err := w.store.AskGrant(ctx, session.NewGrant{Session: id, Account: "acc_1", Purpose: "complaint", Life: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s := newSweeper(w.store, w.vault, w.logger(), 50*time.Millisecond, time.Now)
	s.Start()
	defer stop(t, s)
	eventually(t, time.Minute, "the log does not know", func() bool {
		entries, err := w.store.Timeline(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Action == "evidence.grant_over" && e.Refs["grant"] == g.ID && e.Refs["by"] == "clock" {
				return true
			}
		}
		return false
	})
}

func TestTheSweeperExpiresSessions(t *testing.T) {
	w := newWorld(t, "")
	ses, err := w.store.Create(ctx, session.New{Tenant: "t1", PolicyName: "p", PolicyVersion: "1", PolicyHash: "h",
		Actor: session.Actor{Role: session.Service}, TTL: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return time.Now().Add(2 * time.Hour) }
	store, err := session.Open(ctx, "sqlite:"+filepath.Join(w.dir, "store.db"), session.WithClock(later))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := NewSweeper(store, w.vault, w.logger())
	s.Start()
	defer stop(t, s)
	eventually(t, time.Minute, "the session is still open", func() bool {
		got, err := w.store.Get(ctx, ses.ID)
		return err == nil && got.State == session.Expired
	})
}
