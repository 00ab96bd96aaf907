package kms

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
)

func open(t *testing.T, c Config) *Sealer {
	t.Helper()
	s, err := Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAKeyIsSealedForItsIdAndOpensForNoOther(t *testing.T) {
	srv := newServer(t)
	s := open(t, srv.config())
	if s.Name() != testARN {
		t.Fatalf("the alias is not resolved: %s", s.Name())
	}
	key := bytes.Repeat([]byte{7}, 32)
	sealed, err := s.Seal(ctx, "k1", key)
	if err != nil || bytes.Contains(sealed, key) {
		t.Fatalf("%x, %v", sealed, err)
	}
	if got, err := s.Open(ctx, "k1", sealed); err != nil || !bytes.Equal(got, key) {
		t.Fatalf("%x, %v", got, err)
	}
	if _, err := s.Open(ctx, "k2", sealed); err == nil || !strings.Contains(err.Error(), "not sealed by a key of this service") {
		t.Fatalf("opened for another id: %v", err)
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := s.Open(ctx, "k1", sealed); err == nil {
		t.Fatal("a changed key opened")
	}
}

func TestAKeyringFileSealedByTheServiceHoldsNoKeyAndWorksDuringAnOutage(t *testing.T) {
	srv := newServer(t)
	s := open(t, srv.config())
	path := filepath.Join(t.TempDir(), "keyring")
	keys, err := storage.OpenKeyFile(ctx, path, s, true)
	if err != nil {
		t.Fatal(err)
	}
	id, wrapped, err := keys.Wrap(ctx, []byte("dek"), []byte("ad"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := keys.Add(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "kms:") != 2 {
		t.Fatalf("%q, %v", text, err)
	}
	again, err := storage.OpenKeyFile(ctx, path, s, false)
	if err != nil || again.Primary() != id || len(again.IDs()) != 2 {
		t.Fatalf("%v, %v, want %s beside %s", again, err, id, second)
	}
	srv.Close() // the keys are in memory
	if dek, err := again.Unwrap(ctx, id, wrapped, []byte("ad")); err != nil || string(dek) != "dek" {
		t.Fatalf("%q, %v", dek, err)
	}
	if _, err := storage.LoadKeyFile(path); !errors.Is(err, storage.ErrSealed) {
		t.Fatalf("opened without the service: %v", err)
	}
}

func TestWhatIsWrongWithTheServiceIsSaidAtStart(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(*server, *Config)
		want string
	}{
		"no key named":       {func(_ *server, c *Config) { c.Key = "" }, "is needed"},
		"no such key":        {func(_ *server, c *Config) { c.Key = "alias/other" }, "there is no such key"},
		"disabled":           {func(s *server, _ *Config) { s.state = "Disabled" }, "not enabled but Disabled"},
		"about to be gone":   {func(s *server, _ *Config) { s.state = "PendingDeletion" }, "PendingDeletion"},
		"for signatures":     {func(s *server, _ *Config) { s.usage = "SIGN_VERIFY" }, "no symmetric key"},
		"wrong secret":       {func(*server, *Config) { os.Setenv("AWS_SECRET_ACCESS_KEY", "other") }, "refuses the signature"},
		"nobody answers":     {func(_ *server, c *Config) { c.Endpoint, c.Timeout = "http://127.0.0.1:1", 2*time.Second }, "no answer"},
		"another region":     {func(_ *server, c *Config) { c.Region = "us-east-1" }, "refuses the signature"},
		"fails and recovers": {func(s *server, _ *Config) { s.outage.Store(2) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			srv := newServer(t)
			c := srv.config()
			tt.do(srv, &c)
			_, err := Open(ctx, c)
			if tt.want == "" {
				if err != nil || srv.calls.Load() != 3 {
					t.Fatalf("%d requests, %v", srv.calls.Load(), err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want one about %q", err, tt.want)
			}
		})
	}
}
