package models

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serve answers each request with the next handler, the last one for ever, and
// notes the Range headers it saw.
func serve(t *testing.T, handlers ...http.HandlerFunc) (url string, ranges *[]string) {
	t.Helper()
	ranges = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := handlers[min(len(*ranges), len(handlers)-1)]
		*ranges = append(*ranges, r.Header.Get("Range"))
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/model.onnx", ranges
}

func whole(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "model.onnx", time.Time{}, bytes.NewReader(b))
	}
}

// cutAfter promises the whole file and breaks the connection after n bytes.
func cutAfter(b []byte, n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		if _, err := w.Write(b[:n]); err != nil {
			return
		}
		panic(http.ErrAbortHandler)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestADownloadResumesWhereItStopped(t *testing.T) {
	content := weights(400_000)
	url, ranges := serve(t, cutAfter(content, 150_000), whole(content))
	f, _ := testFetcher(t, "npm")
	m := entry("a", content, Source{Kind: "url", URL: url})
	if err := f.fetch(context.Background(), []Model{m}); err != nil {
		t.Fatal(err)
	}
	if len(*ranges) != 2 || (*ranges)[0] != "" || !strings.HasPrefix((*ranges)[1], "bytes=") || (*ranges)[1] == "bytes=0-" {
		t.Errorf("requests: %q", *ranges)
	}
	if got := f.left(t); got != "a.onnx" {
		t.Errorf("left: %s", got)
	}
}

func TestADownloadResumesInALaterRun(t *testing.T) {
	content := weights(400_000)
	url, ranges := serve(t, cutAfter(content, 150_000), status(http.StatusForbidden), whole(content))
	f, _ := testFetcher(t, "npm")
	m := entry("a", content, Source{Kind: "url", URL: url})
	var se *StatusError
	if err := f.fetch(context.Background(), []Model{m}); !errors.As(err, &se) || se.Code != http.StatusForbidden {
		t.Fatalf("first run: %v", err)
	}
	again := newFetcher(f.dir, nil)
	if err := again.fetch(context.Background(), []Model{m}); err != nil {
		t.Fatal(err)
	}
	if last := (*ranges)[len(*ranges)-1]; !strings.HasPrefix(last, "bytes=") {
		t.Errorf("the later run asked for %q", last)
	}
}

func TestADownloadIsRefusedUnlessItIsTheManifests(t *testing.T) {
	content := weights(100_000)
	flipped := bytes.Clone(content)
	flipped[7] ^= 1
	for name, c := range map[string]struct {
		handler  http.HandlerFunc
		mismatch bool
		says     string
	}{
		"a flipped bit": {whole(flipped), true, "SHA-256"},
		"too long":      {whole(weights(100_001)), true, "100001 bytes"},
		"too short":     {whole(content[:99_999]), true, "99999 bytes"},
		"endless, without a length": {func(w http.ResponseWriter, _ *http.Request) {
			for range 100 {
				if _, err := w.Write(weights(64 << 10)); err != nil {
					return
				}
			}
		}, true, "refused"},
		"always cut short":   {cutAfter(content, 0), false, "EOF"},
		"not found":          {status(http.StatusNotFound), false, "404 Not Found"},
		"a page that errors": {status(http.StatusBadGateway), false, "502 Bad Gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			url, ranges := serve(t, c.handler)
			f, _ := testFetcher(t, "npm")
			err := f.fetch(context.Background(), []Model{entry("a", content, Source{Kind: "url", URL: url})})
			var mismatch *MismatchError
			if err == nil || !strings.Contains(err.Error(), c.says) || errors.As(err, &mismatch) != c.mismatch {
				t.Fatalf("error: %v", err)
			}
			if got := f.left(t); strings.Contains(got, "a.onnx") {
				t.Errorf("installed: %s", got)
			}
			if c.mismatch && len(*ranges) != 1 {
				t.Errorf("a wrong file is asked for %d times", len(*ranges))
			}
		})
	}
}

func TestAPartThatDoesNotBelongIsFetchedAfresh(t *testing.T) {
	content := weights(100_000)
	for name, part := range map[string][]byte{
		"foreign bytes":    bytes.Repeat([]byte{7}, 50_000),
		"longer than file": bytes.Repeat([]byte{7}, 200_000),
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := serve(t, whole(content))
			f, _ := testFetcher(t, "npm")
			m := entry("a", content, Source{Kind: "url", URL: url})
			if err := os.MkdirAll(f.dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(f.dir, "."+m.SHA256+".part"), part)
			if err := f.fetch(context.Background(), []Model{m}); err != nil {
				t.Fatal(err)
			}
			if got := f.left(t); got != "a.onnx" {
				t.Errorf("left: %s", got)
			}
		})
	}
}

func TestAServerWithoutRangesIsReadFromTheStart(t *testing.T) {
	content := weights(200_000)
	plain := func(w http.ResponseWriter, _ *http.Request) {
		if _, err := w.Write(content); err != nil {
			t.Error(err)
		}
	}
	url, _ := serve(t, cutAfter(content, 100_000), plain)
	f, _ := testFetcher(t, "npm")
	if err := f.fetch(context.Background(), []Model{entry("a", content, Source{Kind: "url", URL: url})}); err != nil {
		t.Fatal(err)
	}
}

func TestADownloadThatStallsIsGivenUp(t *testing.T) {
	content := weights(100_000)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	url, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100000")
		_, _ = io.WriteString(w, "a little")
		w.(http.Flusher).Flush()
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	f, _ := testFetcher(t, "npm")
	f.stall, f.attempts = 50*time.Millisecond, 1
	err := f.fetch(context.Background(), []Model{entry("a", content, Source{Kind: "url", URL: url})})
	if err == nil || !strings.Contains(err.Error(), "no data for 50ms") {
		t.Fatal(err)
	}
}

func TestACancelledFetchStopsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	url, ranges := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		cancel()
		w.WriteHeader(http.StatusBadGateway)
	})
	f, _ := testFetcher(t, "npm")
	f.pause = time.Hour
	s := Source{Kind: "url", URL: url}
	err := f.fetch(ctx, []Model{entry("a", weights(10), s, s), entry("b", weights(20), s)})
	if !errors.Is(err, context.Canceled) || len(*ranges) != 1 {
		t.Fatalf("%d requests: %v", len(*ranges), err)
	}
}
