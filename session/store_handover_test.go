package session

import (
	"errors"
	"sync"
	"testing"
	"time"
)

func TestAHandoverTokenIsRedeemedOnceHoweverManyTry(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		_, secret, err := s.IssueClientToken(ctx, client, ses.ID, "handover", 10*time.Minute)
		ok(t, err)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var won []string
		for range 5 {
			wg.Go(func() {
				_, fresh, err := s.RedeemClientToken(ctx, secret, "handover", "capture", time.Hour)
				if err != nil {
					if !errors.Is(err, ErrTokenInvalid) {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				won = append(won, fresh)
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("redeemed %d times", len(won))
		}
		got, err := s.ClientToken(ctx, won[0], "capture")
		if err != nil || got.Session != ses.ID {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := s.ClientToken(ctx, secret, "handover"); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("the redeemed token still works: %v", err)
		}
	})
}

func TestAHandoverTokenIsForItsPurposeAndItsTime(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		_, capture, err := s.IssueClientToken(ctx, client, ses.ID, "capture", time.Hour)
		ok(t, err)
		if _, _, err := s.RedeemClientToken(ctx, capture, "handover", "capture", time.Hour); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("a capture token was redeemed: %v", err)
		}
		_, secret, err := s.IssueClientToken(ctx, client, ses.ID, "handover", 10*time.Minute)
		ok(t, err)
		c.add(10 * time.Minute)
		if _, _, err := s.RedeemClientToken(ctx, secret, "handover", "capture", time.Hour); !errors.Is(err, ErrTokenExpired) {
			t.Errorf("an old token: %v", err)
		}
	})
}
