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

// RunIndex checks that the indexes made by open keep the contract of
// storage.Index. open is called once per subtest and returns an empty index in
// which the sessions "ses_a", "ses_b" and "ses_c" may be used.
func RunIndex(t *testing.T, open func(t *testing.T) storage.Index) {
	ctx := context.Background()
	t0 := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	key := func(session, id, wrapped string) storage.DataKey {
		return storage.DataKey{Session: session, Class: storage.CaptureImage, KeyID: id, Wrapped: []byte(wrapped), CreatedAt: t0}
	}
	object := func(id, session string, at time.Time) storage.Object {
		return storage.Object{ID: id, Session: session, Class: storage.CaptureImage, Kind: "selfie", Key: "v1/" + id,
			CreatedAt: at, RetainUntil: at.Add(time.Hour)}
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
		must(t, ix.DestroyDataKey(ctx, "ses_a", storage.CaptureImage, t0.Add(time.Minute)))
		must(t, ix.DestroyDataKey(ctx, "ses_a", storage.CaptureImage, t0.Add(time.Hour)))
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
		must(t, ix.DestroyDataKey(ctx, "ses_a", storage.CaptureImage, t0))
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
		must(t, ix.DestroyDataKey(ctx, "ses_b", storage.CaptureImage, t0))
		left, err := ix.DataKeysNotUnder(ctx, "k2", 10)
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
		left, err = ix.DataKeysNotUnder(ctx, "k2", 1)
		must(t, err)
		if len(left) != 1 || left[0].Session != "ses_c" {
			t.Fatalf("left: %+v", left)
		}
	})

	t.Run("an object is written, committed and listed", func(t *testing.T) {
		ix := open(t)
		o := object("obj_1", "ses_a", t0)
		must(t, ix.PutObject(ctx, o))
		wantErr(t, ix.PutObject(ctx, o), storage.ErrExists)
		o.Size, o.SHA256, o.CommittedAt, o.RetainUntil = 42, "ab12", t0.Add(time.Second), t0.Add(24*time.Hour)
		must(t, ix.CommitObject(ctx, o))
		got, err := ix.GetObject(ctx, "obj_1")
		must(t, err)
		if got.ID != o.ID || got.Session != o.Session || got.Class != o.Class || got.Kind != o.Kind || got.Key != o.Key ||
			got.Size != 42 || got.SHA256 != "ab12" || !got.CreatedAt.Equal(t0) || !got.CommittedAt.Equal(o.CommittedAt) ||
			!got.RetainUntil.Equal(o.RetainUntil) || !got.DeletedAt.IsZero() || !got.DeleteAfter.IsZero() {
			t.Fatalf("got %+v, want %+v", got, o)
		}
		must(t, ix.PutObject(ctx, object("obj_0", "ses_a", t0.Add(time.Minute))))
		must(t, ix.PutObject(ctx, object("obj_9", "ses_b", t0)))
		list, err := ix.ListObjects(ctx, "ses_a", "")
		must(t, err)
		if len(list) != 2 || list[0].ID != "obj_1" || list[1].ID != "obj_0" {
			t.Fatalf("list: %+v", list)
		}
		list, err = ix.ListObjects(ctx, "ses_a", storage.Consent)
		must(t, err)
		if len(list) != 0 {
			t.Fatalf("another class lists %+v", list)
		}
		_, err = ix.GetObject(ctx, "obj_404")
		wantErr(t, err, storage.ErrNotFound)
	})

	t.Run("a deleted object can not be committed and is listed no more", func(t *testing.T) {
		ix := open(t)
		o := object("obj_1", "ses_a", t0)
		must(t, ix.PutObject(ctx, o))
		must(t, ix.DeleteObject(ctx, "obj_1", t0.Add(time.Minute)))
		must(t, ix.DeleteObject(ctx, "obj_1", t0.Add(time.Hour)))
		wantErr(t, ix.CommitObject(ctx, o), storage.ErrNotFound)
		wantErr(t, ix.DeleteObject(ctx, "obj_404", t0), storage.ErrNotFound)
		wantErr(t, ix.FailDelete(ctx, "obj_1", "late", t0), storage.ErrNotFound)
		got, err := ix.GetObject(ctx, "obj_1")
		must(t, err)
		if !got.DeletedAt.Equal(t0.Add(time.Minute)) {
			t.Fatalf("deleted at %v", got.DeletedAt)
		}
		list, err := ix.ListObjects(ctx, "ses_a", "")
		must(t, err)
		if len(list) != 0 {
			t.Fatalf("list: %+v", list)
		}
	})

	t.Run("expired objects come oldest first, failures wait for their turn", func(t *testing.T) {
		ix := open(t)
		for i, id := range []string{"obj_3", "obj_1", "obj_2"} {
			must(t, ix.PutObject(ctx, object(id, "ses_a", t0.Add(time.Duration(i)*time.Minute))))
		}
		now := t0.Add(time.Hour + time.Minute) // obj_3 and obj_1, the latter to the millisecond
		ids := func(now time.Time, limit int) string {
			t.Helper()
			list, err := ix.Expired(ctx, now, limit)
			must(t, err)
			s := ""
			for _, o := range list {
				s += o.ID + " "
			}
			return s
		}
		if got := ids(now, 10); got != "obj_3 obj_1 " {
			t.Fatalf("expired: %s", got)
		}
		if got := ids(now, 1); got != "obj_3 " {
			t.Fatalf("expired, one: %s", got)
		}
		must(t, ix.FailDelete(ctx, "obj_3", "the store said no", now.Add(time.Minute)))
		if got := ids(now, 10); got != "obj_1 " {
			t.Fatalf("expired after a failure: %s", got)
		}
		if got := ids(now.Add(time.Minute), 10); got != "obj_3 obj_1 obj_2 " {
			t.Fatalf("expired a minute later: %s", got)
		}
		o, err := ix.GetObject(ctx, "obj_3")
		must(t, err)
		if o.DeleteFailures != 1 || o.DeleteError != "the store said no" {
			t.Fatalf("failed row: %+v", o)
		}
		must(t, ix.DeleteObject(ctx, "obj_3", now))
		o, err = ix.GetObject(ctx, "obj_3")
		must(t, err)
		if o.DeleteError != "" || o.DeleteFailures != 1 {
			t.Fatalf("row after success: %+v", o)
		}
	})

	t.Run("erasure brings retention forward, never back", func(t *testing.T) {
		ix := open(t)
		must(t, ix.PutObject(ctx, object("obj_1", "ses_a", t0)))
		must(t, ix.PutObject(ctx, object("obj_2", "ses_a", t0.Add(-2*time.Hour))))
		must(t, ix.PutObject(ctx, object("obj_3", "ses_b", t0)))
		must(t, ix.ExpireObjects(ctx, "ses_a", storage.CaptureImage, t0))
		for id, want := range map[string]time.Time{"obj_1": t0, "obj_2": t0.Add(-time.Hour), "obj_3": t0.Add(time.Hour)} {
			o, err := ix.GetObject(ctx, id)
			must(t, err)
			if !o.RetainUntil.Equal(want) {
				t.Errorf("%s is retained until %v, want %v", id, o.RetainUntil, want)
			}
		}
	})
}
