package session

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
)

// due: the session waits for the person and its time is up.
func (s *Session) due(tx *Tx) bool {
	_, none := next(s, Event{Kind: Expire, Actor: Actor{Role: System}})
	return none == nil && !tx.Now.Before(s.ExpiresAt)
}

func (tx *Tx) lockSession(id string) (*Session, error) {
	if !idShaped(id) {
		return nil, ErrNotFound
	}
	return scanSession(tx.row("SELECT "+sessionColumns+" FROM sessions WHERE id = ?"+tx.s.forUpdate(), id))
}

// recordDecision keeps a decision, once per attempt and decider; fresh is false
// when there was one already.
func (tx *Tx) recordDecision(ses *Session, t Transition, ev Event) (fresh bool, err error) {
	d := Decision{Decision: *ev.Decision, By: ev.Actor.Role, At: tx.Now, State: t.To}
	d.Attempt = ses.Attempt
	body, err := json.Marshal(d)
	if err != nil {
		return false, fmt.Errorf("encode decision: %w", err)
	}
	basis, err := jsonOrEmpty(ev.Basis != nil, ev.Basis)
	if err != nil {
		return false, fmt.Errorf("encode basis of decision: %w", err)
	}
	n, err := tx.exec(`INSERT INTO decisions (session, attempt, decider, state, body, at, basis) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (session, attempt, decider) DO NOTHING`, ses.ID, ses.Attempt, d.By, d.State, string(body), micros(tx.Now), basis)
	if err != nil || n == 0 {
		return false, err
	}
	ses.Decision = &d
	return true, nil
}

// move carries out a legal transition with everything that follows from it.
func (tx *Tx) move(ses *Session, t Transition, ev Event) error {
	from, version := ses.State, ses.Version
	ses.State, ses.Version, ses.UpdatedAt = t.To, version+1, tx.Now
	if t.NextAttempt {
		ses.Attempt++
		ses.SubmittedAt = fromMicros(0)
	}
	if ev.Device != "" {
		ses.Device = ev.Device
	}
	switch {
	case ev.Kind == ConsentGiven:
		c := *ev.Consent
		c.At = tx.Now
		ses.Consent = &c
	case ev.Kind == ConsentWithdrawn:
		ses.withdrawConsent(tx.Now)
	case ev.Kind == Submit:
		ses.SubmittedAt = tx.Now
	case t.To == NeedsResubmission:
		ses.ExpiresAt = tx.Now.Add(ses.ttl)
	}
	consent, err := jsonOrEmpty(ses.Consent != nil, ses.Consent)
	if err != nil {
		return fmt.Errorf("encode consent: %w", err)
	}
	decision, err := jsonOrEmpty(ses.Decision != nil, ses.Decision)
	if err != nil {
		return fmt.Errorf("encode decision: %w", err)
	}
	// One row: it was read under its lock, with this version.
	err = tx.laterRows("move session", 1, `UPDATE sessions SET state = ?, version = ?, attempt = ?, consent = ?, decision = ?,
		updated_at = ?, expires_at = ?, submitted_at = ?, device = ? WHERE id = ? AND version = ?`,
		ses.State, ses.Version, ses.Attempt, consent, decision,
		micros(ses.UpdatedAt), micros(ses.ExpiresAt), micros(ses.SubmittedAt), ses.Device, ses.ID, version)
	if err != nil {
		return err
	}
	if err := tx.follow(ses, from, ev); err != nil {
		return err
	}
	codes := eventCodes(ev)
	e := audit.Entry{Actor: ev.Actor.String(), Action: "session." + string(ev.Kind), Session: ses.ID, Tenant: ses.Tenant,
		Attempt: ses.Attempt, From: string(from), To: string(ses.State), Codes: codes, Refs: ev.Refs, Correlation: ses.CorrelationID}
	switch {
	case ev.Decision != nil:
		h := sha256.Sum256([]byte(decision))
		e.Outcome = string(ev.Decision.Outcome)
		e.Hashes = map[string]string{"decision": hex.EncodeToString(h[:]), "policy": ev.Decision.PolicyHash}
		if ev.Basis != nil {
			e.Hashes["input"], e.Hashes["codes"] = ev.Basis.InputHash, ev.Basis.CodesHash
		}
	case ev.Kind == ConsentGiven:
		e.Hashes = map[string]string{"consent_text": ev.Consent.TextHash}
	}
	tx.Audit(ses.marked(e))
	tx.moves = append(tx.moves, Move{From: from, To: ses.State, Event: ev.Kind, By: ev.Actor.Role, Test: ses.Test()})
	if t.Notice == "" {
		return nil
	}
	return tx.announce(ses, from, t.Notice, codes)
}

// same: the other consent says what this one does.
func (c *Consent) same(other *Consent) bool {
	return c != nil && c.WithdrawnAt.IsZero() && c.TextHash == other.TextHash && c.Locale == other.Locale && slices.Equal(c.Scope, other.Scope)
}

// withdrawConsent marks the consent as taken back, once; it tells whether that
// changed anything.
func (s *Session) withdrawConsent(now time.Time) bool {
	if s.Consent == nil || !s.Consent.WithdrawnAt.IsZero() {
		return false
	}
	c := *s.Consent
	c.WithdrawnAt = now
	s.Consent = &c
	return true
}

// follow writes and finishes the outbox rows that a move calls for, and ends
// what was granted for a review that is over.
func (tx *Tx) follow(ses *Session, from State, ev Event) error {
	if ev.Kind == Submit {
		if err := tx.Enqueue(KindVerify, ses.ID, ses.Attempt, "", ses.CorrelationID); err != nil {
			return err
		}
	}
	switch {
	case ses.State == PendingReview:
		if err := tx.enterQueue(ses, ev.Triage); err != nil {
			return err
		}
	case from == PendingReview:
		if err := tx.leaveQueue(ses.ID); err != nil {
			return err
		}
	}
	if from == Submitted {
		if err := tx.finishRun(ses.ID, ses.Attempt); err != nil {
			return err
		}
	}
	if from == PendingReview && ses.State != PendingReview {
		if err := tx.endReviewGrants(ses.ID); err != nil {
			return err
		}
	}
	if from == Submitted {
		if err := tx.draw(ses, ev); err != nil {
			return err
		}
	}
	if ev.Kind == ConsentWithdrawn {
		if err := tx.forgetSubject(ses.ID); err != nil {
			return err
		}
		return tx.Enqueue(KindErase, ses.ID, ses.Attempt, WithdrawnReason, ses.CorrelationID)
	}
	return nil
}

// recentNoops is how far back a client's repeated request is looked for. The
// events that a client can send, times the reasons, are fewer.
const recentNoops = 32

// auditNoop logs an event that changed nothing. What a client says again is in
// the log once: it could fill it otherwise.
func (tx *Tx) auditNoop(ses *Session, ev Event, why *NoTransitionError) error {
	refs := map[string]string{"reason": string(why.Reason)}
	if why.Guard != NoGuard {
		refs["guard"] = string(why.Guard)
	}
	attempt := ev.Attempt
	if attempt == 0 {
		attempt = ses.Attempt
	}
	e := audit.Entry{Actor: ev.Actor.String(), Action: "session." + string(ev.Kind), Session: ses.ID, Tenant: ses.Tenant,
		Attempt: attempt, From: string(ses.State), To: string(ses.State), Outcome: "noop", Refs: refs, Correlation: ses.CorrelationID}
	if ev.Actor.Role == Client {
		rows, err := tx.rows("SELECT seq, body FROM audit_entries WHERE session = ? AND session <> '' ORDER BY seq DESC LIMIT ?", ses.ID, recentNoops)
		recent, err := collect(rows, err, "look for repeated event", scanEntry)
		if err != nil {
			return err
		}
		for _, r := range recent {
			// Not by actor: a client can have a new token whenever it wants one.
			if r.Action == e.Action && r.Outcome == e.Outcome && r.Attempt == e.Attempt && r.From == e.From && maps.Equal(r.Refs, e.Refs) &&
				strings.HasPrefix(r.Actor, string(Client)) {
				return nil
			}
		}
	}
	tx.Audit(e)
	return nil
}

// eventCodes joins the event's codes and its decision's, without repeats.
func eventCodes(ev Event) []string {
	codes := slices.Clone(ev.Codes)
	if ev.Decision != nil {
		for _, c := range ev.Decision.Codes {
			if !slices.Contains(codes, string(c)) {
				codes = append(codes, string(c))
			}
		}
	}
	return codes
}

func jsonOrEmpty(set bool, v any) (string, error) {
	if !set {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}
