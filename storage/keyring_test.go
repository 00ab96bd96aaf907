package storage_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

func TestAKeyFileIsCreatedPrivateAndReadAgain(t *testing.T) {
	path := t.TempDir() + "/sub/keys"
	a, err := storage.OpenOrCreateKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	i, err := os.Stat(path)
	if err != nil || i.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", i.Mode(), err)
	}
	b, err := storage.OpenOrCreateKeyFile(path)
	if err != nil || a.Primary() != b.Primary() {
		t.Fatalf("second open: %v", err)
	}
	id, wrapped, _ := a.Wrap(ctx, []byte("dek"), []byte("ad"))
	if got, err := b.Unwrap(ctx, id, wrapped, []byte("ad")); err != nil || string(got) != "dek" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := b.Unwrap(ctx, id, wrapped, []byte("other")); !errors.Is(err, storage.ErrMismatch) {
		t.Fatalf("unwrap for another binding: %v", err)
	}
	if left, _ := os.ReadDir(path[:len(path)-5]); len(left) != 1 {
		t.Fatalf("files left beside the key file: %v", left)
	}
}

func TestAKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	path := t.TempDir() + "/keys"
	if _, err := storage.OpenOrCreateKeyFile(path); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := storage.OpenOrCreateKeyFile(path); err == nil || !strings.Contains(err.Error(), "others may read it") {
			t.Fatalf("mode %o: %v", mode, err)
		}
	}
}

func TestABrokenKeyringIsAnErrorThatHoldsNoKey(t *testing.T) {
	const secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U="
	for _, text := range []string{"", "# only words", "k1", "k1 " + secret[:20], secret, "K1 " + secret, "k1 " + secret + " x", "k1 " + secret + "\nk1 " + secret} {
		_, err := storage.ParseKeys(text)
		if err == nil || strings.Contains(err.Error(), secret[:20]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRotationMovesDataKeysAndLeavesObjects(t *testing.T) {
	path := t.TempDir() + "/keys"
	old, err := storage.OpenOrCreateKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	index, blobs := storagetest.NewMemoryIndex(), openFS(t, t.TempDir())
	v := storage.NewVault(blobs, old, index, func() time.Time { return noon })
	a, b := put(t, v, "ses_a", "a", noon.Add(time.Hour)), put(t, v, "ses_b", "b", noon.Add(time.Hour))

	id, err := addPrimary(path)
	if err != nil {
		t.Fatal(err)
	}
	both, err := storage.LoadKeyFile(path)
	if err != nil || both.Primary() != id {
		t.Fatalf("primary %s, want %s: %v", both.Primary(), id, err)
	}
	v = storage.NewVault(blobs, both, index, func() time.Time { return noon })
	told := 0
	if n, err := v.Rewrap(ctx, 1, func() { told++ }); n != 2 || told != 2 || err != nil {
		t.Fatalf("moved %d keys, told of %d: %v", n, told, err)
	}
	if n, err := v.Rewrap(ctx, 1, nil); n != 0 || err != nil {
		t.Fatalf("moved %d keys the second time: %v", n, err)
	}
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	onlyNew, err := storage.ParseKeys(lines[len(lines)-1])
	if err != nil {
		t.Fatal(err)
	}
	v = storage.NewVault(blobs, onlyNew, index, func() time.Time { return noon })
	if err := v.CheckKeys(ctx); err != nil {
		t.Fatal(err)
	}
	for _, o := range []storage.Object{a, b} {
		if _, err := v.Read(ctx, o, 10); err != nil {
			t.Fatal(err)
		}
	}
	var missing *storage.MissingKeysError
	if err := storage.NewVault(blobs, old, index, time.Now).CheckKeys(ctx); !errors.As(err, &missing) || missing.Missing[0].KeyID != id {
		t.Fatalf("check with the old key only: %v", err)
	}
}

func TestASealedSecretOpensForItsPurposeOnly(t *testing.T) {
	keys, err := storage.OpenOrCreateKeyFile(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := storage.SealSecret(ctx, keys, "webhook", []byte("whsec_x"))
	if err != nil || strings.Contains(string(sealed), "whsec") {
		t.Fatalf("%q, %v", sealed, err)
	}
	if got, err := storage.OpenSecret(ctx, keys, "webhook", sealed); err != nil || string(got) != "whsec_x" {
		t.Fatalf("%q, %v", got, err)
	}
	if _, err := storage.OpenSecret(ctx, keys, "login", sealed); !errors.Is(err, storage.ErrMismatch) {
		t.Fatalf("opened for another purpose: %v", err)
	}
	if _, err := storage.OpenSecret(ctx, keys, "webhook", []byte("no")); !errors.Is(err, storage.ErrFormat) {
		t.Fatalf("opened nonsense: %v", err)
	}
}

func TestAKeyThatHalfARotationStillNeedsIsMissedAtStart(t *testing.T) {
	path := t.TempDir() + "/keys"
	keys, err := storage.OpenOrCreateKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	index, blobs := storagetest.NewMemoryIndex(), openFS(t, t.TempDir())
	v := storage.NewVault(blobs, keys, index, func() time.Time { return noon })
	put(t, v, "ses_a", "a", noon.Add(time.Hour))
	put(t, v, "ses_b", "b", noon.Add(time.Hour))
	if _, err := addPrimary(path); err != nil {
		t.Fatal(err)
	}
	both, err := storage.LoadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v = storage.NewVault(blobs, both, index, func() time.Time { return noon })
	stopped, stop := context.WithCancel(ctx)
	if n, err := v.Rewrap(stopped, 1, stop); n != 1 || !errors.Is(err, context.Canceled) {
		t.Fatal(n, err)
	}
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	onlyNew, err := storage.ParseKeys(lines[len(lines)-1])
	if err != nil {
		t.Fatal(err)
	}
	var missing *storage.MissingKeysError
	if err := storage.NewVault(blobs, onlyNew, index, time.Now).CheckKeys(ctx); !errors.As(err, &missing) ||
		len(missing.Missing) != 1 || missing.Missing[0] != (storage.KeyUse{KeyID: keys.Primary(), Live: 1}) || !strings.Contains(err.Error(), "restore the keyring") {
		t.Fatalf("check without the old key: %v", err)
	}
	if err := v.CheckKeys(ctx); err != nil {
		t.Fatal(err)
	}
}

func TestASecondMachineWithAKeyringOfItsOwnIsRefused(t *testing.T) {
	index := storagetest.NewMemoryIndex()
	start := func(path string) error {
		keys, err := storage.OpenOrCreateKeyFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return storage.NewVault(nil, keys, index, time.Now).CheckKeys(ctx)
	}
	first, second := t.TempDir()+"/keys", t.TempDir()+"/keys"
	for range 2 {
		if err := start(first); err != nil {
			t.Fatal(err)
		}
	}
	var missing *storage.MissingKeysError
	if err := start(second); !errors.As(err, &missing) {
		t.Fatalf("no evidence is stored yet, but will be: %v", err)
	}
}

// addPrimary adds a key to a file and makes it the primary one.
func addPrimary(path string) (string, error) {
	f, err := storage.OpenKeyFile(ctx, path, nil, false)
	if err != nil {
		return "", err
	}
	id, err := f.Add(ctx)
	if err != nil {
		return "", err
	}
	return id, f.Promote(ctx, id)
}

func TestAKeyIsAddedBesideThePrimaryPromotedAndRemoved(t *testing.T) {
	path := t.TempDir() + "/keys"
	server, err := storage.OpenKeyFile(ctx, path, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	command, err := storage.OpenKeyFile(ctx, path, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	old := server.Primary()
	added, err := command.Add(ctx)
	if err != nil || command.Primary() != old || len(command.IDs()) != 2 {
		t.Fatalf("primary %s, keys %v: %v", command.Primary(), command.IDs(), err)
	}
	if err := command.Promote(ctx, added); err != nil || command.Primary() != added {
		t.Fatal(command.Primary(), err)
	}
	// A server that runs since before meets the new key and finds it.
	id, wrapped, _ := command.Wrap(ctx, []byte("dek"), nil)
	if got, err := server.Unwrap(ctx, id, wrapped, nil); err != nil || string(got) != "dek" || server.Primary() != added {
		t.Fatalf("%q, %v", got, err)
	}
	if err := command.Remove(ctx, added); err == nil {
		t.Fatal("the primary key was removed")
	}
	if err := command.Remove(ctx, old); err != nil || len(command.IDs()) != 1 {
		t.Fatal(command.IDs(), err)
	}
	var unknown *storage.UnknownKeyError
	if err := command.Promote(ctx, old); !errors.As(err, &unknown) {
		t.Fatal(err)
	}
	if i, err := os.Stat(path); err != nil || i.Mode().Perm() != 0o600 {
		t.Fatal(i.Mode(), err)
	}
}

func TestTwoCommandsThatAddKeysAtOnceLoseNone(t *testing.T) {
	path := t.TempDir() + "/keys"
	if _, err := storage.OpenKeyFile(ctx, path, nil, true); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			f, err := storage.OpenKeyFile(ctx, path, nil, false)
			if err == nil {
				_, err = f.Add(ctx)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	l, err := storage.LoadKeyFile(path)
	if err != nil || len(l.IDs()) != 9 {
		t.Fatal(l.IDs(), err)
	}
}
