package storagetest

import (
	"context"
	"errors"
	"fmt"
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
			list, err := ix.ClaimExpired(ctx, now, now, limit)
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
		n, err := ix.ExpireObjects(ctx, "ses_a", storage.CaptureImage, t0)
		must(t, err)
		if n != 1 {
			t.Errorf("%d rows were brought forward", n)
		}
		for id, want := range map[string]time.Time{"obj_1": t0, "obj_2": t0.Add(-time.Hour), "obj_3": t0.Add(time.Hour)} {
			o, err := ix.GetObject(ctx, id)
			must(t, err)
			if !o.RetainUntil.Equal(want) {
				t.Errorf("%s is retained until %v, want %v", id, o.RetainUntil, want)
			}
		}
	})

	t.Run("each sweeper claims objects of its own, and those of a dead one come back", func(t *testing.T) {
		ix := open(t)
		for i := range 6 {
			must(t, ix.PutObject(ctx, object(fmt.Sprint("obj_", i), "ses_a", t0)))
		}
		now := t0.Add(2 * time.Hour)
		seen := map[string]bool{}
		for range 3 {
			list, err := ix.ClaimExpired(ctx, now, now.Add(time.Minute), 2)
			must(t, err)
			for _, o := range list {
				if seen[o.ID] {
					t.Fatalf("%s was claimed twice", o.ID)
				}
				seen[o.ID] = true
			}
		}
		if len(seen) != 6 {
			t.Fatalf("claimed: %v", seen)
		}
		list, err := ix.ClaimExpired(ctx, now.Add(time.Minute), now.Add(time.Hour), 10)
		must(t, err)
		if len(list) != 6 {
			t.Fatalf("%d came back", len(list))
		}
	})

	t.Run("what is live and what was deleted is listed apart", func(t *testing.T) {
		ix := open(t)
		for i, id := range []string{"obj_1", "obj_2", "obj_3"} {
			o := object(id, "ses_a", t0.Add(time.Duration(i)*time.Second))
			o.Region = "eu"
			must(t, ix.PutObject(ctx, o))
			if id != "obj_2" { // is being written
				o.CommittedAt, o.SHA256 = t0, "ab"
				must(t, ix.CommitObject(ctx, o))
			}
		}
		live, err := ix.LiveObjects(ctx, "", 10)
		must(t, err)
		if len(live) != 2 || live[0].ID != "obj_1" || live[1].ID != "obj_3" || live[0].Region != "eu" {
			t.Fatalf("live: %+v", live)
		}
		if live, err = ix.LiveObjects(ctx, "obj_1", 1); err != nil || len(live) != 1 || live[0].ID != "obj_3" {
			t.Fatalf("second page: %+v, %v", live, err)
		}
		must(t, ix.DeleteObject(ctx, "obj_1", t0.Add(time.Minute)))
		must(t, ix.DeleteObject(ctx, "obj_2", t0.Add(time.Minute)))
		gone, err := ix.DeletedObjects(ctx, "ses_a", storage.CaptureImage)
		must(t, err)
		if len(gone) != 1 || gone[0].ID != "obj_1" || gone[0].SHA256 != "ab" {
			t.Fatalf("deleted: %+v", gone)
		}
	})

	t.Run("an erasure is begun once, listed until it is certified, and found again", func(t *testing.T) {
		ix := open(t)
		must(t, ix.BeginErasure(ctx, "ses_b", storage.CaptureImage, t0))
		must(t, ix.BeginErasure(ctx, "ses_a", storage.Consent, t0.Add(time.Second)))
		must(t, ix.BeginErasure(ctx, "ses_b", storage.CaptureImage, t0.Add(time.Hour)))
		for _, want := range []bool{false, true} {
			known, err := ix.KnowErasure(ctx, "ses_c", storage.CaptureImage, t0.Add(2*time.Second))
			must(t, err)
			if known != want {
				t.Fatalf("known: %v", known)
			}
		}
		open, err := ix.OpenErasures(ctx, t0.Add(time.Minute), 10)
		must(t, err)
		if len(open) != 3 || open[0].Session != "ses_b" || !open[0].BegunAt.Equal(t0) {
			t.Fatalf("open: %+v", open)
		}
		must(t, ix.EndErasure(ctx, "ses_b", storage.CaptureImage, t0.Add(time.Minute)))
		wantErr(t, ix.EndErasure(ctx, "ses_b", storage.Outcome, t0), storage.ErrNotFound)
		if open, err = ix.OpenErasures(ctx, t0.Add(1500*time.Millisecond), 10); err != nil || len(open) != 1 || open[0].Session != "ses_a" {
			t.Fatalf("open: %+v, %v", open, err)
		}
		all, err := ix.Erasures(ctx, "", "", 2)
		must(t, err)
		if len(all) != 2 || all[0].Session != "ses_a" || all[1].Session != "ses_b" || all[1].CertifiedAt.IsZero() {
			t.Fatalf("all: %+v", all)
		}
		if all, err = ix.Erasures(ctx, all[1].Session, all[1].Class, 2); err != nil || len(all) != 1 || all[0].Session != "ses_c" {
			t.Fatalf("second page: %+v, %v", all, err)
		}
	})

	t.Run("the number that was seen only grows until it is reset", func(t *testing.T) {
		ix := open(t)
		for _, step := range []struct{ saw, reset, want int64 }{{0, 0, 0}, {7, 0, 7}, {3, 0, 7}, {8, 0, 8}, {0, 2, 2}, {5, 0, 5}} {
			if step.saw > 0 {
				must(t, ix.Saw(ctx, step.saw))
			}
			if step.reset > 0 {
				must(t, ix.ResetSeen(ctx, step.reset))
			}
			if got, err := ix.Seen(ctx); err != nil || got != step.want {
				t.Fatalf("%+v: %d, %v", step, got, err)
			}
		}
	})

	t.Run("the mark is what was set last", func(t *testing.T) {
		ix := open(t)
		for _, want := range []int64{0, 7, 3} {
			if want > 0 {
				must(t, ix.SetMark(ctx, want))
			}
			if got, err := ix.Mark(ctx); err != nil || got != want {
				t.Fatalf("mark %d, %v, want %d", got, err, want)
			}
		}
	})
}
