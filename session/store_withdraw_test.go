package session

import (
	"errors"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

func TestWhatWasGrantedForAReviewEndsWithTheReviewWhicheverWayItEnds(t *testing.T) {
	ways := map[string]func(t *testing.T, s *Store, ses *Session){
		"withdrawn under a legal hold": func(t *testing.T, s *Store, ses *Session) {
			must[Hold](t)(s.PlaceHold(ctx, operatorActor, ses.ID, "litigation", ""))
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: ConsentWithdrawn, Actor: client}, nil))
		},
		"decided": func(t *testing.T, s *Store, ses *Session) {
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(Actor{Reviewer, "rev"}, 0, decision(policy.Approved)), nil))
		},
		"asked for other photos": func(t *testing.T, s *Store, ses *Session) {
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(Actor{Reviewer, "rev"}, 0, decision(policy.NeedsResubmission, "capture.blurred")), nil))
		},
	}
	for way, end := range ways {
		t.Run(way, func(t *testing.T) {
			each(t, func(t *testing.T, s *Store, c *testClock) {
				ses := toReview(t, s)
				vera, max := newAccount(t, s, "vera", access.Reviewer).ID, newAccount(t, s, "max", access.Reviewer).ID
				ask := func(purpose string, second bool) Grant {
					return must[Grant](t)(s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: vera, Purpose: purpose, Text: "why", Life: time.Hour, Second: second}))
				}
				active, pending, complaint := ask("review", false), ask("review", true), ask("complaint", false)
				end(t, s, ses)
				for name, id := range map[string]string{"active": active.ID, "pending": pending.ID} {
					if g := must[Grant](t)(s.Grant(ctx, id)); g.State(c.Now()) != "ended" {
						t.Errorf("the %s grant is %s", name, g.State(c.Now()))
					}
				}
				_, err := s.UseGrant(ctx, vera, active.ID, ses.ID, "obj", "selfie")
				wantErr(t, err, ErrNoGrant)
				_, err = s.ApproveGrant(ctx, max, pending.ID)
				wantErr(t, err, ErrNoGrant)
				if n := logged(t, s, "evidence.grant_over"); n != 2 {
					t.Errorf("the end of %d grants is logged", n)
				}
				// What is granted for another purpose does not hang on the review.
				must[Grant](t)(s.UseGrant(ctx, vera, complaint.ID, ses.ID, "obj", "selfie"))
			})
		})
	}
}

func TestAReviewGrantThatAnOlderVersionLeftOpenOpensNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := toReview(t, s)
		vera := newAccount(t, s, "vera", access.Reviewer).ID
		g := must[Grant](t)(s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: vera, Purpose: "review", Life: time.Hour}))
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: ConsentWithdrawn, Actor: client}, nil))
		ok(t, s.write(ctx, "test", func(tx *Tx) error {
			_, err := tx.exec("UPDATE evidence_grants SET ended_at = 0, ended_by = ''")
			return err
		}))
		_, err := s.UseGrant(ctx, vera, g.ID, ses.ID, "obj", "selfie")
		wantErr(t, err, ErrNoGrant)
	})
}

func TestAttributesAreRefusedFromTheWithdrawalOnAlsoUnderALegalHold(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := toReview(t, s)
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(Actor{Reviewer, "rev"}, 0, decision(policy.Approved)), nil))
		ok(t, s.AttributesRead(ctx, service, ses.ID))
		must[Hold](t)(s.PlaceHold(ctx, operatorActor, ses.ID, "litigation", ""))
		ok(t, s.RequestErasure(ctx, ses.ID, client, WithdrawnReason))
		got := must[*Session](t)(s.Get(ctx, ses.ID))
		if !got.Consent.WithdrawnAt.Equal(c.Now()) || got.Version <= ses.Version+1 {
			t.Errorf("consent %+v, version %d", got.Consent, got.Version)
		}
		wantErr(t, s.AttributesRead(ctx, service, ses.ID), ErrWithdrawn)
		c.add(time.Minute)
		ok(t, s.RequestErasure(ctx, ses.ID, client, WithdrawnReason))
		if again := must[*Session](t)(s.Get(ctx, ses.ID)); !again.Consent.WithdrawnAt.Equal(got.Consent.WithdrawnAt) || again.Version != got.Version {
			t.Errorf("withdrawn again: %+v", again.Consent)
		}
		var said []string
		for _, e := range must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID)) {
			if e.Action == "attributes.read" {
				said = append(said, e.Outcome)
			}
		}
		if len(said) != 2 || said[0] != "" || said[1] != "refused" {
			t.Errorf("the log says %q", said)
		}
		// A session from before withdrawals were marked.
		ok(t, s.write(ctx, "test", func(tx *Tx) error {
			_, err := tx.exec("UPDATE sessions SET consent = ?", `{"at":"2026-01-01T00:00:00Z","text_hash":"x","scope":["document"]}`)
			return err
		}))
		if err := s.AttributesRead(ctx, service, ses.ID); !errors.Is(err, ErrWithdrawn) {
			t.Errorf("without the mark: %v", err)
		}
	})
}
