package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proofline/proofline/audit"
)

const evidenceColumns = "id, session, attempt, kind, object, sha256, salt, size, findings, at"

// PutEvidence records an accepted photo on a session in capture_in_progress. It
// is Apply with EvidenceAdded and Tx.PutEvidence.
func (s *Store) PutEvidence(ctx context.Context, by Actor, e Evidence) (*Session, error) {
	return s.Apply(ctx, e.Session, AnyVersion, Event{Kind: EvidenceAdded, Actor: by, Attempt: e.Attempt,
		Refs: map[string]string{"kind": e.Kind, "object": e.Object}},
		func(tx *Tx) error { return tx.PutEvidence(e) })
}

// PutEvidence records e for the session of the transaction.
func (tx *Tx) PutEvidence(e Evidence) error {
	if e.Kind == "" || e.Object == "" || len(e.Findings) > 1<<20 {
		return fmt.Errorf("%w: evidence needs a kind and an object, and at most 1 MiB of findings", ErrInvalid)
	}
	var n int
	if err := tx.row(photosQuery, tx.Session.ID, tx.Session.Attempt).Scan(&n); err != nil {
		return fmt.Errorf("count photos: %w", err)
	}
	if n >= MaxPhotos {
		return ErrPhotosFull
	}
	if e.ID == "" {
		e.ID = tx.s.ids.next(EvidencePrefix, tx.Now)
	}
	// The log commits to the photo without telling its digest: with the salt,
	// which erasure forgets, the commitment proves which photo was judged;
	// without it, it says nothing.
	salt := make([]byte, 16)
	rand.Read(salt)
	err := tx.later("record evidence", "INSERT INTO evidence ("+evidenceColumns+") VALUES ("+marks(10)+")", e.ID, tx.Session.ID, tx.Session.Attempt,
		e.Kind, e.Object, e.SHA256, hex.EncodeToString(salt), e.Size, string(e.Findings), micros(tx.Now))
	if err != nil {
		return err
	}
	tx.Audit(audit.Entry{Actor: string(System), Action: "evidence.committed", Session: tx.Session.ID, Tenant: tx.Session.Tenant,
		Attempt: tx.Session.Attempt, Refs: map[string]string{"evidence": e.ID, "object": e.Object, "kind": e.Kind},
		Hashes: map[string]string{"evidence": Commitment(salt, e.SHA256)}, Correlation: tx.Session.CorrelationID})
	return nil
}

// ErrPhotosFull tells that an attempt keeps as many photos as it may.
var ErrPhotosFull = errors.New("no more photos in this attempt")

// MaxPhotos is how many photos an attempt keeps, those included that were taken again.
// Whoever has a session's link must not fill the storage with it.
const MaxPhotos = 40

const photosQuery = "SELECT COUNT(*) FROM evidence WHERE session = ? AND attempt = ?"

// Photos counts the photos that were kept in an attempt.
func (s *Store) Photos(ctx context.Context, session string, attempt int) (int, error) {
	n, err := s.number(ctx, "count photos", photosQuery, session, attempt)
	return int(n), err
}

// Commitment is the salted hash by which the audit log knows a photo.
func Commitment(salt []byte, sha256hex string) string {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte(sha256hex))
	return hex.EncodeToString(h.Sum(nil))
}

func scanEvidence(r scanner) (Evidence, error) {
	var e Evidence
	var salt, findings string
	var at int64
	err := r.Scan(&e.ID, &e.Session, &e.Attempt, &e.Kind, &e.Object, &e.SHA256, &salt, &e.Size, &findings, &at)
	if findings != "" {
		e.Findings = json.RawMessage(findings)
	}
	e.At = fromMicros(at)
	return e, err
}

// Evidence returns what an attempt is judged on: the newest photo of each kind
// up to that attempt, in order of kind. A kind that was not taken again is
// carried over; Evidence.Attempt tells.
func (s *Store) Evidence(ctx context.Context, session string, attempt int) ([]Evidence, error) {
	out, err := list(ctx, s, "read evidence", scanEvidence, "SELECT "+evidenceColumns+` FROM evidence
		WHERE id IN (SELECT MAX(id) FROM evidence WHERE session = ? AND attempt <= ? GROUP BY kind)`, session, attempt)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b Evidence) int { return strings.Compare(a.Kind, b.Kind) })
	return out, nil
}

// PutStage stores a stage's result unless there is one for the same attempt,
// stage and input already, and returns the one that is stored: of two workers,
// both go on with the first one's result.
func (s *Store) PutStage(ctx context.Context, r StageResult) (StageResult, error) {
	if r.Session == "" || r.Attempt < 1 || r.Stage == "" || r.InputHash == "" || !json.Valid(r.Body) || len(r.Body) > 4<<20 {
		return StageResult{}, fmt.Errorf("store stage: %w: session, attempt, stage, input hash and a JSON body of at most 4 MiB are needed", ErrInvalid)
	}
	err := s.writeApart(ctx, "store stage "+r.Stage, func(tx *Tx) error {
		n, err := tx.exec(`INSERT INTO stage_results (session, attempt, stage, input_hash, body, at) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (session, attempt, stage, input_hash) DO NOTHING`, r.Session, r.Attempt, r.Stage, r.InputHash, string(r.Body), micros(tx.Now))
		if err != nil {
			return err
		}
		if r.At = tx.Now; n == 1 {
			return nil
		}
		var body string
		var at int64
		if err := tx.row("SELECT body, at FROM stage_results WHERE session = ? AND attempt = ? AND stage = ? AND input_hash = ?",
			r.Session, r.Attempt, r.Stage, r.InputHash).Scan(&body, &at); err != nil {
			return err
		}
		r.Body, r.At = json.RawMessage(body), fromMicros(at)
		return nil
	})
	if err != nil {
		return StageResult{}, err
	}
	return r, nil
}

// Stages returns the stored results of an attempt, oldest first.
func (s *Store) Stages(ctx context.Context, session string, attempt int) ([]StageResult, error) {
	return list(ctx, s, "read stages", func(r scanner) (StageResult, error) {
		var v StageResult
		var body string
		var at int64
		err := r.Scan(&v.Session, &v.Attempt, &v.Stage, &v.InputHash, &body, &at)
		v.Body, v.At = json.RawMessage(body), fromMicros(at)
		return v, err
	}, "SELECT session, attempt, stage, input_hash, body, at FROM stage_results WHERE session = ? AND attempt = ? ORDER BY at, stage", session, attempt)
}

// WithdrawnReason is that of an erasure because consent was withdrawn.
const WithdrawnReason = "consent_withdrawn"

// RequestErasure queues the erasure of all evidence of a session, in whatever
// state it is, and audits who asked. reason is a short code. It ends no open
// session; ConsentWithdrawn does both. While the session is under legal hold the
// request is refused with ErrHeld, and the refusal is audited. Held or not, the
// session's person is compared with nobody from then on.
func (s *Store) RequestErasure(ctx context.Context, session string, by Actor, reason string) error {
	var held bool
	err := s.write(ctx, "request erasure", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		if held, err = tx.held(session); err != nil {
			return err
		}
		if err := tx.forgetSubject(ses.ID); err != nil {
			return err
		}
		// A withdrawn consent is not refused, only late: the worker waits for the hold
		// to be lifted.
		if held = held && reason != WithdrawnReason; held {
			tx.Audit(audit.Entry{Actor: by.String(), Action: "evidence.erasure_refused", Session: ses.ID, Tenant: ses.Tenant,
				Attempt: ses.Attempt, Refs: map[string]string{"reason": clip(reason), "because": HeldReason}, Correlation: ses.CorrelationID})
			return nil
		}
		if reason == WithdrawnReason && ses.Consent != nil && !ses.Consent.WithdrawnAt.IsZero() {
			// Said before. Only an erasure that was given up is asked for again.
			var dead int64
			if err := tx.row("SELECT COUNT(*) FROM outbox WHERE kind = ? AND session = ? AND ref = ? AND state = ?", KindErase, ses.ID, reason, Dead).Scan(&dead); err != nil || dead == 0 {
				return err
			}
		}
		if reason == WithdrawnReason && ses.withdrawConsent(tx.Now) {
			consent, err := jsonOrEmpty(true, ses.Consent)
			if err != nil {
				return fmt.Errorf("encode consent: %w", err)
			}
			if err := tx.laterRows("mark consent as withdrawn", 1, "UPDATE sessions SET consent = ?, version = ?, updated_at = ? WHERE id = ?",
				consent, ses.Version+1, micros(tx.Now), ses.ID); err != nil {
				return err
			}
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "evidence.erasure_requested", Session: ses.ID, Tenant: ses.Tenant,
			Attempt: ses.Attempt, Refs: map[string]string{"reason": clip(reason)}, Correlation: ses.CorrelationID})
		return tx.Enqueue(KindErase, ses.ID, ses.Attempt, clip(reason), ses.CorrelationID)
	})
	if err == nil && held {
		return fmt.Errorf("request erasure: %w", ErrHeld)
	}
	return err
}

// EvidenceErased records that the vault has erased a session's evidence:
// digests and salts go, the relying service is told, and the audit entry holds
// the certificate's id and hash. It also finishes the outbox row that asked.
func (s *Store) EvidenceErased(ctx context.Context, outboxID, session string, by Actor, refs, hashes map[string]string) error {
	return s.write(ctx, "record erasure", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		if _, err := tx.exec("UPDATE evidence SET sha256 = '', salt = '' WHERE session = ?", session); err != nil {
			return err
		}
		if _, err := tx.exec("UPDATE uploads SET sha256 = '', ended_at = ? WHERE session = ? AND ended_at = 0", micros(tx.Now), session); err != nil {
			return err
		}
		if outboxID != "" {
			if err := tx.setOutbox(outboxID, Done, "", tx.Now, 0); err != nil {
				return err
			}
		}
		// The sequence of the event must differ from that of the last transition.
		ses.Version++
		if _, err := tx.exec("UPDATE sessions SET version = ?, updated_at = ? WHERE id = ?", ses.Version, micros(tx.Now), session); err != nil {
			return err
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "evidence.erased", Session: ses.ID, Tenant: ses.Tenant,
			Attempt: ses.Attempt, Refs: refs, Hashes: hashes, Correlation: ses.CorrelationID})
		return tx.announce(ses, ses.State, NoticeErased, nil)
	})
}
