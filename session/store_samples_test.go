package session

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/storage"
)

// sampled decides a case automatically, drawn for the blind sample with a chance.
func sampled(t *testing.T, s *Store, o policy.Outcome, share float64) *Session {
	t.Helper()
	return sampledIn(ctx, t, s, o, share)
}

func sampledIn(ctx context.Context, t *testing.T, s *Store, o policy.Outcome, share float64) *Session {
	t.Helper()
	ses := must[*Session](t)(s.Create(ctx, newSession()))
	must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, consent(), nil))
	for _, kind := range []string{"document_front", "selfie"} {
		must[*Session](t)(s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: kind, Object: "obj_" + kind, SHA256: "00", Size: 3}))
	}
	must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil))
	ev := Decided(worker, 1, decision(o))
	ev.Triage = &policy.Triage{Queue: "default", Sample: share, Within: time.Hour}
	return must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, ev, nil))
}

func TestASampledCaseIsJudgedWithoutChangingItsDecision(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		if out := sampled(t, s, policy.Approved, 0); out.State != Approved {
			t.Fatal(out.State)
		}
		if _, err := s.TakeSample(ctx, "ada", "", time.Minute); !errors.Is(err, ErrNotFound) {
			t.Errorf("a case that was not drawn is given out: %v", err)
		}
		ses := sampled(t, s, policy.Approved, 1)
		other := sampled(t, s, policy.Rejected, 1)
		p, err := s.TakeSample(ctx, "ada", "", time.Minute)
		if err != nil || p.Session != ses.ID || p.Machine != policy.Approved || p.Chance != 1 {
			t.Fatalf("%+v, %v", p, err)
		}
		if again, err := s.TakeSample(ctx, "ada", "", time.Minute); err != nil || again.Session != ses.ID {
			t.Errorf("who has a case is given another: %+v, %v", again, err)
		}
		if q, err := s.TakeSample(ctx, "bob", "", time.Minute); err != nil || q.Session != other.ID {
			t.Errorf("two people have the same case: %+v, %v", q, err)
		}
		if _, err := s.JudgeSample(ctx, Vote{Session: ses.ID, Account: "bob", Outcome: policy.Approved}, AnyVersion); !errors.Is(err, ErrNotClaimed) {
			t.Errorf("judged by who does not have it: %v", err)
		}
		g, err := s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: "ada", Purpose: SamplePurpose, Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.JudgeSample(ctx, Vote{Session: ses.ID, Account: "ada", Outcome: policy.Approved}, ses.Version-1); !errors.Is(err, ErrConflict) {
			t.Errorf("judged as it was before: %v", err)
		}
		p, err = s.JudgeSample(ctx, Vote{Session: ses.ID, Account: "ada", Outcome: policy.Rejected, Codes: []policy.Code{"biometric.face_mismatch"}}, ses.Version)
		if err != nil || !p.Disagrees() {
			t.Fatalf("%+v, %v", p, err)
		}
		if after, err := s.Get(ctx, ses.ID); err != nil || after.State != Approved || after.Version != ses.Version {
			t.Errorf("the verdict moved the session: %+v, %v", after, err)
		}
		if g, err = s.Grant(ctx, g.ID); err != nil || g.State(c.Now()) != "ended" {
			t.Errorf("the grant lasts: %+v, %v", g, err)
		}
		if against, err := s.Disagreements(ctx, time.Time{}, false, 10); err != nil || len(against) != 1 || against[0].Session != ses.ID {
			t.Errorf("%+v, %v", against, err)
		}
		if err := s.ReleaseSample(ctx, "bob", other.ID); err != nil {
			t.Fatal(err)
		}
		// Without pictures there is nothing to judge.
		if err := s.BeginErasure(ctx, other.ID, storage.CaptureImage, c.Now()); err != nil {
			t.Fatal(err)
		}
		if p, err := s.TakeSample(ctx, "ada", "", time.Minute); !errors.Is(err, ErrNotFound) {
			t.Errorf("%+v, %v", p, err)
		}
		counts, err := s.SampleCounts(ctx, time.Time{}, false)
		if err != nil || len(counts) != 2 || counts[0].State != SampleJudged || counts[0].Said != policy.Rejected || counts[1].State != SampleGone {
			t.Errorf("%+v, %v", counts, err)
		}
	})
}

func TestWhoReviewedACaseDoesNotCheckIt(t *testing.T) {
	s := openTest(t, "sqlite", time.Now)
	ses := sampled(t, s, policy.Approved, 1)
	if err := s.write(ctx, "vote", func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO review_votes (id, session, attempt, account, outcome, codes, overrides, note, seconds, at) VALUES ('v', ?, 0, 'ada', 'needs_resubmission', '[]', 0, '', 1, 1)", ses.ID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TakeSample(ctx, "ada", "", time.Minute); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v", err)
	}
}

func TestSimulatedCasesAreBlindChecksOnlyWhileThereAreNoRealOnes(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		var sim, second *Session
		ok(t, s.Simulate(ctx, func(ctx context.Context, _ *Simulation) error {
			sim, second = sampledIn(ctx, t, s, policy.Approved, 1), sampledIn(ctx, t, s, policy.Rejected, 1)
			return nil
		}))
		if due := must[time.Time](t)(s.NextSampleDue(ctx)); due.IsZero() {
			t.Error("a demo has no blind check")
		}
		if p := must[Sample](t)(s.TakeSample(ctx, "ada", "", time.Hour)); p.Session != sim.ID && p.Session != second.ID {
			t.Errorf("a demo hands out %+v", p)
		} else {
			must[Sample](t)(s.JudgeSample(ctx, Vote{Session: p.Session, Account: "ada", Outcome: map[policy.Outcome]policy.Outcome{policy.Approved: policy.Rejected, policy.Rejected: policy.Approved}[p.Machine]}, AnyVersion))
		}
		if n := len(must[[]Sample](t)(s.Disagreements(ctx, time.Time{}, true, 10))); n != 1 {
			t.Errorf("a demo has %d disagreements", n)
		}
		c.add(time.Minute)
		must[*Session](t)(s.Create(ctx, newSession()))
		if due := must[time.Time](t)(s.NextSampleDue(ctx)); !due.IsZero() {
			t.Errorf("beside a real case a simulated one is due at %v", due)
		}
		if p, err := s.TakeSample(ctx, "bob", "", time.Hour); !errors.Is(err, ErrNotFound) {
			t.Errorf("a simulated case is handed out beside a real one: %+v, %v", p, err)
		}
		if n := len(must[[]Sample](t)(s.Disagreements(ctx, time.Time{}, false, 10))); n != 0 {
			t.Errorf("%d simulated disagreements count as real", n)
		}
		own := sampled(t, s, policy.Approved, 1)
		if due, p := must[time.Time](t)(s.NextSampleDue(ctx)), must[Sample](t)(s.TakeSample(ctx, "bob", "", time.Hour)); p.Session != own.ID || !due.Equal(p.Due) {
			t.Errorf("due %v, handed out %+v, want the real case", due, p)
		}
	})
}
