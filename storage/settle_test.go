package storage_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

// apart is a vault whose data keys and objects have an index each, so that
// either can be put back to an older state.
func apart(t *testing.T) (v func(keys, objects *storagetest.MemoryIndex) *storage.Vault, f *flaky) {
	t.Helper()
	ring, err := storage.OpenOrCreateKeyFile(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	f = &flaky{Blobs: openFS(t, t.TempDir())}
	return func(keys, objects *storagetest.MemoryIndex) *storage.Vault {
		return storage.NewVault(f, ring, objects, func() time.Time { return noon }).WithKeyIndex(keys)
	}, f
}

func settle(t *testing.T, v *storage.Vault) storage.SettleReport {
	t.Helper()
	rep, err := v.Settle(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestAnErasureOutlivesTheRestoreOfTheObjectsDatabase(t *testing.T) {
	vault, f := apart(t)
	keys, objects := storagetest.NewMemoryIndex(), storagetest.NewMemoryIndex()
	v := vault(keys, objects)
	o := put(t, v, "ses_a", "the passport", noon.Add(time.Hour))
	other := put(t, v, "ses_b", "somebody else's", noon.Add(time.Hour))
	settle(t, v)
	backup := objects.Clone()
	if _, err := v.Erase(ctx, "ses_a", storage.CaptureImage); err != nil {
		t.Fatal(err)
	}
	settle(t, v)

	v = vault(keys, backup) // restored, with the blob
	if err := f.Blobs.Put(ctx, o.Key, strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Open(ctx, o); !errors.Is(err, storage.ErrErased) {
		t.Fatalf("before settling: %v", err)
	}
	rep := settle(t, v)
	if rep.KeysRolledBack || len(rep.Restored) != 1 || rep.Restored[0].Session != "ses_a" || rep.Expired != 1 {
		t.Fatalf("%+v", rep)
	}
	if rep := settle(t, v); len(rep.Restored) != 0 || rep.Expired != 0 {
		t.Fatalf("settled twice: %+v", rep)
	}
	if rep, err := v.Sweep(ctx, noon.Add(time.Second), 10); err != nil || rep.Deleted != 1 {
		t.Fatalf("the restored bytes are not swept: %+v, %v", rep, err)
	}
	if _, err := v.Read(ctx, other, 100); err != nil {
		t.Fatal(err)
	}
}

func TestAnErasureOutlivesTheRestoreOfTheKeysDatabase(t *testing.T) {
	vault, _ := apart(t)
	keys, objects := storagetest.NewMemoryIndex(), storagetest.NewMemoryIndex()
	v := vault(keys, objects)
	for i := range 600 { // more than one page
		k := storage.DataKey{Session: fmt.Sprintf("ses_%03d", i), Class: storage.CaptureImage, KeyID: "k1", Wrapped: []byte("w"), CreatedAt: noon}
		if _, err := keys.PutDataKey(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	o := put(t, v, "ses_b", "somebody else's", noon.Add(time.Hour))
	backup := keys.Clone()
	for i := range 600 {
		if _, err := v.Erase(ctx, fmt.Sprintf("ses_%03d", i), storage.CaptureImage); err != nil {
			t.Fatal(err)
		}
	}
	settle(t, v)

	v = vault(backup, objects)
	rep := settle(t, v)
	if !rep.KeysRolledBack || rep.Destroyed != 600 {
		t.Fatalf("%+v", rep)
	}
	if uses, _ := backup.KeysInUse(ctx); len(uses) != 1 || uses[0].Live != 1 {
		t.Fatalf("live keys: %+v", uses)
	}
	if rep := settle(t, v); rep.KeysRolledBack || rep.Destroyed != 0 {
		t.Fatalf("settled twice: %+v", rep)
	}
	if _, err := v.Read(ctx, o, 100); err != nil {
		t.Fatal(err)
	}
}

func TestARollbackOfTheKeysRightAfterAnErasureIsNoticed(t *testing.T) {
	vault, _ := apart(t)
	keys, objects := storagetest.NewMemoryIndex(), storagetest.NewMemoryIndex()
	v := vault(keys, objects)
	o := put(t, v, "ses_a", "the passport", noon.Add(time.Hour))
	other := put(t, v, "ses_b", "somebody else's", noon.Add(time.Hour))
	settle(t, v)
	backup := keys.Clone()
	if _, err := v.Erase(ctx, "ses_a", storage.CaptureImage); err != nil {
		t.Fatal(err)
	}
	// Nothing settles in between: the next start finds the older keys.
	v = vault(backup, objects)
	if rep := settle(t, v); !rep.KeysRolledBack || rep.Destroyed != 1 {
		t.Fatalf("%+v", rep)
	}
	if _, err := v.Open(ctx, o); !errors.Is(err, storage.ErrErased) {
		t.Fatalf("erased evidence opens: %v", err)
	}
	if _, err := v.Read(ctx, other, 100); err != nil {
		t.Fatal(err)
	}
	if rep := settle(t, v); rep.KeysRolledBack {
		t.Fatalf("settled twice: %+v", rep)
	}
}

func TestWhenBothAreOldTheErasuresOfALogAreCarriedOutAgain(t *testing.T) {
	vault, _ := apart(t)
	keys, objects := storagetest.NewMemoryIndex(), storagetest.NewMemoryIndex()
	v := vault(keys, objects)
	o := put(t, v, "ses_a", "the passport", noon.Add(time.Hour))
	v = vault(keys.Clone(), objects.Clone()) // the erasure happened elsewhere
	if _, err := v.Read(ctx, o, 100); err != nil {
		t.Fatalf("the test is about evidence that came back: %v", err)
	}
	for _, want := range []bool{true, false} {
		if lived, err := v.Reerase(ctx, "ses_a", storage.CaptureImage, noon); err != nil || lived != want {
			t.Fatalf("the key had come back: %v, want %v: %v", lived, want, err)
		}
	}
	if _, err := v.Open(ctx, o); !errors.Is(err, storage.ErrErased) {
		t.Fatal(err)
	}
	if _, err := v.Reerase(ctx, "ses_a", "no such class", noon); err == nil {
		t.Fatal("an unknown class was erased")
	}
}

func TestALegalHoldStopsErasureAndSweep(t *testing.T) {
	v, f, c := newVault(t)
	index := v.Index().(*storagetest.MemoryIndex)
	o := put(t, v, "ses_a", "x", noon.Add(time.Hour))
	free := put(t, v, "ses_b", "y", noon.Add(time.Hour))
	index.Hold("ses_a", true)
	if _, err := v.Erase(ctx, "ses_a", storage.CaptureImage); !errors.Is(err, storage.ErrHeld) {
		t.Fatal(err)
	}
	c.t = noon.Add(2 * time.Hour)
	if rep, err := v.Sweep(ctx, c.t, 10); err != nil || rep.Deleted != 1 || rep.Certificates[0].Session != "ses_b" {
		t.Fatalf("%+v, %v", rep, err)
	}
	if _, err := v.Read(ctx, o, 10); err != nil {
		t.Fatalf("held evidence: %v", err)
	}
	if _, err := v.Open(ctx, free); err == nil {
		t.Fatal("evidence without a hold stayed")
	}
	index.Hold("ses_a", false)
	if rep, err := v.Sweep(ctx, c.t, 10); err != nil || rep.Deleted != 1 || blobCount(t, f) != 0 {
		t.Fatalf("after the hold: %+v, %v", rep, err)
	}
}

// dies is an index that fails at a step of an erasure, as a process that dies
// there does.
type dies struct {
	*storagetest.MemoryIndex
	at string
}

var errDied = errors.New("killed")

func (d *dies) step(name string) error {
	if d.at == name {
		return errDied
	}
	return nil
}

func (d *dies) ExpireObjects(ctx context.Context, session string, c storage.Class, at time.Time) (int, error) {
	if err := d.step("expire"); err != nil {
		return 0, err
	}
	return d.MemoryIndex.ExpireObjects(ctx, session, c, at)
}

func (d *dies) DeleteObject(ctx context.Context, id string, at time.Time) error {
	if err := d.step("delete"); err != nil {
		return err
	}
	return d.MemoryIndex.DeleteObject(ctx, id, at)
}

func TestAnErasureThatDiedAnywhereIsFinishedAndCertifiedBySweeping(t *testing.T) {
	for _, at := range []string{"expire", "delete", "certificate"} {
		t.Run(at, func(t *testing.T) {
			ring, err := storage.OpenOrCreateKeyFile(t.TempDir() + "/keys")
			if err != nil {
				t.Fatal(err)
			}
			f := &flaky{Blobs: openFS(t, t.TempDir())}
			index := &dies{MemoryIndex: storagetest.NewMemoryIndex()}
			now := noon
			v := storage.NewVault(f, ring, index, func() time.Time { return now })
			o := put(t, v, "ses_a", "x", noon.Add(48*time.Hour))
			index.at = at
			_, err = v.Erase(ctx, "ses_a", storage.CaptureImage)
			if at != "certificate" && !errors.Is(err, errDied) && err != nil {
				t.Fatal(err)
			}
			index.at = ""
			if _, err := v.Open(ctx, o); err == nil {
				t.Fatal("readable after the key was destroyed")
			}
			settle(t, v)
			var certs []storage.Certificate
			for range 3 {
				now = now.Add(15 * time.Minute)
				rep, err := v.Sweep(ctx, now, 10)
				if err != nil || len(rep.Failures) > 0 {
					t.Fatalf("%+v, %v", rep, err)
				}
				for _, cert := range rep.Certificates {
					certs = append(certs, cert)
					if err := v.Certified(ctx, cert); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(certs) != 1 || len(certs[0].Deleted) != 1 || certs[0].Deleted[0].ID != o.ID || len(certs[0].Pending) != 0 {
				t.Fatalf("certificates: %+v", certs)
			}
			if n := blobCount(t, f); n != 0 {
				t.Fatalf("%d blobs are left", n)
			}
		})
	}
}
