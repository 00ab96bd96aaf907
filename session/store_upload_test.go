package session

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAnUploadGrowsByPartsAndEachByteIsTakenOnce(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		digest := strings.Repeat("ab", 32)
		u, over, err := s.BeginUpload(ctx, Upload{Session: ses.ID, Kind: "selfie", Size: 10, SHA256: digest}, time.Hour)
		if err != nil || len(over) != 0 {
			t.Fatal(over, err)
		}
		again, _, err := s.BeginUpload(ctx, Upload{Session: ses.ID, Kind: "selfie", Size: 10, SHA256: digest}, time.Hour)
		if err != nil || again.ID != u.ID {
			t.Errorf("the same file began another upload: %s %v", again.ID, err)
		}
		ok(t, s.AddUploadPart(ctx, u.ID, UploadPart{At: 0, Size: 4, Object: "obj_1"}, time.Hour))
		var wg sync.WaitGroup
		var mu sync.Mutex
		taken := 0
		for range 5 { // several requests at the same offset
			wg.Go(func() {
				err := s.AddUploadPart(ctx, u.ID, UploadPart{At: 4, Size: 6, Object: "obj_2"}, time.Hour)
				if err == nil {
					mu.Lock()
					taken++
					mu.Unlock()
				} else if !errors.Is(err, ErrConflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if taken != 1 {
			t.Errorf("a part was taken %d times", taken)
		}
		if err := s.AddUploadPart(ctx, u.ID, UploadPart{At: 10, Size: 1, Object: "obj_3"}, time.Hour); !errors.Is(err, ErrConflict) {
			t.Errorf("a part beyond the size: %v", err)
		}
		got := must[Upload](t)(s.Upload(ctx, u.ID))
		parts := must[[]UploadPart](t)(s.UploadParts(ctx, u.ID))
		if !got.Complete() || len(parts) != 2 || parts[1].At != 4 {
			t.Errorf("%+v %+v", got, parts)
		}
		ok(t, s.EndUpload(ctx, u.ID, json.RawMessage(`{"a":1}`)))
		ok(t, s.EndUpload(ctx, u.ID, json.RawMessage(`{"a":2}`)))
		got = must[Upload](t)(s.Upload(ctx, u.ID))
		if string(got.Answer) != `{"a":1}` || got.SHA256 != "" || got.EndedAt.IsZero() {
			t.Errorf("ended as %+v", got)
		}
		if stale := must[[]Upload](t)(s.StaleUploads(ctx, 9)); len(stale) != 1 {
			t.Errorf("stale: %v", stale)
		}
		ok(t, s.ForgetUploadPart(ctx, u.ID, 0))
		ok(t, s.ForgetUploadPart(ctx, u.ID, 4))
		if stale := must[[]Upload](t)(s.StaleUploads(ctx, 9)); len(stale) != 0 {
			t.Errorf("stale after their parts went: %v", stale)
		}
	})
}

func TestASessionsUploadsAreBoundedInNumberAndTime(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		begin := func() (Upload, []Upload) {
			u, over, err := s.BeginUpload(ctx, Upload{Session: ses.ID, Kind: "selfie", Size: 10}, time.Hour)
			ok(t, err)
			return u, over
		}
		first, _ := begin()
		for range MaxUploads - 1 {
			if _, over := begin(); len(over) != 0 {
				t.Fatalf("ended early: %v", over)
			}
		}
		if _, over := begin(); len(over) != 1 || over[0].ID != first.ID {
			t.Errorf("one too many ended %v", over)
		}
		c.add(time.Hour)
		if _, over := begin(); len(over) != MaxUploads {
			t.Errorf("%d expired", len(over))
		}
		for _, bad := range []Upload{{Session: ses.ID, Kind: "selfie"}, {Session: ses.ID, Size: 1}, {Session: ses.ID, Kind: "selfie", Size: 1, SHA256: "x"}} {
			if _, _, err := s.BeginUpload(ctx, bad, time.Hour); !errors.Is(err, ErrInvalid) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if _, _, err := s.BeginUpload(ctx, Upload{Session: "ses_x", Kind: "selfie", Size: 1}, time.Hour); !errors.Is(err, ErrNotFound) {
			t.Errorf("an upload of no session: %v", err)
		}
	})
}

func TestAnUploadHasABoundedNumberOfParts(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		u, _, err := s.BeginUpload(ctx, Upload{Session: ses.ID, Kind: "selfie", Size: 5000}, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for i := range MaxUploadParts {
			ok(t, s.AddUploadPart(ctx, u.ID, UploadPart{At: int64(i), Size: 1, Object: "obj"}, time.Hour))
		}
		wantErr(t, s.AddUploadPart(ctx, u.ID, UploadPart{At: MaxUploadParts, Size: 1, Object: "obj"}, time.Hour), ErrConflict)
		if got := must[Upload](t)(s.Upload(ctx, u.ID)); got.Parts != MaxUploadParts || got.Received != MaxUploadParts {
			t.Errorf("%+v", got)
		}
	})
}
