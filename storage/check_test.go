package storage_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
)

func TestCheckFindsWhatIsMissingAndWhatIsLeftOver(t *testing.T) {
	v, f, c := newVault(t)
	put(t, v, "ses_ok", "fine", noon.Add(48*time.Hour))
	missing := put(t, v, "ses_missing", "gone", noon.Add(48*time.Hour))
	cut := put(t, v, "ses_cut", strings.Repeat("x", 1000), noon.Add(48*time.Hour))
	left := put(t, v, "ses_left", "left over", noon.Add(48*time.Hour))
	if err := f.Blobs.Delete(ctx, missing.Key); err != nil {
		t.Fatal(err)
	}
	for key, text := range map[string]string{cut.Key: "short", "capture_image/obj_nobody": "orphan", "audit-log/x": "not evidence"} {
		if err := f.Blobs.Put(ctx, key, strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Index().DeleteObject(ctx, left.ID, noon); err != nil {
		t.Fatal(err)
	}
	check := func(o storage.CheckOptions) (storage.CheckReport, map[string]string) {
		t.Helper()
		found := map[string]string{}
		o.Found = func(p storage.Problem) { found[p.Key] = p.Kind }
		rep, err := v.Check(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		return rep, found
	}
	c.t = time.Now()
	if _, found := check(storage.CheckOptions{}); len(found) != 2 {
		t.Fatalf("blobs that are minutes old count: %v", found)
	}
	c.t = time.Now().Add(25 * time.Hour)
	rep, found := check(storage.CheckOptions{})
	want := map[string]string{missing.Key: storage.MissingBlob, cut.Key: storage.WrongSize, "capture_image/obj_nobody": storage.OrphanBlob, left.Key: storage.LeftoverBlob}
	for k, kind := range want {
		if found[k] != kind {
			t.Errorf("%s is %q, want %q", k, found[k], kind)
		}
	}
	if len(found) != 4 || rep.Missing != 2 || rep.Orphans != 2 || rep.Repaired != 0 || rep.Objects != 3 {
		t.Fatalf("%+v, %v", rep, found)
	}
	if rep, _ := check(storage.CheckOptions{Repair: true}); rep.Repaired != 2 {
		t.Fatalf("%+v", rep)
	}
	if rep, found = check(storage.CheckOptions{}); rep.Orphans != 0 || len(found) != 2 {
		t.Fatalf("after the repair: %+v, %v", rep, found)
	}
	if _, err := f.Stat(ctx, "audit-log/x"); err != nil {
		t.Fatal("something that is no evidence was removed")
	}
}

// behind lists as some stores do: what was deleted is still there, what was
// stored is not there yet.
type behind struct {
	storage.Blobs
	list []storage.Info
}

func (b *behind) List(context.Context, string, string, int) ([]storage.Info, error) {
	return b.list, nil
}

func TestAListingThatLagsBehindMakesNoProblems(t *testing.T) {
	v, f, c := newVault(t)
	b := &behind{Blobs: f}
	v = v.WithRegion("eu", b)
	ref := storage.Ref{Session: "ses_a", Class: storage.CaptureImage, Region: "eu"}
	if _, err := v.PutBytes(ctx, ref, []byte("x"), noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	b.list = []storage.Info{{Key: "capture_image/obj_deleted_long_ago", Size: 9, Modified: noon.Add(-48 * time.Hour)}}
	c.t = noon.Add(time.Minute)
	rep, err := v.Check(ctx, storage.CheckOptions{Repair: true})
	if err != nil || rep.Missing+rep.Orphans+rep.Repaired != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
}

func TestADiskThatIsFullIsSaidSoAndLeavesNothing(t *testing.T) {
	dir := smallDisk(t, 1<<20)
	f := openFS(t, filepath.Join(dir, "blobs"))
	ring, err := storage.OpenOrCreateKeyFile(t.TempDir() + "/keys")
	if err != nil {
		t.Fatal(err)
	}
	v := storage.NewVault(f, ring, newMemory(), time.Now)
	put(t, v, "ses_a", "fits", noon.Add(time.Hour))
	_, err = v.PutBytes(ctx, storage.Ref{Session: "ses_a", Class: storage.CaptureImage}, make([]byte, 4<<20), noon.Add(time.Hour))
	wantFull(t, err)
	if n := blobCount(t, f); n != 1 {
		t.Fatalf("%d blobs", n)
	}
	temp, err := os.ReadDir(filepath.Join(dir, "blobs", ".tmp"))
	if err != nil || len(temp) != 0 {
		t.Fatalf("left behind: %v, %v", temp, err)
	}
	put(t, v, "ses_a", "still fits", noon.Add(time.Hour))
	if _, err := v.Erase(ctx, "ses_a", storage.CaptureImage); err != nil {
		t.Fatalf("a full disk stops an erasure: %v", err)
	}
}
