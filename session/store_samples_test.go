package session

import (
	"errors"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/storage"
)

// sampled decides a case automatically, drawn for the blind sample with a chance.
func sampled(t *testing.T, s *Store, o policy.Outcome, share float64) *Session {
	t.Helper()
	ses := must[*Session](t)(s.Create(ctx, newSession()))
	toSubmitted(t, s, ses.ID)
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
		if _, err := s.JudgeSample(ctx, Vote{Session: ses.ID, Account: "bob", Outcome: policy.Approved}); !errors.Is(err, ErrNotClaimed) {
			t.Errorf("judged by who does not have it: %v", err)
		}
		g, err := s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: "ada", Purpose: SamplePurpose, Life: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		p, err = s.JudgeSample(ctx, Vote{Session: ses.ID, Account: "ada", Outcome: policy.Rejected, Codes: []policy.Code{"biometric.face_mismatch"}})
		if err != nil || !p.Disagrees() {
			t.Fatalf("%+v, %v", p, err)
		}
		if after, err := s.Get(ctx, ses.ID); err != nil || after.State != Approved || after.Version != ses.Version {
			t.Errorf("the verdict moved the session: %+v, %v", after, err)
		}
		if g, err = s.Grant(ctx, g.ID); err != nil || g.State(c.Now()) != "ended" {
			t.Errorf("the grant lasts: %+v, %v", g, err)
		}
		if against, err := s.Disagreements(ctx, time.Time{}, 10); err != nil || len(against) != 1 || against[0].Session != ses.ID {
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
