package storage_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

var (
	ctx  = context.Background()
	noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// flaky is a blob store whose operations can be made to fail.
type flaky struct {
	storage.Blobs
	mu          sync.Mutex
	failPuts    int
	failDeletes int
	beforePut   func()
}

func (f *flaky) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	f.mu.Lock()
	fail, hook := f.failPuts > 0, f.beforePut
	f.failPuts--
	f.mu.Unlock()
	if hook != nil {
		hook()
	}
	if fail {
		io.CopyN(io.Discard, r, 10)
		return errors.New("503 slow down")
	}
	return f.Blobs.Put(ctx, key, r, size)
}

func (f *flaky) Delete(ctx context.Context, key string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failDeletes > 0 {
		f.failDeletes--
		return errors.New("503 slow down")
	}
	return f.Blobs.Delete(ctx, key)
}

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newVault(t *testing.T) (*storage.Vault, *flaky, *clock) {
	t.Helper()
	keys, err := storage.OpenOrCreateKeyFile(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	f := &flaky{Blobs: openFS(t, t.TempDir())}
	c := &clock{noon}
	return storage.NewVault(f, keys, storagetest.NewMemoryIndex(), c.now), f, c
}

func put(t *testing.T, v *storage.Vault, session, text string, retain time.Time) storage.Object {
	t.Helper()
	o, err := v.PutBytes(ctx, storage.Ref{Session: session, Class: storage.CaptureImage, Kind: "selfie"}, []byte(text), retain)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func blobCount(t *testing.T, b storage.Blobs) int {
	t.Helper()
	l, err := b.List(ctx, "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	return len(l)
}

func TestVaultReturnsWhatWasStored(t *testing.T) {
	v, f, _ := newVault(t)
	for _, n := range []int{0, 1, 65_472, 65_480, 65_481, 65_536, 200_000, 3 << 20} {
		data := make([]byte, n)
		rand.Read(data)
		for _, r := range []io.Reader{bytes.NewReader(data), io.MultiReader(bytes.NewReader(data))} {
			o, err := v.Put(ctx, storage.Ref{Session: "ses_a", Class: storage.CaptureImage, Kind: "selfie"}, r, noon.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			got, err := v.Read(ctx, o, int64(n))
			if err != nil || !bytes.Equal(got, data) || o.Size != int64(n) {
				t.Fatalf("%d bytes: size %d, %v", n, o.Size, err)
			}
			stored, err := v.Index().GetObject(ctx, o.ID)
			if err != nil || stored.SHA256 != o.SHA256 || stored.SHA256 == "" || stored.CommittedAt.IsZero() {
				t.Fatalf("row %+v, %v", stored, err)
			}
			if n > 100 {
				raw, err := f.Get(ctx, o.Key)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(raw)
				raw.Close()
				if bytes.Contains(b, data[:64]) {
					t.Fatal("plaintext in the blob")
				}
			}
		}
	}
}

func TestVaultRefusesToReadMoreThanTheLimit(t *testing.T) {
	v, _, _ := newVault(t)
	o := put(t, v, "ses_a", "0123456789", noon.Add(time.Hour))
	if _, err := v.Read(ctx, o, 9); err == nil {
		t.Fatal("read 10 bytes with a limit of 9")
	}
}

func TestVaultTriesAFailingStoreAgain(t *testing.T) {
	v, f, _ := newVault(t)
	f.failPuts = 2
	o := put(t, v, "ses_a", strings.Repeat("x", 100_000), noon.Add(time.Hour))
	if got, err := v.Read(ctx, o, 1<<20); err != nil || len(got) != 100_000 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	f.failPuts = 3
	if _, err := v.PutBytes(ctx, storage.Ref{Session: "ses_a", Class: storage.CaptureImage}, []byte("y"), noon); err == nil {
		t.Fatal("three failures were no error")
	}
	if n := blobCount(t, f); n != 1 {
		t.Fatalf("%d blobs", n)
	}
	if l, _ := v.Index().ListObjects(ctx, "ses_a", ""); len(l) != 1 {
		t.Fatalf("rows: %+v", l)
	}
}

func TestErasedEvidenceIsUnreadableEvenFromABackup(t *testing.T) {
	v, f, _ := newVault(t)
	o := put(t, v, "ses_a", "the passport", noon.Add(time.Hour))
	other := put(t, v, "ses_b", "somebody else's", noon.Add(time.Hour))
	r, err := f.Get(ctx, o.Key)
	if err != nil {
		t.Fatal(err)
	}
	backup, _ := io.ReadAll(r)
	r.Close()

	cert, err := v.Erase(ctx, "ses_a", storage.CaptureImage)
	if err != nil {
		t.Fatal(err)
	}
	if len(cert.Deleted) != 1 || cert.Deleted[0].ID != o.ID || cert.Deleted[0].SHA256 != o.SHA256 || len(cert.Pending) != 0 {
		t.Fatalf("certificate %+v", cert)
	}
	if err := f.Blobs.Put(ctx, o.Key, bytes.NewReader(backup), int64(len(backup))); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open(ctx, o); !errors.Is(err, storage.ErrErased) {
		t.Fatalf("opening restored evidence: %v", err)
	}
	if _, err := v.PutBytes(ctx, storage.Ref{Session: "ses_a", Class: storage.CaptureImage}, []byte("late"), noon.Add(time.Hour)); !errors.Is(err, storage.ErrErased) {
		t.Fatalf("a late write: %v", err)
	}
	if _, err := v.Read(ctx, other, 100); err != nil {
		t.Fatalf("another session's evidence: %v", err)
	}
}

func TestEvidenceErasedDuringAWriteDoesNotStay(t *testing.T) {
	v, f, _ := newVault(t)
	put(t, v, "ses_a", "first", noon.Add(time.Hour))
	f.beforePut = func() {
		if _, err := v.Erase(ctx, "ses_a", storage.CaptureImage); err != nil {
			t.Error(err)
		}
	}
	_, err := v.PutBytes(ctx, storage.Ref{Session: "ses_a", Class: storage.CaptureImage}, []byte("second"), noon.Add(time.Hour))
	if !errors.Is(err, storage.ErrErased) {
		t.Fatalf("write during erasure: %v", err)
	}
	if n := blobCount(t, f); n != 0 {
		t.Fatalf("%d blobs are left", n)
	}
}

type edSigner struct{ key ed25519.PrivateKey }

func (s edSigner) Name() string                    { return "test" }
func (s edSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }
func (s edSigner) Verify(msg, sig []byte) bool {
	return ed25519.Verify(s.key.Public().(ed25519.PublicKey), msg, sig)
}

func TestADeletionCertificateIsSignedAndNotForgeable(t *testing.T) {
	v, _, _ := newVault(t)
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	v = v.WithSigner(edSigner{key})
	put(t, v, "ses_a", "x", noon.Add(time.Hour))
	cert, err := v.Erase(ctx, "ses_a", storage.CaptureImage)
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.Verify(edSigner{key}); err != nil {
		t.Fatal(err)
	}
	cert.Session = "ses_b"
	if cert.Verify(edSigner{key}) == nil {
		t.Fatal("a changed certificate verifies")
	}
}

func TestADeleteThatFailsIsVisibleAndTriedAgain(t *testing.T) {
	v, f, c := newVault(t)
	o := put(t, v, "ses_a", "x", noon.Add(time.Hour))
	f.failDeletes = 2
	cert, err := v.Erase(ctx, "ses_a", storage.CaptureImage)
	if err != nil {
		t.Fatal(err)
	}
	if len(cert.Pending) != 1 || len(cert.Deleted) != 0 {
		t.Fatalf("certificate %+v", cert)
	}
	row, _ := v.Index().GetObject(ctx, o.ID)
	if row.DeleteFailures != 1 || !strings.Contains(row.DeleteError, "503") {
		t.Fatalf("row %+v", row)
	}
	for _, step := range []struct {
		after           time.Duration
		deleted, failed int
	}{{0, 0, 0}, {time.Minute, 0, 1}, {90 * time.Second, 0, 0}, {3 * time.Minute, 1, 0}, {time.Hour, 0, 0}} {
		c.t = noon.Add(step.after)
		rep, err := v.Sweep(ctx, c.t, 10)
		if err != nil || rep.Deleted != step.deleted || len(rep.Failures) != step.failed {
			t.Fatalf("after %v: %+v, %v", step.after, rep, err)
		}
	}
	if n := blobCount(t, f); n != 0 {
		t.Fatalf("%d blobs are left", n)
	}
}

func TestSweepDeletesWhatExpiredAndNothingElse(t *testing.T) {
	v, f, c := newVault(t)
	short := put(t, v, "ses_a", "short", noon.Add(time.Hour))
	long := put(t, v, "ses_a", "long", noon.Add(48*time.Hour))
	only := put(t, v, "ses_b", "only", noon.Add(time.Hour))
	c.t = noon.Add(2 * time.Hour)
	rep, err := v.Sweep(ctx, c.t, 10)
	if err != nil || rep.Deleted != 2 || len(rep.Failures) != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if len(rep.Certificates) != 1 || rep.Certificates[0].Session != "ses_b" || rep.Certificates[0].Deleted[0].ID != only.ID {
		t.Fatalf("certificates: %+v", rep.Certificates)
	}
	if _, err := v.Read(ctx, long, 100); err != nil {
		t.Fatalf("evidence still retained: %v", err)
	}
	if _, err := v.Open(ctx, short); err == nil {
		t.Fatal("expired evidence opens")
	}
	if n := blobCount(t, f); n != 1 {
		t.Fatalf("%d blobs", n)
	}
}

func TestAnAbandonedWriteIsSweptWithoutErasingTheClass(t *testing.T) {
	v, _, c := newVault(t)
	o := put(t, v, "ses_a", "x", noon)
	if err := v.Index().DeleteObject(ctx, o.ID, noon); err != nil {
		t.Fatal(err)
	}
	if err := v.Index().PutObject(ctx, storage.Object{ID: "obj_crashed", Session: "ses_a", Class: storage.CaptureImage,
		Key: "capture_image/obj_crashed", CreatedAt: noon, RetainUntil: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	c.t = noon.Add(2 * time.Hour)
	rep, err := v.Sweep(ctx, c.t, 10)
	if err != nil || rep.Deleted != 1 || len(rep.Certificates) != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	put(t, v, "ses_a", "another try", noon.Add(48*time.Hour))
}

func TestSweepersMayRunTogetherInBoundedBatches(t *testing.T) {
	v, f, c := newVault(t)
	for i := range 60 {
		put(t, v, fmt.Sprintf("ses_%d", i%20), "x", noon.Add(time.Hour))
	}
	c.t = noon.Add(2 * time.Hour)
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				rep, err := v.Sweep(ctx, c.t, 7)
				if err != nil || len(rep.Failures) > 0 {
					t.Errorf("%+v, %v", rep, err)
					return
				}
				if rep.Expired == 0 {
					return
				}
			}
		}()
	}
	wg.Wait()
	if n := blobCount(t, f); n != 0 {
		t.Fatalf("%d blobs are left", n)
	}
}

func TestPutUsesConstantMemory(t *testing.T) {
	v, _, _ := newVault(t)
	data := make([]byte, 32<<20)
	perRun := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := v.PutBytes(ctx, storage.Ref{Session: "ses_a", Class: storage.CaptureImage}, data, noon); err != nil {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if perRun > 1<<20 {
		t.Fatalf("storing 32 MiB allocated %d bytes, want at most 1 MiB", perRun)
	}
}
