package session

import (
	"errors"
	"testing"

	"github.com/proofline/proofline/audit"
)

func TestAClientThatRepeatsItselfWritesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		size := func() int { return len(must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID))) }
		consent := func(text string, scope ...string) *Session {
			t.Helper()
			return must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: ConsentGiven, Actor: client, Consent: &Consent{TextHash: text, Locale: "en", Scope: scope}}, nil))
		}
		first := consent("v1", "document", "biometric")
		n := size()
		for range 5 {
			c.add(1)
			if again := consent("v1", "document", "biometric"); again.Version != first.Version || !again.Consent.At.Equal(first.Consent.At) {
				t.Fatalf("%+v", again)
			}
		}
		if size() != n {
			t.Errorf("%d entries for the same consent again", size()-n)
		}
		// Another text, or less of a scope, is another consent.
		if other := consent("v2", "document"); other.Version != first.Version+1 || len(other.Consent.Scope) != 1 || size() != n+1 {
			t.Errorf("%+v, %d entries", other.Consent, size()-n)
		}
		n = size()
		tokens := []Actor{client, {Client, "tok_2"}, {Client, "tok_3"}}
		for i := range 12 {
			for _, kind := range []EventKind{StartCapture, Submit} {
				_, err := s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: kind, Actor: tokens[i%3], Attempt: 7}, nil)
				if !errors.Is(err, ErrNoTransition) {
					t.Fatalf("%s: %v", kind, err)
				}
			}
		}
		if size() != n+2 {
			t.Errorf("%d entries for two kinds of late events", size()-n)
		}
		// What a service or a worker repeats is logged each time.
		for range 2 {
			_, _ = s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: Actor{Service, "key_1"}, Attempt: 7}, nil)
		}
		if size() != n+4 {
			t.Errorf("%d entries after the service's", size()-n)
		}
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: ConsentWithdrawn, Actor: client}, nil))
		n = size()
		for range 5 {
			ok(t, s.RequestErasure(ctx, ses.ID, client, WithdrawnReason))
		}
		if size() != n {
			t.Errorf("%d entries for the same withdrawal again", size()-n)
		}
		rows := must[[]Outbox](t)(s.Pending(ctx, 100))
		for _, r := range rows {
			if r.Kind == KindErase {
				ok(t, s.MarkDead(ctx, r.ID, "test"))
			}
		}
		n = size()
		ok(t, s.RequestErasure(ctx, ses.ID, client, WithdrawnReason))
		if depth := must[map[OutboxKind]int](t)(s.OutboxDepth(ctx)); depth[KindErase] != 1 || size() != n+1 {
			t.Errorf("an erasure that was given up is not tried again: %v, %d entries", depth, size()-n)
		}
	})
}

func TestATimelineIsReadInPagesAndSaysWhenThereIsMore(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		for range 9 {
			ok(t, s.Audit(ctx, audit.Entry{Actor: "system", Action: "test", Session: ses.ID}))
		}
		var seen []int64
		after, more := int64(-1), true
		for pages := 0; more; pages++ {
			var page []audit.Entry
			var err error
			if page, more, err = s.TimelinePage(ctx, ses.ID, after, 4); err != nil || pages > 3 {
				t.Fatal(err)
			}
			for _, e := range page {
				seen, after = append(seen, e.Seq), e.Seq
			}
		}
		if len(seen) != 10 {
			t.Errorf("read %v", seen)
		}
		if _, more, err := s.TimelinePage(ctx, ses.ID, -1, 10); err != nil || more {
			t.Errorf("a page that holds all says that there is more: %v", err)
		}
		_, _, err := s.TimelinePage(ctx, ses.ID, -1, TimelineLimit+1)
		wantErr(t, err, ErrInvalid)
	})
}
