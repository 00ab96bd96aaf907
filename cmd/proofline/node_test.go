package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

func openNode(t *testing.T, dir string) (*node, error) {
	t.Helper()
	c, err := parseArgs(t, "up", "--data-dir", dir)
	if err != nil {
		t.Fatal(err)
	}
	return c.Up.open(context.Background())
}

// used makes a data directory with one stored photo.
func used(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	n, err := openNode(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := n.vault.PutBytes(context.Background(), storage.Ref{Session: "ses_a", Class: storage.CaptureImage, Kind: "selfie"}, []byte("photo"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestADamagedDataDirectoryIsAnErrorThatSaysWhatToDo(t *testing.T) {
	at := func(name string) func(string) string {
		return func(dir string) string { return filepath.Join(dir, name) }
	}
	for name, tt := range map[string]struct {
		path func(string) string
		do   func(string) error
		want string
	}{
		"the keyring is readable by others":   {at("keyring"), func(p string) error { return os.Chmod(p, 0o644) }, "chmod 600"},
		"the keyring is gone":                 {at("keyring"), os.Remove, "restore it from its backup"},
		"the keyring is empty":                {at("keyring"), func(p string) error { return os.Truncate(p, 0) }, "holds no key"},
		"the audit key is readable by others": {at("audit.key"), func(p string) error { return os.Chmod(p, 0o644) }, "chmod 600"},
		"the audit key is empty":              {at("audit.key"), func(p string) error { return os.Truncate(p, 0) }, "audit.key"},
		"the database is none":                {at("proofline.db"), func(p string) error { return os.WriteFile(p, []byte(strings.Repeat("no database ", 1000)), 0o600) }, "open session store"},
		"the key store is gone":               {at("keystore"), os.RemoveAll, "holds no data key at all"},
		"a file stands where the blobs were": {at("blobs"), func(p string) error {
			if err := os.RemoveAll(p); err != nil {
				return err
			}
			return os.WriteFile(p, nil, 0o600)
		}, "evidence directory"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := used(t)
			path := tt.path(dir)
			if err := tt.do(path); err != nil {
				t.Fatal(err)
			}
			before, _ := os.Stat(path)
			n, err := openNode(t, dir)
			if err == nil {
				n.Close()
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want one about %q", err, tt.want)
			}
			if after, _ := os.Stat(path); before == nil && after != nil {
				t.Errorf("%s was made again", path)
			}
		})
	}
}

func TestTwoFirstStartsAtOnceAgreeOnTheirKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), auditKeyName)
	var wg sync.WaitGroup
	hashes := make([]uint32, 8)
	for i := range hashes {
		wg.Go(func() {
			s, err := openAuditKey(path)
			if err != nil {
				t.Error(err)
				return
			}
			hashes[i] = s.KeyHash()
		})
	}
	wg.Wait()
	for _, h := range hashes {
		if h != hashes[0] {
			t.Fatalf("keys %x", hashes)
		}
	}
	text, err := storage.ReadSecretFile(path)
	if err != nil {
		t.Fatal(err)
	}
	public, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	if want, err := audit.PublicKey(strings.TrimSpace(text)); err != nil || strings.TrimSpace(string(public)) != want {
		t.Errorf("the public half is %q, want %q (%v)", public, want, err)
	}
}

func TestAnEndpointThatIsNotConfiguredAnyMoreGetsNothing(t *testing.T) {
	ctx := context.Background()
	s := settings{DataDir: t.TempDir(), Storage: storageSettings{Driver: "fs"}}
	put := func(url, secret string) {
		t.Helper()
		n, err := s.open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		s.Webhook.URL, s.Webhook.Secret = url, secret
		if err := s.putEndpoint(ctx, n); err != nil {
			t.Fatal(err)
		}
	}
	active := func() (urls []string) {
		t.Helper()
		n, err := s.open(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		es, err := n.store.Endpoints(ctx, defaultTenant)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			if e.DisabledAt.IsZero() {
				urls = append(urls, e.URL)
			}
		}
		return urls
	}
	secret, other := webhook.NewSecret(), webhook.NewSecret()
	put("https://a.example/h", secret)
	put("https://b.example/h", secret)
	if got := active(); len(got) != 1 || got[0] != "https://b.example/h" {
		t.Fatalf("active %v", got)
	}
	n, err := s.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	es, err := n.store.Endpoints(ctx, defaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		if err := n.store.DisableEndpoint(ctx, operator, e.ID, "gone"); err != nil {
			t.Fatal(err)
		}
	}
	n.Close()
	put("https://b.example/h", secret)
	if got := active(); len(got) != 0 {
		t.Errorf("a restart woke an endpoint that wants no more: %v", got)
	}
	put("https://b.example/h", other)
	if got := active(); len(got) != 1 {
		t.Errorf("a new secret did not turn the endpoint on: %v", got)
	}
	put("https://a.example/h", secret)
	if got := active(); len(got) != 1 || got[0] != "https://a.example/h" {
		t.Errorf("active %v", got)
	}
	put("", "")
	if got := active(); len(got) != 0 {
		t.Errorf("active %v", got)
	}
}

func TestAnAuditKeyThatDidNotSignTheLogIsRefused(t *testing.T) {
	ctx := context.Background()
	s := settings{DataDir: t.TempDir(), Storage: storageSettings{Driver: "fs"}}
	n, err := s.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.store.Audit(ctx, audit.Entry{Actor: "operator:cli", Action: "test"}); err != nil {
		t.Fatal(err)
	}
	n.signEvery(time.Hour, newPublisher(n.blobs, n.signer, auditSettings{Publish: time.Hour, Keep: time.Hour}))()
	n.Close()
	for _, name := range []string{auditKeyName, auditKeyName + ".pub"} {
		if err := os.Remove(filepath.Join(s.DataDir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.open(ctx); err == nil || !strings.Contains(err.Error(), "another audit.key") {
		if err == nil {
			n.Close()
		}
		t.Errorf("error %v", err)
	}
}
