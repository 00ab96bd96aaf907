package storagetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/proofline/proofline/storage"
)

// RunBlobs checks that a driver keeps the contract of storage.Blobs. open is
// called once per subtest and returns an empty store.
func RunBlobs(t *testing.T, open func(t *testing.T) storage.Blobs) {
	ctx := context.Background()
	put := func(t *testing.T, b storage.Blobs, key string, data []byte) {
		t.Helper()
		if err := b.Put(ctx, key, bytes.NewReader(data), int64(len(data))); err != nil {
			t.Fatal(err)
		}
	}
	get := func(t *testing.T, b storage.Blobs, key string) []byte {
		t.Helper()
		r, err := b.Get(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	wantMissing := func(t *testing.T, b storage.Blobs, key string) {
		t.Helper()
		if _, err := b.Stat(ctx, key); !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("stat of a missing blob: %v", err)
		}
		r, err := b.Get(ctx, key)
		if err == nil {
			r.Close()
		}
		if !errors.Is(err, storage.ErrNotFound) {
			t.Fatalf("get of a missing blob: %v", err)
		}
	}

	t.Run("what was put is what is got, at every size", func(t *testing.T) {
		b := open(t)
		for _, n := range []int{0, 1, 4095, 64 << 10, 1<<20 + 7} {
			data := make([]byte, n)
			rand.Read(data)
			key := fmt.Sprintf("a/size-%d", n)
			put(t, b, key, data)
			if !bytes.Equal(get(t, b, key), data) {
				t.Fatalf("%d bytes came back changed", n)
			}
			i, err := b.Stat(ctx, key)
			if err != nil || i.Size != int64(n) || i.Key != key || i.Modified.IsZero() {
				t.Fatalf("stat: %+v, %v", i, err)
			}
		}
	})

	t.Run("a stream of unknown size is stored whole", func(t *testing.T) {
		b := open(t)
		data := make([]byte, 17<<20)
		rand.Read(data)
		if err := b.Put(ctx, "a/stream", io.MultiReader(bytes.NewReader(data)), -1); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(get(t, b, "a/stream"), data) {
			t.Fatal("came back changed")
		}
	})

	t.Run("a second put replaces the first", func(t *testing.T) {
		b := open(t)
		put(t, b, "a/k", []byte("one"))
		put(t, b, "a/k", []byte("second"))
		if got := get(t, b, "a/k"); string(got) != "second" {
			t.Fatalf("got %q", got)
		}
	})

	t.Run("a reader that fails or stops early leaves nothing behind", func(t *testing.T) {
		b := open(t)
		fail := errors.New("the line went dead")
		for _, size := range []int64{-1, 100} {
			err := b.Put(ctx, "a/half", io.MultiReader(strings.NewReader("half"), errReader{fail}), size)
			if err == nil {
				t.Fatalf("size %d: put of a failing reader succeeded", size)
			}
			wantMissing(t, b, "a/half")
		}
		if err := b.Put(ctx, "a/half", strings.NewReader("half"), 100); err == nil {
			t.Fatal("put of a short reader succeeded")
		}
		wantMissing(t, b, "a/half")
		put(t, b, "a/kept", []byte("old"))
		if err := b.Put(ctx, "a/kept", io.MultiReader(strings.NewReader("new"), errReader{fail}), 9); err == nil {
			t.Fatal("put of a failing reader succeeded")
		}
		if got := get(t, b, "a/kept"); string(got) != "old" {
			t.Fatalf("a failed put changed the blob to %q", got)
		}
	})

	t.Run("a cancelled put fails", func(t *testing.T) {
		b := open(t)
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		if err := b.Put(ctx, "a/k", strings.NewReader("x"), 1); err == nil {
			t.Fatal("put succeeded")
		}
		wantMissing(t, b, "a/k")
	})

	t.Run("delete removes every version and may be repeated", func(t *testing.T) {
		b := open(t)
		put(t, b, "a/k", []byte("one"))
		put(t, b, "a/k", []byte("two"))
		put(t, b, "a/k2", []byte("neighbour"))
		for range 2 {
			if err := b.Delete(ctx, "a/k"); err != nil {
				t.Fatal(err)
			}
			wantMissing(t, b, "a/k")
		}
		if got := get(t, b, "a/k2"); string(got) != "neighbour" {
			t.Fatalf("neighbour is %q", got)
		}
	})

	t.Run("list pages through keys in order", func(t *testing.T) {
		b := open(t)
		var want []string
		for i := range 25 {
			key := fmt.Sprintf("p/k%02d", i)
			put(t, b, key, []byte("x"))
			want = append(want, key)
		}
		put(t, b, "q/other", []byte("x"))
		put(t, b, "p0/other", []byte("x"))
		var got []string
		after := ""
		for {
			page, err := b.List(ctx, "p/", after, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range page {
				if i.Size != 1 {
					t.Fatalf("%s has size %d", i.Key, i.Size)
				}
				got = append(got, i.Key)
				after = i.Key
			}
			if len(page) < 10 {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Fatalf("listed %v", got)
		}
		all, err := b.List(ctx, "", "", 100)
		if err != nil || len(all) != 27 {
			t.Fatalf("all: %d, %v", len(all), err)
		}
	})

	t.Run("keys that could leave the store are refused", func(t *testing.T) {
		b := open(t)
		for _, key := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".tmp/x", "a b", "a\x00", "ä", strings.Repeat("a", 600), strings.Repeat("a", 201)} {
			if err := b.Put(ctx, key, strings.NewReader("x"), 1); err == nil {
				t.Errorf("put of key %q succeeded", key)
			}
			if _, err := b.Get(ctx, key); err == nil || errors.Is(err, storage.ErrNotFound) {
				t.Errorf("get of key %q: %v", key, err)
			}
			if err := b.Delete(ctx, key); err == nil {
				t.Errorf("delete of key %q succeeded", key)
			}
		}
	})

	t.Run("concurrent writers and readers do not disturb each other", func(t *testing.T) {
		b := open(t)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				data := bytes.Repeat([]byte{byte(i)}, 100_000)
				own := fmt.Sprintf("c/own-%d", i)
				for _, key := range []string{own, "c/shared"} {
					if err := b.Put(ctx, key, bytes.NewReader(data), int64(len(data))); err != nil {
						t.Error(err)
					}
				}
				r, err := b.Get(ctx, own)
				if err != nil {
					t.Error(err)
					return
				}
				defer r.Close()
				if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
					t.Errorf("own blob came back changed (%v)", err)
				}
			}()
		}
		wg.Wait()
		shared := get(t, b, "c/shared")
		if len(shared) != 100_000 || !bytes.Equal(shared, bytes.Repeat(shared[:1], 100_000)) {
			t.Fatal("the shared blob is a mixture of writers")
		}
	})
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }
