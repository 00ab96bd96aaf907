package storage_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

func decorated(b storage.Blobs) storage.Blobs {
	return storage.Metered(storage.Limited(b, 4), func(storage.Request) {})
}

func TestDecoratorsKeepTheContract(t *testing.T) {
	storagetest.RunBlobs(t, func(t *testing.T) storage.Blobs { return decorated(openFS(t, t.TempDir())) })
}

func TestRequestsAreMeteredWithoutNamingWhatTheyAskFor(t *testing.T) {
	var mu sync.Mutex
	var seen []storage.Request
	b := storage.Metered(openFS(t, t.TempDir()), func(r storage.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r)
	})
	ctx := context.Background()
	if err := b.Put(ctx, "a/b", strings.NewReader("four"), 4); err != nil {
		t.Fatal(err)
	}
	r, err := b.Get(ctx, "a/b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 1 {
		t.Fatalf("a blob still open was counted: %v", seen)
	}
	r.Close()
	r.Close() // twice counts once
	if _, err := b.Get(ctx, "a/none"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	if err := b.Put(ctx, "a/c", io.MultiReader(strings.NewReader("fo"), errReader{}), 4); err == nil {
		t.Fatal("half a blob was stored")
	}
	want := []struct {
		op    string
		bytes int64
		err   bool
	}{{"put", 4, false}, {"get", 4, false}, {"get", 0, true}, {"put", 2, true}}
	if len(seen) != len(want) {
		t.Fatalf("%+v", seen)
	}
	for i, w := range want {
		if g := seen[i]; g.Op != w.op || g.Bytes != w.bytes || (g.Err != nil) != w.err {
			t.Errorf("%d: %+v, want %+v", i, g, w)
		}
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("cut off") }

func TestMoreRequestsThanAllowedWaitAndGiveUpWithTheirContext(t *testing.T) {
	b := storage.Limited(openFS(t, t.TempDir()), 1)
	ctx := context.Background()
	if err := b.Put(ctx, "a", bytes.NewReader([]byte("x")), 1); err != nil {
		t.Fatal(err)
	}
	open, err := b.Get(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if _, err := b.Stat(short, "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	open.Close()
	if _, err := b.Stat(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get(ctx, "none"); !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	if _, err := b.List(ctx, "", "", 10); err != nil {
		t.Fatal("a request that failed kept its place: ", err)
	}
}
