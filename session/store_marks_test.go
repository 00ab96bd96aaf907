package session

import (
	"errors"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/storage"
)

func TestMarksTellOtherSubjectsOfTheSameTenantAndNoOthers(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		put := func(tenant, subject, mark, object string) Mark {
			n := newSession()
			n.Tenant, n.ExternalRef = tenant, subject
			ses := must[*Session](t)(s.Create(ctx, n))
			m := Mark{Session: ses.ID, Kind: NumberMark, Tenant: tenant, Subject: ses.SubjectOf(), Mark: mark, Object: object, Expires: c.Now().Add(48 * time.Hour)}
			if object != "" {
				m.Kind = FaceMark
			}
			ok(t, s.PutMark(ctx, m))
			return m
		}
		put("other", "x", "h1", "")
		put("acme", "anna", "h2", "")
		mine := put("acme", "anna", "h1", "")
		if n, d, err := s.SameNumber(ctx, mine, c.Now().Add(-time.Hour)); err != nil || n+d != 0 {
			t.Errorf("alone: %d %d %v", n, d, err)
		}
		again := put("acme", "anna", "h1", "")
		berta := put("acme", "berta", "h1", "")
		if n, d, err := s.SameNumber(ctx, mine, c.Now().Add(-time.Hour)); err != nil || n != 1 || d != 2 {
			t.Errorf("with berta: %d subjects, %d sessions, %v", n, d, err)
		}
		ok(t, s.BeginErasure(ctx, berta.Session, storage.ExtractedFields, c.Now()))
		if n, d, err := s.SameNumber(ctx, again, c.Now().Add(-time.Hour)); err != nil || n != 0 || d != 1 {
			t.Errorf("after berta was erased: %d %d %v", n, d, err)
		}
		ok(t, s.PutMark(ctx, berta)) // a worker that was late
		if n, _, err := s.SameNumber(ctx, mine, c.Now().Add(-time.Hour)); err != nil || n != 0 {
			t.Errorf("a mark came back after its erasure: %d %v", n, err)
		}
		put("acme", "carla", "", "obj_1")
		c.add(time.Minute)
		put("acme", "dora", "", "obj_2")
		put("acme", "anna", "", "obj_3")
		faces := must[[]Mark](t)(s.FaceMarks(ctx, "acme", "anna", c.Now().Add(-time.Hour), 9))
		if len(faces) != 2 || faces[0].Object != "obj_2" {
			t.Errorf("%+v", faces)
		}
		if few := must[[]Mark](t)(s.FaceMarks(ctx, "acme", "anna", c.Now().Add(-time.Hour), 1)); len(few) != 1 {
			t.Errorf("%d of 1", len(few))
		}
		if n, err := s.SubjectSessions(ctx, "acme", "anna", c.Now().Add(-time.Hour)); err != nil || n != 4 {
			t.Errorf("%d sessions of anna, %v", n, err)
		}
		c.add(48 * time.Hour)
		if faces := must[[]Mark](t)(s.FaceMarks(ctx, "acme", "anna", time.Time{}, 9)); len(faces) != 0 {
			t.Errorf("faces whose time is over: %+v", faces)
		}
		if err := s.PutMark(ctx, Mark{Session: "s", Kind: "iris", Tenant: "acme", Subject: "a", Mark: "h"}); !errors.Is(err, ErrInvalid) {
			t.Errorf("another kind: %v", err)
		}
	})
}

func TestATenantHasOneKeyAndARotationKnowsIt(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		made := 0
		seal := func() ([]byte, error) { made++; return []byte{'k', 0, byte(made)}, nil }
		first := must[[]byte](t)(s.TenantKey(ctx, "acme", seal))
		again := must[[]byte](t)(s.TenantKey(ctx, "acme", seal))
		if string(first) != string(again) || made != 1 {
			t.Errorf("%x %x, made %d", first, again, made)
		}
		all := must[[]Secret](t)(s.Secrets(ctx))
		if len(all) != 1 || all[0].Kind != TenantSecret || all[0].ID != "acme" {
			t.Fatalf("%+v", all)
		}
		ok(t, s.ReplaceSecret(ctx, all[0], []byte("sealed anew")))
		if b := must[[]byte](t)(s.TenantKey(ctx, "acme", seal)); string(b) != "sealed anew" {
			t.Errorf("%q", b)
		}
	})
}

func TestWhoWithdrawsIsComparedWithNobodyAlsoUnderALegalHold(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		for way, end := range map[string]func(ses *Session){
			"while the case is open": func(ses *Session) {
				must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: ConsentWithdrawn, Actor: client}, nil))
			},
			"after it ended": func(ses *Session) {
				must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(Actor{Reviewer, "rev"}, 0, decision(policy.Approved)), nil))
				ok(t, s.RequestErasure(ctx, ses.ID, client, WithdrawnReason))
			},
			"by asking for an erasure that is refused": func(ses *Session) {
				wantErr(t, s.RequestErasure(ctx, ses.ID, service, "gdpr_request"), ErrHeld)
			},
		} {
			ses := toReview(t, s)
			must[Hold](t)(s.PlaceHold(ctx, operatorActor, ses.ID, "litigation", ""))
			number := Mark{Session: ses.ID, Kind: NumberMark, Tenant: ses.Tenant, Subject: ses.SubjectOf(), Mark: "h1", Expires: c.Now().Add(48 * time.Hour)}
			face := Mark{Session: ses.ID, Kind: FaceMark, Tenant: ses.Tenant, Subject: ses.SubjectOf(), Object: "obj_1", Expires: number.Expires}
			known := func() (int, int) {
				n, _, err := s.SameNumber(ctx, Mark{Session: "ses_x", Kind: NumberMark, Tenant: ses.Tenant, Subject: "x", Mark: "h1"}, time.Time{})
				ok(t, err)
				return n, len(must[[]Mark](t)(s.FaceMarks(ctx, ses.Tenant, "x", time.Time{}, 9)))
			}
			ok(t, s.PutMark(ctx, number))
			ok(t, s.PutMark(ctx, face))
			x := Screening{Session: ses.ID, List: "pep", Result: "clear", Provider: MatcherProvider, Reference: "m-1", Subject: "who"}
			_, _, err := s.PutScreening(ctx, Actor{Worker, "w"}, x)
			ok(t, err)
			if n, f := known(); n != 1 || f != 1 {
				t.Fatalf("%s: %d numbers and %d faces are compared before", way, n, f)
			}
			end(ses)
			if n, f := known(); n+f != 0 {
				t.Errorf("%s: %d numbers and %d faces are compared", way, n, f)
			}
			if xs := must[[]Screening](t)(s.Screenings(ctx, ses.ID)); len(xs) != 1 || xs[0].Subject != "" {
				t.Errorf("%s: %+v", way, xs)
			}
			if got := must[*Session](t)(s.Get(ctx, ses.ID)); got.Consent.WithdrawnAt.IsZero() {
				continue
			}
			ok(t, s.PutMark(ctx, number)) // a worker that was late
			ok(t, s.PutMark(ctx, face))
			x.Reference = "m-2"
			late, _, err := s.PutScreening(ctx, Actor{Worker, "w"}, x)
			ok(t, err)
			if n, f := known(); n+f != 0 || late.Subject != "" {
				t.Errorf("%s: a late worker brought back %d numbers, %d faces, %q", way, n, f, late.Subject)
			}
		}
	})
}
