package session

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/storage"
)

var operatorActor = Actor{Operator, "op_1"}

func TestALegalHoldBeatsErasureAndRetentionUntilTheLastOneIsLifted(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		now := c.Now()
		ok(t, s.PutObject(ctx, storage.Object{ID: "obj_1", Session: ses.ID, Class: storage.CaptureImage, Key: "capture_image/obj_1",
			CreatedAt: now.Add(-2 * time.Hour), CommittedAt: now.Add(-2 * time.Hour), RetainUntil: now.Add(-time.Hour)}))
		first := must[Hold](t)(s.PlaceHold(ctx, operatorActor, ses.ID, "litigation", "case 7/2026"))
		second := must[Hold](t)(s.PlaceHold(ctx, operatorActor, ses.ID, "regulator", ""))

		if err := s.BeginErasure(ctx, ses.ID, storage.CaptureImage, now); !errors.Is(err, storage.ErrHeld) {
			t.Fatalf("erasure began: %v", err)
		}
		if err := s.RequestErasure(ctx, ses.ID, operatorActor, "art17"); !errors.Is(err, ErrHeld) {
			t.Fatalf("request was taken: %v", err)
		}
		claimed := func() int {
			t.Helper()
			return len(must[[]storage.Object](t)(s.ClaimExpired(ctx, now, now, 10)))
		}
		if n := claimed(); n != 0 {
			t.Fatalf("the sweeper got %d objects", n)
		}
		lifted := must[Hold](t)(s.LiftHold(ctx, operatorActor, first.ID, "settled"))
		again := must[Hold](t)(s.LiftHold(ctx, operatorActor, first.ID, "other"))
		if again.LiftReason != "settled" || !again.LiftedAt.Equal(lifted.LiftedAt) {
			t.Fatalf("lifted twice: %+v", again)
		}
		if held := must[bool](t)(s.Held(ctx, ses.ID)); !held || claimed() != 0 {
			t.Fatal("one hold is left, and did not count")
		}
		must[Hold](t)(s.LiftHold(ctx, operatorActor, second.ID, "settled"))
		if n := claimed(); n != 1 {
			t.Fatalf("after the last hold the sweeper got %d objects", n)
		}
		ok(t, s.BeginErasure(ctx, ses.ID, storage.CaptureImage, now))
		ok(t, s.RequestErasure(ctx, ses.ID, operatorActor, "art17"))

		late := must[Hold](t)(s.PlaceHold(ctx, operatorActor, ses.ID, "late", ""))
		if len(late.Erased) != 1 || late.Erased[0] != storage.CaptureImage {
			t.Fatalf("the hold does not say that it came too late: %+v", late)
		}
		ok(t, s.BeginErasure(ctx, ses.ID, storage.CaptureImage, now)) // is finished nevertheless

		all := must[[]Hold](t)(s.Holds(ctx, HoldFilter{Session: ses.ID}))
		active := must[[]Hold](t)(s.Holds(ctx, HoldFilter{Tenant: ses.Tenant, Active: true}))
		if len(all) != 3 || all[0].Matter != "case 7/2026" || len(active) != 1 || active[0].ID != late.ID {
			t.Fatalf("all %+v, active %+v", all, active)
		}
		var actions []string
		for _, e := range must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID)) {
			actions = append(actions, e.Action)
		}
		for _, want := range []string{"hold.placed", "hold.lifted", "evidence.erasure_refused", "evidence.erasure_requested"} {
			if !strings.Contains(strings.Join(actions, " "), want) {
				t.Errorf("%s is not in the log: %v", want, actions)
			}
		}
		for _, bad := range []string{"", "Free text", strings.Repeat("x", 80)} {
			if _, err := s.PlaceHold(ctx, operatorActor, ses.ID, bad, ""); !errors.Is(err, ErrInvalid) {
				t.Errorf("reason %q: %v", bad, err)
			}
		}
		if _, err := s.PlaceHold(ctx, operatorActor, "ses_00000000000000000000000000", "litigation", ""); !errors.Is(err, ErrNotFound) {
			t.Errorf("a session that is not there: %v", err)
		}
	})
}

func TestAnErasureThatWaitedForAHoldGoesOnWhenItIsLifted(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		ok(t, s.RequestErasure(ctx, ses.ID, operatorActor, "art17"))
		h := must[Hold](t)(s.PlaceHold(ctx, operatorActor, ses.ID, "litigation", ""))
		erase := func() *Outbox {
			for _, o := range must[[]Outbox](t)(s.Pending(ctx, 100)) {
				if o.Kind == KindErase {
					return &o
				}
			}
			return nil
		}
		ok(t, s.Requeue(ctx, erase().ID, c.Now().Add(time.Hour), HeldReason))
		if erase() != nil {
			t.Fatal("it does not wait")
		}
		must[Hold](t)(s.LiftHold(ctx, operatorActor, h.ID, "settled"))
		if erase() == nil {
			t.Fatal("it still waits")
		}
	})
}

func TestAHoldAndAnErasureAtTheSameTimeAgreeWhichCameFirst(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		for range 10 {
			ses := must[*Session](t)(s.Create(ctx, newSession()))
			var wg sync.WaitGroup
			var hold Hold
			var begun error
			wg.Go(func() {
				var err error
				if hold, err = s.PlaceHold(ctx, operatorActor, ses.ID, "litigation", ""); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() { begun = s.BeginErasure(ctx, ses.ID, storage.CaptureImage, c.Now()) })
			wg.Wait()
			if errors.Is(begun, storage.ErrHeld) != (len(hold.Erased) == 0) {
				t.Fatalf("erasure: %v; the hold saw %v erased", begun, hold.Erased)
			}
		}
	})
}

func TestAClockThatJumpsAheadMovesRetentionALittleOnly(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		at := func(now time.Time) time.Time {
			t.Helper()
			return must[time.Time](t)(s.SweepTime(ctx, now, time.Hour))
		}
		start := testStart.Truncate(time.Microsecond)
		for _, step := range []struct{ now, want time.Duration }{
			{0, 0}, {time.Minute, time.Minute}, {10 * 365 * 24 * time.Hour, 61 * time.Minute}, {10 * 365 * 24 * time.Hour, 121 * time.Minute},
			{2 * time.Minute, 2 * time.Minute}, {3 * time.Hour, 62 * time.Minute}, {3 * time.Hour, 122 * time.Minute}, {3 * time.Hour, 3 * time.Hour},
		} {
			if got := at(start.Add(step.now)); !got.Equal(start.Add(step.want)) {
				t.Fatalf("clock at %v: retention is judged at %v, want %v", step.now, got.Sub(start), step.want)
			}
		}
	})
}

func TestWhatIsDueOnceIsDoneByOneProcess(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		turn := func() bool { t.Helper(); return must[bool](t)(s.ClaimDue(ctx, "check", time.Hour)) }
		if !turn() || turn() {
			t.Fatal("want the first call only")
		}
		c.add(59 * time.Minute)
		if turn() {
			t.Fatal("too early")
		}
		c.add(time.Minute)
		if !turn() || turn() {
			t.Fatal("want one turn an hour later")
		}
		c.add(-48 * time.Hour) // the clock was wrong before
		if !turn() {
			t.Fatal("a clock that was set back stops it for days")
		}
	})
}
