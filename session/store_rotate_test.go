package session

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestARotatedKeyWorksUntilTheOverlapIsOver(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		by := Actor{Role: Operator, ID: "test"}
		old, oldSecret, err := s.CreateAPIKey(ctx, by, "acme", "shop", []string{"sessions:read"}, 30*24*time.Hour)
		ok(t, err)
		c.add(24 * time.Hour)
		k, secret, err := s.RotateAPIKey(ctx, by, old.ID, time.Hour)
		if err != nil || k.Tenant != "acme" || k.Name != "shop" || !slices.Equal(k.Scopes, old.Scopes) || k.ExpiresAt.Sub(k.CreatedAt) != 30*24*time.Hour {
			t.Fatalf("%+v, %v", k, err)
		}
		for _, x := range []string{oldSecret, secret} {
			if _, err := s.APIKey(ctx, x); err != nil {
				t.Errorf("within the overlap: %v", err)
			}
		}
		c.add(time.Hour)
		if _, err := s.APIKey(ctx, oldSecret); !errors.Is(err, ErrTokenExpired) {
			t.Errorf("the old key after the overlap: %v", err)
		}
		if _, err := s.APIKey(ctx, secret); err != nil {
			t.Errorf("the new key after the overlap: %v", err)
		}
		if _, _, err := s.RotateAPIKey(ctx, by, old.ID, time.Hour); !errors.Is(err, ErrNotFound) {
			t.Errorf("an expired key was rotated: %v", err)
		}
		ok(t, s.RevokeAPIKey(ctx, by, k.ID))
		if _, _, err := s.RotateAPIKey(ctx, by, k.ID, 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("a revoked key was rotated: %v", err)
		}
		if _, _, err := s.RotateAPIKey(ctx, by, k.ID, 91*24*time.Hour); !errors.Is(err, ErrInvalid) {
			t.Errorf("an overlap of 91 days: %v", err)
		}
	})
}
