package session

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

func TestAScreeningResultIsRecordedOnceAndNeverTurned(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		x := Screening{Session: ses.ID, List: "sanctions", Result: "clear", Provider: "own", Reference: "q-1", Lists: "2026-03-01", CheckedAt: c.Now()}
		first, fresh, err := s.PutScreening(ctx, service, x)
		if err != nil || !fresh {
			t.Fatal(fresh, err)
		}
		c.add(time.Hour)
		again, fresh, err := s.PutScreening(ctx, service, x)
		if err != nil || fresh || again.ID != first.ID || !again.At.Equal(first.At) {
			t.Errorf("%+v %v %v", again, fresh, err)
		}
		x.Result = "match"
		if _, _, err := s.PutScreening(ctx, service, x); !errors.Is(err, ErrConflict) {
			t.Errorf("another result under the same reference: %v", err)
		}
		x.Reference = "q-2"
		if _, fresh, err := s.PutScreening(ctx, service, x); err != nil || !fresh {
			t.Errorf("%v %v", fresh, err)
		}
		all := must[[]Screening](t)(s.Screenings(ctx, ses.ID))
		if len(all) != 2 || all[0].Result != "clear" || all[1].Result != "match" || all[0].By != service.String() {
			t.Errorf("%+v", all)
		}
		n := 0
		for _, e := range must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID)) {
			if e.Action == "screening.recorded" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d entries in the log", n)
		}
		x.Session = "ses_none"
		if _, _, err := s.PutScreening(ctx, service, x); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
		x.Session, x.Reference = ses.ID, ""
		if _, _, err := s.PutScreening(ctx, service, x); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
	})
}

func TestAScreeningResultKeepsItsAttemptAndItsSubject(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := toReview(t, s)
		posted := Screening{Session: ses.ID, List: "sanctions", Result: "clear", Provider: "own", Reference: "q-1", CheckedAt: c.Now()}
		put := func(by Actor, x Screening) Screening {
			t.Helper()
			out, _, err := s.PutScreening(ctx, by, x)
			ok(t, err)
			return out
		}
		first := put(service, posted)
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(Actor{Reviewer, "rev"}, 0, decision(policy.NeedsResubmission, "capture.blurred")), nil))
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: StartCapture, Actor: client}, nil))
		if again := put(service, posted); first.Attempt != 1 || again.ID != first.ID || again.Attempt != 1 {
			t.Errorf("the same search posted again in the second attempt: %+v, first %+v", again, first)
		}
		posted.Reference = "q-2"
		if second := put(service, posted); second.Attempt != 2 {
			t.Errorf("%+v", second)
		}
		posted.Reference, posted.Attempt = "q-3", 1
		if late := put(service, posted); late.Attempt != 1 {
			t.Errorf("a result that says its attempt: %+v", late)
		}
		posted.Reference, posted.Attempt = "q-4", 3
		_, _, err := s.PutScreening(ctx, service, posted)
		wantErr(t, err, ErrInvalid)
		// A matcher's results are told apart by all that they say.
		m := Screening{Session: ses.ID, List: "sanctions", Result: "clear", Provider: MatcherProvider, Reference: "same", Attempt: 2, Subject: "anna"}
		w := Actor{Worker, "w"}
		ids := map[string]bool{put(w, m).ID: true, put(w, m).ID: true}
		m.Subject = "berta"
		ids[put(w, m).ID] = true
		m.Result = "match"
		ids[put(w, m).ID] = true
		if len(ids) != 3 {
			t.Errorf("%d results of the matcher", len(ids))
		}
		// Nobody else speaks for it.
		_, _, err = s.PutScreening(ctx, service, Screening{Session: ses.ID, List: "pep", Result: "clear", Provider: MatcherProvider, Reference: "x"})
		wantErr(t, err, ErrInvalid)
		ok(t, s.NameScreened(ctx, ses.ID, 2, "anna"))
		for _, x := range must[[]Screening](t)(s.Screenings(ctx, ses.ID)) {
			if want := map[string]string{"q-2": "anna"}[x.Reference]; x.Posted() && x.Subject != want {
				t.Errorf("%s is about %q, want %q", x.Reference, x.Subject, want)
			}
		}
	})
}

func TestTheLastResultThatThereIsRoomForIsReadAndOneMoreIsRefused(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		put := func(by Actor, provider string, i int, result string) error {
			_, _, err := s.PutScreening(ctx, by, Screening{Session: ses.ID, List: "sanctions", Result: result, Provider: provider, Reference: "q-" + strconv.Itoa(i)})
			return err
		}
		for i := range MaxScreenings - 1 {
			ok(t, put(service, "own", i, "clear"))
		}
		ok(t, put(service, "own", MaxScreenings-1, "match"))
		wantErr(t, put(service, "own", MaxScreenings, "match"), ErrScreeningsFull)
		ok(t, put(service, "own", 0, "clear")) // known already
		ok(t, put(Actor{Worker, "w"}, MatcherProvider, 0, "match"))
		all := must[[]Screening](t)(s.Screenings(ctx, ses.ID))
		if len(all) != MaxScreenings+1 || all[MaxScreenings-1].Result != "match" || all[MaxScreenings].Provider != MatcherProvider {
			t.Errorf("%d results are read", len(all))
		}
	})
}
