package session

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
)

var someSteps = json.RawMessage(`[{"turn":"left","at_ms":1000,"for_ms":1500}]`)

// capturing is a session that waits for the person.
func capturing(t *testing.T, s *Store) *Session {
	t.Helper()
	ses := must[*Session](t)(s.Create(ctx, newSession()))
	return must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: ConsentGiven, Actor: client, Consent: &Consent{TextHash: "x", Scope: []string{"document", "biometric"}}}, nil))
}

func digestOf(c string) string { return strings.Repeat(c, 64) }

func TestAChallengeIsAnsweredOnceHoweverManyTry(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := capturing(t, s)
		made, nonce, err := s.IssueChallenge(ctx, client, ses.ID, someSteps, []string{"virtual_camera"}, time.Minute)
		if err != nil || len(nonce)*8 < 128 {
			t.Fatal(len(nonce), err)
		}
		if _, err := s.AnsweredChallenge(ctx, ses.ID, nonce); !errors.Is(err, ErrNotFound) {
			t.Errorf("answered before it was: %v", err)
		}
		c.add(9 * time.Second)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var won []string
		for _, d := range []string{"a", "b", "c", "d", "e", "f"} {
			wg.Go(func() {
				_, err := s.AnswerChallenge(ctx, client, ses.ID, nonce, digestOf(d))
				if err != nil {
					if !errors.Is(err, ErrChallengeUsed) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				won = append(won, d)
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("answered %d times", len(won))
		}
		c.add(time.Hour)
		if _, err := s.AnswerChallenge(ctx, client, ses.ID, nonce, digestOf(won[0])); err != nil {
			t.Errorf("the same answer, sent again: %v", err)
		}
		got, err := s.AnsweredChallenge(ctx, ses.ID, nonce)
		if err != nil || got.ID != made.ID || string(got.Steps) != string(someSteps) || got.Hints[0] != "virtual_camera" || got.AnsweredAt.Sub(got.CreatedAt) != 9*time.Second {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestAnAnswerIsRefusedForWhatIsWrongWithIt(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses, other := capturing(t, s), capturing(t, s)
		_, first, err := s.IssueChallenge(ctx, client, ses.ID, someSteps, nil, time.Minute)
		ok(t, err)
		answer := func(id string, nonce []byte) error {
			_, err := s.AnswerChallenge(ctx, client, id, nonce, digestOf("a"))
			return err
		}
		if err := answer(other.ID, first); !errors.Is(err, ErrChallengeUnknown) {
			t.Errorf("another session's nonce: %v", err)
		}
		if err := answer(ses.ID, []byte("guessed")); !errors.Is(err, ErrChallengeUnknown) {
			t.Errorf("a made-up nonce: %v", err)
		}
		_, second, err := s.IssueChallenge(ctx, client, ses.ID, someSteps, nil, time.Minute)
		ok(t, err)
		if err := answer(ses.ID, first); !errors.Is(err, ErrChallengeUsed) {
			t.Errorf("a replaced challenge: %v", err)
		}
		c.add(time.Minute)
		if err := answer(ses.ID, second); !errors.Is(err, ErrChallengeExpired) {
			t.Errorf("too late: %v", err)
		}
		for range MaxChallenges - 2 {
			_, _, err = s.IssueChallenge(ctx, client, ses.ID, someSteps, nil, time.Minute)
			ok(t, err)
		}
		if _, _, err := s.IssueChallenge(ctx, client, ses.ID, someSteps, nil, time.Minute); !errors.Is(err, ErrChallengesSpent) {
			t.Errorf("one too many: %v", err)
		}
		if left, err := s.ChallengesLeft(ctx, ses.ID, 1); err != nil || left != 0 {
			t.Error(left, err)
		}
		if _, _, err := s.IssueChallenge(ctx, client, must[*Session](t)(s.Create(ctx, newSession())).ID, someSteps, nil, time.Minute); !errors.Is(err, ErrConflict) {
			t.Errorf("before consent: %v", err)
		}
		if _, _, err := s.IssueChallenge(ctx, client, other.ID, json.RawMessage("x"), nil, time.Minute); !errors.Is(err, ErrInvalid) {
			t.Errorf("steps that are none: %v", err)
		}
	})
}

func TestAssistanceIsKnownAndAuditedOnceUntilAChallengeIsAnswered(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := capturing(t, s)
		if at, err := s.Assisted(ctx, ses.ID); err != nil || !at.IsZero() {
			t.Error(at, err)
		}
		choose := func(want int) {
			t.Helper()
			for range 3 {
				c.add(time.Second)
				ok(t, s.ChooseAssistance(ctx, client, ses.ID))
			}
			n := 0
			for _, e := range must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID)) {
				if e.Action == "challenge.assistance" {
					n++
				}
			}
			if n != want {
				t.Errorf("%d entries, want %d", n, want)
			}
		}
		first := c.Now().Add(time.Second)
		choose(1)
		if at, err := s.Assisted(ctx, ses.ID); err != nil || !at.Equal(first) {
			t.Error(at, err)
		}
		_, nonce, err := s.IssueChallenge(ctx, client, ses.ID, someSteps, nil, time.Minute)
		ok(t, err)
		must[Challenge](t)(s.AnswerChallenge(ctx, client, ses.ID, nonce, strings.Repeat("ab", 32)))
		again := c.Now().Add(time.Second)
		choose(2)
		if at, err := s.Assisted(ctx, ses.ID); err != nil || !at.Equal(again) {
			t.Error(at, err)
		}
		if err := s.ChooseAssistance(ctx, client, must[*Session](t)(s.Create(ctx, newSession())).ID); !errors.Is(err, ErrConflict) {
			t.Errorf("before consent: %v", err)
		}
	})
}
