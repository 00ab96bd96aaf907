package session

import (
	"errors"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
)

func TestAScreeningResultIsRecordedOnceAndNeverTurned(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		x := Screening{Session: ses.ID, List: "sanctions", Result: "clear", Provider: "own", Reference: "q-1", Lists: "2026-03-01", CheckedAt: c.Now()}
		first, fresh, err := s.PutScreening(ctx, service, x)
		if err != nil || !fresh {
			t.Fatal(fresh, err)
		}
		c.add(time.Hour)
		again, fresh, err := s.PutScreening(ctx, service, x)
		if err != nil || fresh || again.ID != first.ID || !again.At.Equal(first.At) {
			t.Errorf("%+v %v %v", again, fresh, err)
		}
		x.Result = "match"
		if _, _, err := s.PutScreening(ctx, service, x); !errors.Is(err, ErrConflict) {
			t.Errorf("another result under the same reference: %v", err)
		}
		x.Reference = "q-2"
		if _, fresh, err := s.PutScreening(ctx, service, x); err != nil || !fresh {
			t.Errorf("%v %v", fresh, err)
		}
		all := must[[]Screening](t)(s.Screenings(ctx, ses.ID))
		if len(all) != 2 || all[0].Result != "clear" || all[1].Result != "match" || all[0].By != service.String() {
			t.Errorf("%+v", all)
		}
		n := 0
		for _, e := range must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID)) {
			if e.Action == "screening.recorded" {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d entries in the log", n)
		}
		x.Session = "ses_none"
		if _, _, err := s.PutScreening(ctx, service, x); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
		x.Session, x.Reference = ses.ID, ""
		if _, _, err := s.PutScreening(ctx, service, x); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v", err)
		}
	})
}
