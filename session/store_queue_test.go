package session

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
)

// refer takes a new session to review with a place in the queue.
func refer(t *testing.T, s *Store, tr policy.Triage) *Session {
	t.Helper()
	ses := must[*Session](t)(s.Create(ctx, newSession()))
	toSubmitted(t, s, ses.ID)
	ev := Decided(worker, 1, decision(policy.PendingReview))
	ev.Triage = &tr
	return must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, ev, nil))
}

func order(t *testing.T, s *Store, f ReviewFilter) []string {
	t.Helper()
	var ids []string
	for {
		ws := must[[]Waiting](t)(s.Reviews(ctx, f))
		for _, w := range ws {
			ids = append(ids, w.Session.ID)
		}
		if f.Limit == 0 || len(ws) < f.Limit {
			return ids
		}
		f.After = ws[len(ws)-1].Cursor()
	}
}

func TestTheQueueIsInTheOrderOfTriageAndItsPagesFollowIt(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		h := time.Hour
		old := refer(t, s, policy.Triage{Queue: "default", SLA: 24 * h, BusySLA: 48 * h, Value: 5}).ID
		c.add(h)
		risky := refer(t, s, policy.Triage{Queue: "default", SLA: 24 * h, Sooner: 10 * h, BusySLA: 48 * h, BusySooner: 10 * h, Risk: 0.9, Value: 1}).ID
		c.add(h)
		rich := refer(t, s, policy.Triage{Queue: "gold", SLA: 8 * h, BusySLA: 8 * h, Value: 900}).ID
		c.add(h)
		plain := refer(t, s, policy.Triage{Queue: "default"}).ID // as the settings say
		for _, x := range []struct {
			f    ReviewFilter
			want []string
		}{
			{ReviewFilter{}, []string{rich, risky, old, plain}},
			{ReviewFilter{Limit: 1}, []string{rich, risky, old, plain}},
			{ReviewFilter{Order: ByAge, Limit: 2}, []string{old, risky, rich, plain}},
			{ReviewFilter{Order: ByValue, Limit: 1}, []string{rich, old, risky, plain}},
			{ReviewFilter{Order: ByRisk}, []string{risky, old, rich, plain}},
			{ReviewFilter{Order: ByDue, Limit: 3}, []string{rich, old, risky, plain}},
			{ReviewFilter{Queue: "gold"}, []string{rich}},
		} {
			if got := order(t, s, x.f); !slices.Equal(got, x.want) {
				t.Errorf("%+v: %v, want %v", x.f, got, x.want)
			}
		}
		if _, err := s.Reviews(ctx, ReviewFilter{Order: "colour"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
		if _, err := s.Reviews(ctx, ReviewFilter{After: "1.ses_x"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
		if p := must[Place](t)(s.ReviewPlace(ctx, plain)); !p.Due.IsZero() {
			t.Errorf("%+v", p)
		}
		// A decided case leaves.
		must[Claim](t)(claimOnly(s.ClaimReview(ctx, "usr_a", rich, h)))
		d := decision(policy.Rejected)
		if _, settled, err := s.CastVote(ctx, Ballot{Vote: Vote{Session: rich, Account: "usr_a", Outcome: policy.Rejected}, Decision: d, Quorum: 1}); err != nil || !settled {
			t.Fatal(settled, err)
		}
		if _, err := s.ReviewPlace(ctx, rich); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
}

func claimOnly(c Claim, _ *Session, err error) (Claim, error) { return c, err }

func TestAnOverloadedQueueTellsOfALongerWaitAndPutsRiskFirst(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		h := time.Hour
		tr := func(risk float64) policy.Triage {
			return policy.Triage{Queue: "default", SLA: 24 * h, BusySLA: 72 * h, BusySooner: time.Duration(risk * 60 * float64(h)), Above: 2, Risk: risk}
		}
		a := refer(t, s, tr(0))
		c.add(time.Minute)
		b := refer(t, s, tr(0))
		c.add(time.Minute)
		if qs := must[[]QueueState](t)(s.ReviewQueues(ctx)); len(qs) != 1 || qs[0].Overloaded || qs[0].Waiting != 2 {
			t.Errorf("%+v", qs)
		}
		x := refer(t, s, tr(1))
		qs := must[[]QueueState](t)(s.ReviewQueues(ctx))
		if !qs[0].Overloaded || qs[0].Above != 2 {
			t.Errorf("%+v", qs)
		}
		if p := must[Place](t)(s.ReviewPlace(ctx, x.ID)); !p.Overloaded || p.Due.Sub(p.Entered) != 72*h {
			t.Errorf("%+v", p)
		}
		if got, want := order(t, s, ReviewFilter{Limit: 1}), []string{x.ID, a.ID, b.ID}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		for _, id := range []string{a.ID, b.ID, x.ID} {
			if ses := must[*Session](t)(s.Get(ctx, id)); ses.State != PendingReview {
				t.Errorf("%s is %s", id, ses.State)
			}
		}
		c.add(25 * h)
		if qs := must[[]QueueState](t)(s.ReviewQueues(ctx)); qs[0].Late != 2 {
			t.Errorf("%+v", qs)
		}
	})
}

func TestABlindSecondReviewHidesTheFirstAndDisagreementGoesToAThird(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		vote := func(id, account string, o policy.Outcome) bool {
			t.Helper()
			must[Claim](t)(claimOnly(s.ClaimReview(ctx, account, id, time.Hour)))
			c.add(time.Second)
			_, settled, err := s.CastVote(ctx, Ballot{Vote: Vote{Session: id, Account: account, Outcome: o}, Decision: decision(o), Quorum: 1})
			ok(t, err)
			return settled
		}
		ses := refer(t, s, policy.Triage{Queue: "default", SLA: time.Hour, BusySLA: time.Hour, Second: 1})
		if vote(ses.ID, "usr_a", policy.Approved) {
			t.Fatal("one verdict settled a case of the sample")
		}
		// The queue does not say that somebody was there.
		w := must[[]Waiting](t)(s.Reviews(ctx, ReviewFilter{Free: true, Account: "usr_b"}))
		if len(w) != 1 || w[0].Votes != 0 {
			t.Errorf("%+v", w)
		}
		if vote(ses.ID, "usr_b", policy.Rejected) {
			t.Fatal("a disagreement settled the case")
		}
		if p := must[Place](t)(s.ReviewPlace(ctx, ses.ID)); p.Escalated.IsZero() || p.Blind() {
			t.Errorf("%+v", p)
		}
		if !vote(ses.ID, "usr_c", policy.Rejected) {
			t.Fatal("two of three agree")
		}
		other := refer(t, s, policy.Triage{Queue: "default", SLA: time.Hour, BusySLA: time.Hour, Second: 1})
		vote(other.ID, "usr_a", policy.Approved)
		if !vote(other.ID, "usr_b", policy.Approved) {
			t.Fatal("both agree")
		}
		alone := refer(t, s, policy.Triage{Queue: "default", SLA: time.Hour, BusySLA: time.Hour})
		if !vote(alone.ID, "usr_a", policy.Approved) {
			t.Fatal("a case outside the sample needs one")
		}
		pairs := must[[]BlindPair](t)(s.BlindPairs(ctx, time.Time{}, false))
		if want := []BlindPair{{policy.Approved, policy.Rejected}, {policy.Approved, policy.Approved}}; !slices.Equal(pairs, want) {
			t.Errorf("%v, want %v", pairs, want)
		}
		escalated := 0
		for _, e := range must2(s.Timeline(ctx, ses.ID)) {
			if e.Action == "review.escalated" {
				escalated++
			}
		}
		if escalated != 1 {
			t.Errorf("%d escalations in the log", escalated)
		}
	})
}

func must2[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestASampleIsTheSameEachTimeAndOfTheShareThatWasAskedFor(t *testing.T) {
	key := []byte("a key that nobody knows")
	drawn := 0
	for i := range 20000 {
		id := fmt.Sprintf("ses_%d#1", i)
		in := InSample(key, id, 0.05)
		if in != InSample(key, id, 0.05) || in && !InSample(key, id, 0.2) {
			t.Fatal("drawn otherwise the second time, or lost in a larger share")
		}
		if in {
			drawn++
		}
	}
	if drawn < 900 || drawn > 1100 { // 1000 ± 3.2 standard deviations
		t.Errorf("%d of 20000 at 5 %%", drawn)
	}
	if InSample(key, "x", 0) || !InSample(key, "x", 1) {
		t.Error("nobody and everybody")
	}
}
