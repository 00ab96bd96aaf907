package session

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAKeyIsOfALiveTenantOrOfASandboxAndSaysSo(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		by := Actor{Role: Operator, ID: "cli"}
		test, secret, err := s.CreateAPIKey(ctx, by, TestTenant("acme"), "sandbox", []string{"sessions:create"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, live, err := s.CreateAPIKey(ctx, by, "acme", "live", []string{"sessions:create"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(secret, "plk_test_") || strings.HasPrefix(live, "plk_test_") {
			t.Errorf("prefixes %.12s, %.12s", secret, live)
		}
		if k, err := s.APIKey(ctx, secret); err != nil || !k.Test() || k.Tenant == "acme" {
			t.Errorf("%+v, %v", k, err)
		}
		if k, err := s.APIKey(ctx, live); err != nil || k.Test() {
			t.Errorf("%+v, %v", k, err)
		}
		_, next, err := s.RotateAPIKey(ctx, by, test.ID, time.Hour)
		if err != nil || !strings.HasPrefix(next, "plk_test_") {
			t.Errorf("its successor begins with %.12s, %v", next, err)
		}
		if k, err := s.APIKey(ctx, next); err != nil || !k.Test() {
			t.Errorf("%+v, %v", k, err)
		}
		// A row that was moved between tenants by hand opens nothing.
		if err := s.write(ctx, "move key", func(tx *Tx) error {
			_, err := tx.exec("UPDATE api_keys SET tenant = 'acme' WHERE id = ?", test.ID)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.APIKey(ctx, secret); !errors.Is(err, ErrTokenInvalid) {
			t.Errorf("a test key of a live tenant: %v", err)
		}
	})
}

func TestAMisspeltReferenceIsNoApproval(t *testing.T) {
	for _, ref := range []string{"test:", "test:aproved", "test:capture.blured", "test:capture.blurred,", "test:review=maybe", "test:always:", "test:always:approved"} {
		if s, err := ParseSandbox(ref); err == nil {
			t.Errorf("%q is taken for %+v", ref, s)
		}
	}
}
