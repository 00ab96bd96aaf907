package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/storage"
)

// RunKeyIndex checks that the indexes made by open keep the contract of
// storage.KeyIndex. open is called once per subtest and returns an empty one.
func RunKeyIndex(t *testing.T, open func(t *testing.T) storage.KeyIndex) {
	ctx := context.Background()
	t0 := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key := func(session, id, wrapped string) storage.DataKey {
		return storage.DataKey{Session: session, Class: storage.CaptureImage, KeyID: id, Wrapped: []byte(wrapped), CreatedAt: t0}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	wantErr := func(t *testing.T, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Fatalf("error is %v, want %v", err, want)
		}
	}
	destroy := func(t *testing.T, ix storage.KeyIndex, session string, at time.Time, lived bool) {
		t.Helper()
		got, err := ix.DestroyDataKey(ctx, session, storage.CaptureImage, at)
		must(t, err)
		if got != lived {
			t.Fatalf("the key of %s lived: %v, want %v", session, got, lived)
		}
	}

	t.Run("writers that race for a data key all get the winner's", func(t *testing.T) {
		ix := open(t)
		got := make([]string, 8)
		var wg sync.WaitGroup
		for i := range got {
			wg.Add(1)
			go func() {
				defer wg.Done()
				k, err := ix.PutDataKey(ctx, key("ses_a", "k1", fmt.Sprint("wrapped-", i)))
				if err != nil {
					t.Error(err)
				}
				got[i] = string(k.Wrapped)
			}()
		}
		wg.Wait()
		stored, err := ix.GetDataKey(ctx, "ses_a", storage.CaptureImage)
		must(t, err)
		for _, g := range got {
			if g != string(stored.Wrapped) {
				t.Fatalf("a writer got %q, stored is %q", g, stored.Wrapped)
			}
		}
		if stored.KeyID != "k1" || !stored.CreatedAt.Equal(t0) || !stored.DestroyedAt.IsZero() {
			t.Fatalf("stored row is %+v", stored)
		}
	})

	t.Run("a destroyed key stays destroyed", func(t *testing.T) {
		ix := open(t)
		_, err := ix.PutDataKey(ctx, key("ses_a", "k1", "secret"))
		must(t, err)
		destroy(t, ix, "ses_a", t0.Add(time.Minute), true)
		destroy(t, ix, "ses_a", t0.Add(time.Hour), false)
		k, err := ix.PutDataKey(ctx, key("ses_a", "k1", "again"))
		must(t, err)
		if len(k.Wrapped) != 0 || !k.DestroyedAt.Equal(t0.Add(time.Minute)) {
			t.Fatalf("row after destroy and put: %+v", k)
		}
		wantErr(t, ix.RewrapDataKey(ctx, "k1", key("ses_a", "k2", "rewrapped")), storage.ErrNotFound)
	})

	t.Run("destroying a key that never was keeps the class from coming back", func(t *testing.T) {
		ix := open(t)
		_, err := ix.GetDataKey(ctx, "ses_a", storage.CaptureImage)
		wantErr(t, err, storage.ErrNotFound)
		destroy(t, ix, "ses_a", t0, false)
		k, err := ix.PutDataKey(ctx, key("ses_a", "k1", "late"))
		must(t, err)
		if len(k.Wrapped) != 0 || k.DestroyedAt.IsZero() {
			t.Fatalf("row is %+v", k)
		}
	})

	t.Run("a rotation lists what is left and replaces only what it saw", func(t *testing.T) {
		ix := open(t)
		for _, s := range []string{"ses_c", "ses_a", "ses_b"} {
			_, err := ix.PutDataKey(ctx, key(s, "k1", "w-"+s))
			must(t, err)
		}
		destroy(t, ix, "ses_b", t0, true)
		left, err := ix.DataKeysUnder(ctx, "k1", 10)
		must(t, err)
		if len(left) != 2 || left[0].Session != "ses_a" || left[1].Session != "ses_c" || string(left[1].Wrapped) != "w-ses_c" {
			t.Fatalf("left: %+v", left)
		}
		must(t, ix.RewrapDataKey(ctx, "k1", key("ses_a", "k2", "new")))
		wantErr(t, ix.RewrapDataKey(ctx, "k1", key("ses_a", "k3", "stale")), storage.ErrNotFound)
		k, err := ix.GetDataKey(ctx, "ses_a", storage.CaptureImage)
		must(t, err)
		if k.KeyID != "k2" || string(k.Wrapped) != "new" {
			t.Fatalf("row is %+v", k)
		}
		left, err = ix.DataKeysUnder(ctx, "k1", 1)
		must(t, err)
		if len(left) != 1 || left[0].Session != "ses_c" {
			t.Fatalf("left: %+v", left)
		}
	})

	t.Run("the keys in use are counted, destroyed ones are not", func(t *testing.T) {
		ix := open(t)
		for s, id := range map[string]string{"ses_a": "k1", "ses_b": "k2", "ses_c": "k2"} {
			_, err := ix.PutDataKey(ctx, key(s, id, "w"))
			must(t, err)
		}
		destroy(t, ix, "ses_a", t0, true)
		uses, err := ix.KeysInUse(ctx)
		must(t, err)
		if len(uses) != 1 || uses[0] != (storage.KeyUse{KeyID: "k2", Live: 2}) {
			t.Fatalf("in use: %+v", uses)
		}
	})

	t.Run("destroyed keys are numbered in their order without a gap", func(t *testing.T) {
		ix := open(t)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if _, err := ix.DestroyDataKey(ctx, fmt.Sprint("ses_", i%10), storage.CaptureImage, t0); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if last, err := ix.LastDestroyed(ctx); err != nil || last != 10 {
			t.Fatalf("last %d, %v", last, err)
		}
		after := int64(0)
		for {
			page, err := ix.Destroyed(ctx, after, 3)
			must(t, err)
			for _, k := range page {
				if after++; k.Seq != after || len(k.Wrapped) != 0 || !k.DestroyedAt.Equal(t0) {
					t.Fatalf("row %+v, want number %d", k, after)
				}
			}
			if len(page) < 3 {
				break
			}
		}
		if after != 10 {
			t.Fatalf("%d destroyed keys are listed", after)
		}
		must(t, ix.Scrub(ctx))
	})
}
