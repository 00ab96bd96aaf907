package storage_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/storage"
)

func read(t *testing.T, b storage.Blobs, prefix string) []string {
	t.Helper()
	out := []string{}
	for v, err := range storage.Versions(context.Background(), b, prefix) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(v))
	}
	slices.Sort(out)
	return out
}

func TestALockedCopyCanBeHiddenButNotLost(t *testing.T) {
	ctx := context.Background()
	s3 := testserver.S3(t)
	mc, err := minio.New(s3.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s3.AccessKey, s3.SecretKey, ""), Region: s3.Region})
	if err != nil {
		t.Fatal(err)
	}
	open := func(bucket string, lock bool) storage.Blobs {
		if err := mc.MakeBucket(ctx, bucket, minio.MakeBucketOptions{ObjectLocking: lock}); err != nil {
			t.Fatal(err)
		}
		b, err := storage.OpenS3(ctx, storage.S3Config{Endpoint: s3.Endpoint, Bucket: bucket, Prefix: "p/", Region: s3.Region,
			AccessKey: s3.AccessKey, SecretKey: s3.SecretKey, Insecure: true, PathStyle: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := open("locked", true)
	until := time.Now().Add(time.Hour)
	for _, key := range []string{"log/1", "log/2", "log/3", "other/1"} {
		if locked, err := storage.PutLocked(ctx, b, key, []byte(key), until); err != nil || !locked {
			t.Fatalf("locked %v, %v", locked, err)
		}
	}
	i, err := mc.StatObject(ctx, "locked", "p/log/1", minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := time.Parse(time.RFC3339, i.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	if mode := i.Metadata.Get("X-Amz-Object-Lock-Mode"); err != nil || mode != "COMPLIANCE" || got.Sub(until).Abs() > 2*time.Second {
		t.Errorf("mode %q until %v: %v", mode, got, err)
	}

	// Whoever has the server's keys hides one behind a delete marker and another
	// behind a newer version; removing a version is refused.
	if err := mc.RemoveObject(ctx, "locked", "p/log/1", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.PutLocked(ctx, b, "log/2", []byte("forged"), until); err != nil {
		t.Fatal(err)
	}
	for o := range mc.ListObjects(ctx, "locked", minio.ListObjectsOptions{Prefix: "p/log/3", WithVersions: true}) {
		if err := mc.RemoveObject(ctx, "locked", o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID}); err == nil {
			t.Error("a locked version was removed")
		}
	}
	if err := b.Delete(ctx, "log/3"); err == nil {
		t.Error("a locked blob was deleted with its versions")
	}
	if got := read(t, b, "log/"); !slices.Equal(got, []string{"forged", "log/1", "log/2", "log/3"}) {
		t.Errorf("%v", got)
	}

	plain := open("plain", false)
	if locked, err := storage.PutLocked(ctx, plain, "log/1", []byte("x"), until); err != nil || locked {
		t.Errorf("a bucket without object lock: %v %v", locked, err)
	}
	if got := read(t, plain, "log/"); !slices.Equal(got, []string{"x"}) {
		t.Errorf("%v", got)
	}
	fs, err := storage.OpenFS(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	defer fs.Close()
	if locked, err := storage.PutLocked(ctx, fs, "log/1", []byte("x"), until); err != nil || locked {
		t.Errorf("a directory: %v %v", locked, err)
	}
	if got := read(t, fs, "log/"); !slices.Equal(got, []string{"x"}) {
		t.Errorf("%v", got)
	}
	if _, err := storage.PutLocked(ctx, fs, "log/2", make([]byte, storage.MaxCopyBytes+1), until); err == nil {
		t.Error("a large file was taken")
	}
}
