package storage_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

// admin is a client that makes buckets and looks behind the driver's back.
func admin(t testing.TB, s *testserver.S3Server) *minio.Client {
	t.Helper()
	c, err := minio.New(s.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s.AccessKey, s.SecretKey, ""), Region: s.Region, BucketLookup: minio.BucketLookupPath})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var buckets atomic.Int64

func newBucket(t testing.TB, s *testserver.S3Server, versioned bool) (*minio.Client, storage.S3Config) {
	t.Helper()
	a, bucket := admin(t, s), fmt.Sprintf("evidence-%d", buckets.Add(1))
	if err := a.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	if versioned {
		if err := a.EnableVersioning(ctx, bucket); err != nil {
			t.Fatal(err)
		}
	}
	return a, storage.S3Config{Endpoint: s.Endpoint, Bucket: bucket, Region: s.Region, AccessKey: s.AccessKey, SecretKey: s.SecretKey,
		Insecure: true, PathStyle: true, Timeout: 30 * time.Second}
}

func openS3(t testing.TB, c storage.S3Config) *storage.S3 {
	t.Helper()
	b, err := storage.OpenS3(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestS3KeepsTheBlobContract(t *testing.T) {
	s := testserver.S3(t)
	for _, kind := range []struct {
		name      string
		versioned bool
		prefix    string
	}{{"plain", false, ""}, {"versioned with a prefix", true, "proofline/eu/"}} {
		t.Run(kind.name, func(t *testing.T) {
			storagetest.RunBlobs(t, func(t *testing.T) storage.Blobs {
				_, c := newBucket(t, s, kind.versioned)
				c.Prefix = kind.prefix
				return openS3(t, c)
			})
		})
	}
}

// behindTLS puts a TLS front before the server and returns the configuration
// for it.
func behindTLS(t *testing.T, s *testserver.S3Server, c storage.S3Config) storage.S3Config {
	t.Helper()
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: s.Endpoint})
		r.Out.Host = r.In.Host // it is part of the signature
	}})
	t.Cleanup(front.Close)
	c.CAFile = filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})
	if err := os.WriteFile(c.CAFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Insecure, c.Endpoint = false, strings.TrimPrefix(front.URL, "https://")
	return c
}

func TestS3KeepsTheBlobContractOverTLS(t *testing.T) {
	s := testserver.S3(t)
	storagetest.RunBlobs(t, func(t *testing.T) storage.Blobs {
		_, c := newBucket(t, s, false)
		return openS3(t, behindTLS(t, s, c))
	})
	_, c := newBucket(t, s, false)
	c = behindTLS(t, s, c)
	c.CAFile = ""
	if _, err := storage.OpenS3(ctx, c); err == nil {
		t.Fatal("an unknown authority was trusted")
	}
}

func TestS3DeleteLeavesNoVersionAndNoMarker(t *testing.T) {
	a, c := newBucket(t, testserver.S3(t), true)
	b := openS3(t, c)
	for _, text := range []string{"one", "two", "three"} {
		if err := b.Put(ctx, "a/k", strings.NewReader(text), int64(len(text))); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.RemoveObject(ctx, c.Bucket, "a/k", minio.RemoveObjectOptions{}); err != nil { // leaves a marker
		t.Fatal(err)
	}
	if err := b.Delete(ctx, "a/k"); err != nil {
		t.Fatal(err)
	}
	for o := range a.ListObjects(ctx, c.Bucket, minio.ListObjectsOptions{WithVersions: true, Recursive: true}) {
		t.Errorf("left: %s %s (marker %v) %v", o.Key, o.VersionID, o.IsDeleteMarker, o.Err)
	}
}

// broken answers some requests itself, with 503 or by dying in mid-body.
type broken struct {
	next http.RoundTripper
	fail func(*http.Request) bool
	n    atomic.Int64
}

func (b *broken) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.fail(r) {
		b.n.Add(1)
		if r.Body != nil {
			io.CopyN(io.Discard, r.Body, 100)
			r.Body.Close()
		}
		return nil, errors.New("connection reset by peer")
	}
	return b.next.RoundTrip(r)
}

func TestVaultOnS3SurvivesAServerThatComesAndGoes(t *testing.T) {
	_, c := newBucket(t, testserver.S3(t), false)
	var left atomic.Int64
	tr := &broken{next: http.DefaultTransport, fail: func(r *http.Request) bool { return left.Add(-1) >= 0 }}
	c.Transport = tr
	b := openS3(t, c)
	keys, err := storage.ParseKeys("k1 " + strings.Repeat("A", 43) + "=")
	if err != nil {
		t.Fatal(err)
	}
	v := storage.NewVault(b, keys, storagetest.NewMemoryIndex(), time.Now)
	left.Store(2)
	o := put(t, v, "ses_a", strings.Repeat("x", 300_000), time.Now().Add(time.Hour))
	left.Store(2)
	if got, err := v.Read(ctx, o, 1<<20); err != nil || len(got) != 300_000 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if _, err := v.Erase(ctx, "ses_a", storage.CaptureImage); err != nil {
		t.Fatal(err)
	}
	if n := blobCount(t, b); n != 0 {
		t.Fatalf("%d blobs are left", n)
	}
}

func TestS3FailsWithinItsTimeBoundWhenTheServerHangs(t *testing.T) {
	s := testserver.S3(t)
	_, c := newBucket(t, s, false)
	c.Timeout = 1500 * time.Millisecond
	b := openS3(t, c)
	s.Pause()
	defer s.Resume()
	start := time.Now()
	if err := b.Put(ctx, "a/k", strings.NewReader("x"), 1); err == nil {
		t.Fatal("put succeeded")
	}
	if _, err := b.Get(ctx, "a/k"); err == nil {
		t.Fatal("get succeeded")
	}
	if d := time.Since(start); d > time.Minute {
		t.Fatalf("took %v", d)
	}
}

func TestS3SaysAtOpenWhatIsWrong(t *testing.T) {
	s := testserver.S3(t)
	_, c := newBucket(t, s, false)
	for name, edit := range map[string]func(*storage.S3Config){
		"wrong secret":   func(c *storage.S3Config) { c.SecretKey = "wrong-secret" },
		"no bucket":      func(c *storage.S3Config) { c.Bucket = "no-such-bucket" },
		"no endpoint":    func(c *storage.S3Config) { c.Endpoint = "" },
		"bad prefix":     func(c *storage.S3Config) { c.Prefix = "../" },
		"missing CA":     func(c *storage.S3Config) { c.Insecure, c.CAFile = false, "/nonexistent.pem" },
		"plain, not TLS": func(c *storage.S3Config) { c.Insecure = false },
	} {
		bad := c
		edit(&bad)
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := storage.OpenS3(ctx, bad)
		cancel()
		if err == nil {
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "secret") && !strings.Contains(name, "secret") || strings.Contains(err.Error(), s.SecretKey) {
			t.Errorf("%s: the error holds a secret: %v", name, err)
		}
	}
}
