package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
)

func TestEvidenceLiesInItsRegionAndNowhereElse(t *testing.T) {
	v, mainStore, c := newVault(t)
	eu := openFS(t, t.TempDir())
	v = v.WithRegion("eu", eu)
	ref := storage.Ref{Session: "ses_a", Class: storage.CaptureImage, Kind: "selfie", Region: "eu"}
	o, err := v.PutBytes(ctx, ref, []byte("photo"), noon.Add(time.Hour))
	if err != nil || o.Region != "eu" {
		t.Fatalf("%+v, %v", o, err)
	}
	if blobCount(t, mainStore) != 0 || blobCount(t, eu) != 1 {
		t.Fatalf("main store %d, region %d", blobCount(t, mainStore), blobCount(t, eu))
	}
	row, err := v.Index().GetObject(ctx, o.ID)
	if err != nil || row.Region != "eu" {
		t.Fatalf("the row forgot the region: %+v, %v", row, err)
	}
	if got, err := v.Read(ctx, row, 10); err != nil || string(got) != "photo" {
		t.Fatalf("%q, %v", got, err)
	}
	c.t = noon.Add(2 * time.Hour)
	if rep, err := v.Sweep(ctx, c.t, 10); err != nil || rep.Deleted != 1 || blobCount(t, eu) != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
}

func TestAnUnknownRegionFailsClosed(t *testing.T) {
	v, mainStore, _ := newVault(t)
	with := v.WithRegion("eu", openFS(t, t.TempDir()))
	if v.HasRegion("eu") || !with.HasRegion("eu") || !with.HasRegion("") {
		t.Fatal("regions leak between vaults")
	}
	ref := storage.Ref{Session: "ses_a", Class: storage.CaptureImage, Region: "us"}
	if _, err := with.PutBytes(ctx, ref, []byte("x"), noon); !errors.Is(err, storage.ErrRegion) {
		t.Fatal(err)
	}
	if blobCount(t, mainStore) != 0 {
		t.Fatal("it was stored in the main store")
	}
	ref.Region = "eu"
	o, err := with.PutBytes(ctx, ref, []byte("x"), noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	// A process that lost the setting neither reads nor forgets it silently.
	if _, err := v.Open(ctx, o); !errors.Is(err, storage.ErrRegion) {
		t.Fatal(err)
	}
	cert, err := v.Erase(ctx, "ses_a", storage.CaptureImage)
	if err != nil || len(cert.Pending) != 1 {
		t.Fatalf("%+v, %v", cert, err)
	}
}
