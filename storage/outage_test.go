package storage_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

func newMemory() *storagetest.MemoryIndex { return storagetest.NewMemoryIndex() }

// smallDisk mounts a file system of so many bytes, where the test may.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+strconv.Itoa(size)); err != nil {
		t.Skipf("no small file system here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func wantFull(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, storage.ErrFull) || !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("error %v, want storage.ErrFull, which is ErrUnavailable too", err)
	}
}

// answers replies to some requests by itself.
type answers struct {
	next  http.RoundTripper
	left  atomic.Int64
	reply func(*http.Request) (*http.Response, error)
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.left.Add(-1) < 0 {
		return a.next.RoundTrip(r)
	}
	if r.Body != nil {
		io.Copy(io.Discard, r.Body)
		r.Body.Close()
	}
	return a.reply(r)
}

func s3Error(status int, code string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		body := `<?xml version="1.0"?><Error><Code>` + code + `</Code><Message>` + code + `</Message></Error>`
		return &http.Response{StatusCode: status, Status: http.StatusText(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
			Header: http.Header{"Content-Type": {"application/xml"}}, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func TestAnS3OutageOfAnyKindIsAnErrorThatAClientMayRepeatAfter(t *testing.T) {
	_, c := newBucket(t, testserver.S3(t), false)
	tr := &answers{next: http.DefaultTransport}
	c.Transport, c.Timeout = tr, 400*time.Millisecond
	b := openS3(t, c)
	if err := b.Put(ctx, "a/k", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		reply func(*http.Request) (*http.Response, error)
		want  error
	}{
		"slow down":      {s3Error(503, "SlowDown"), storage.ErrUnavailable},
		"internal error": {s3Error(500, "InternalError"), storage.ErrUnavailable},
		"reset":          {func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNRESET }, storage.ErrUnavailable},
		"full":           {s3Error(507, "XMinioStorageFull"), storage.ErrFull},
		"hangs": {func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}, storage.ErrUnavailable},
		"access denied": {s3Error(403, "AccessDenied"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			tr.reply = tt.reply
			for op, do := range map[string]func() error{
				"put":    func() error { return b.Put(ctx, "a/new", strings.NewReader("x"), 1) },
				"get":    func() error { r, err := b.Get(ctx, "a/k"); return errors.Join(err, closeIf(r)) },
				"delete": func() error { return b.Delete(ctx, "a/k") },
				"list":   func() error { _, err := b.List(ctx, "a/", "", 10); return err },
			} {
				if name == "full" && op != "put" || name == "hangs" && op != "put" {
					continue
				}
				tr.left.Store(1 << 30)
				err := do()
				tr.left.Store(0)
				if err == nil || errors.Is(err, storage.ErrUnavailable) != (tt.want != nil) || tt.want != nil && !errors.Is(err, tt.want) {
					t.Errorf("%s: %v, want %v", op, err, tt.want)
				}
			}
		})
	}
	// The caller's own end is no outage.
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if err := b.Put(gone, "a/k", strings.NewReader("x"), 1); err == nil || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("cancelled by the caller: %v", err)
	}
	if _, err := b.Get(ctx, "a/none"); !errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a missing blob: %v", err)
	}
}

func closeIf(c io.Closer) error {
	if c == nil {
		return nil
	}
	return c.Close()
}

func TestAnErasureWhoseDeletesFailHalfWayIsFinishedLater(t *testing.T) {
	v, f, c := newVault(t)
	var last storage.Object
	for range 6 {
		last = put(t, v, "ses_a", "x", noon.Add(time.Hour))
	}
	f.failDeletes = 3
	cert, err := v.Erase(ctx, "ses_a", storage.CaptureImage)
	if err != nil || len(cert.Pending) != 3 || len(cert.Deleted) != 3 {
		t.Fatalf("%+v, %v", cert, err)
	}
	if _, err := v.Open(ctx, last); !errors.Is(err, storage.ErrErased) {
		t.Fatal(err)
	}
	if err := v.Certified(ctx, cert); err != nil {
		t.Fatal(err)
	}
	var final []storage.Certificate
	for range 4 {
		c.t = c.t.Add(15 * time.Minute)
		rep, err := v.Sweep(ctx, c.t, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, cert := range rep.Certificates {
			final = append(final, cert)
			if err := v.Certified(ctx, cert); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(final) != 1 || len(final[0].Deleted) != 6 || len(final[0].Pending) != 0 {
		t.Fatalf("the certificate over all of them: %+v", final)
	}
}
