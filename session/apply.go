package session

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/proofline/proofline/audit"
)

// AnyVersion lets Apply act on a session whatever its version.
const AnyVersion int64 = 0

// check refuses events that no caller can mean.
func (ev *Event) check() error {
	if ev.Actor.Role == "" {
		return fmt.Errorf("%w: event without an actor", ErrInvalid)
	}
	if err := checkField(ev.Actor.ID); err != nil {
		return err
	}
	decides := slices.Contains([]EventKind{Approve, Reject, Refer, RequestResubmission}, ev.Kind)
	switch {
	case decides != (ev.Decision != nil):
		return fmt.Errorf("%w: %q with or without a decision", ErrInvalid, ev.Kind)
	case decides && Decided(ev.Actor, 0, *ev.Decision).Kind != ev.Kind:
		return fmt.Errorf("%w: %s with a decision for %q", ErrInvalid, ev.Kind, ev.Decision.Outcome)
	case (ev.Kind == ConsentGiven) != (ev.Consent != nil):
		return fmt.Errorf("%w: %q with or without a consent", ErrInvalid, ev.Kind)
	case ev.Consent != nil && (ev.Consent.TextHash == "" || len(ev.Consent.Scope) == 0 || len(ev.Consent.Scope) > 16):
		return fmt.Errorf("%w: a consent names its text and its scope", ErrInvalid)
	case !slices.ContainsFunc(transitions, func(t Transition) bool { return t.Event == ev.Kind }):
		return fmt.Errorf("%w: no such event", ErrInvalid)
	}
	return nil
}

// Apply makes an event happen to a session; the package comment tells how. fn,
// which may be nil, adds to the transaction. The session is returned as it is
// afterwards, also with ErrNoTransition and ErrConflict.
func (s *Store) Apply(ctx context.Context, id string, expectVersion int64, ev Event, fn func(*Tx) error) (*Session, error) {
	if err := ev.check(); err != nil {
		return nil, err
	}
	var out *Session
	var none *NoTransitionError
	err := s.write(ctx, string(ev.Kind)+" session", func(tx *Tx) error {
		out, none = nil, nil
		ses, err := tx.lockSession(id)
		if err != nil {
			return err
		}
		out = ses
		if expectVersion != AnyVersion && expectVersion != ses.Version {
			return &ConflictError{Session: id, Expected: expectVersion, Actual: ses.Version}
		}
		if ses.due(tx) && ev.Kind != Expire {
			clock := Event{Kind: Expire, Actor: Actor{Role: System, ID: "clock"}}
			t, _ := next(ses, clock)
			if err := tx.move(ses, t, clock); err != nil {
				return err
			}
			none = &NoTransitionError{Session: id, State: ses.State, Event: ev.Kind, Attempt: ev.Attempt, Reason: TimeExpired}
			tx.auditNoop(ses, ev, none)
			return nil
		}
		var t Transition
		if t, none = next(ses, ev); none == nil && ev.Kind == Expire && !ses.due(tx) {
			none = &NoTransitionError{Session: id, State: ses.State, Event: ev.Kind, Attempt: ev.Attempt, Reason: NotLegal}
		}
		if none == nil && ev.Decision != nil {
			fresh, err := tx.recordDecision(ses, t, ev)
			if err != nil {
				return err
			}
			if !fresh {
				none = &NoTransitionError{Session: id, State: ses.State, Event: ev.Kind, Attempt: ev.Attempt, Reason: AlreadyDecided}
			}
		}
		if none != nil {
			tx.auditNoop(ses, ev, none)
			return nil
		}
		if err := tx.move(ses, t, ev); err != nil {
			return err
		}
		if fn != nil {
			tx.Session = ses
			return fn(tx)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	if none != nil {
		return out, none
	}
	return out, nil
}

// due: the session waits for the person and its time is up.
func (s *Session) due(tx *Tx) bool {
	_, none := next(s, Event{Kind: Expire, Actor: Actor{Role: System}})
	return none == nil && !tx.Now.Before(s.ExpiresAt)
}

func (tx *Tx) lockSession(id string) (*Session, error) {
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
	n, err := tx.exec(`INSERT INTO decisions (session, attempt, decider, state, body, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (session, attempt, decider) DO NOTHING`, ses.ID, ses.Attempt, d.By, d.State, string(body), micros(tx.Now))
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
	switch {
	case ev.Kind == ConsentGiven:
		c := *ev.Consent
		c.At = tx.Now
		ses.Consent = &c
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
	n, err := tx.exec(`UPDATE sessions SET state = ?, version = ?, attempt = ?, consent = ?, decision = ?,
		updated_at = ?, expires_at = ?, submitted_at = ? WHERE id = ? AND version = ?`,
		ses.State, ses.Version, ses.Attempt, consent, decision,
		micros(ses.UpdatedAt), micros(ses.ExpiresAt), micros(ses.SubmittedAt), ses.ID, version)
	if err != nil {
		return err
	}
	if n != 1 {
		return &ConflictError{Session: ses.ID, Expected: version}
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
	case ev.Kind == ConsentGiven:
		e.Hashes = map[string]string{"consent_text": ev.Consent.TextHash}
	}
	tx.Audit(e)
	if t.Notice == "" {
		return nil
	}
	return tx.announce(ses, from, t.Notice, codes)
}

// follow writes and finishes the outbox rows that a move calls for.
func (tx *Tx) follow(ses *Session, from State, ev Event) error {
	if ev.Kind == Submit {
		if err := tx.Enqueue(KindVerify, ses.ID, ses.Attempt, "", ses.CorrelationID); err != nil {
			return err
		}
	}
	if from == Submitted {
		if err := tx.finishRun(ses.ID, ses.Attempt); err != nil {
			return err
		}
	}
	if ev.Kind == ConsentWithdrawn {
		return tx.Enqueue(KindErase, ses.ID, ses.Attempt, "consent_withdrawn", ses.CorrelationID)
	}
	return nil
}

func (tx *Tx) auditNoop(ses *Session, ev Event, why *NoTransitionError) {
	refs := map[string]string{"reason": string(why.Reason)}
	if why.Guard != NoGuard {
		refs["guard"] = string(why.Guard)
	}
	attempt := ev.Attempt
	if attempt == 0 {
		attempt = ses.Attempt
	}
	tx.Audit(audit.Entry{Actor: ev.Actor.String(), Action: "session." + string(ev.Kind), Session: ses.ID, Tenant: ses.Tenant,
		Attempt: attempt, From: string(ses.State), To: string(ses.State), Outcome: "noop", Refs: refs, Correlation: ses.CorrelationID})
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

// ExpireDue expires at most limit sessions whose time is up and returns how
// many it expired. Several processes may run it at once.
func (s *Store) ExpireDue(ctx context.Context, limit int) (int, error) {
	ids, err := s.strings(ctx, `SELECT id FROM sessions WHERE state IN ('initiated', 'capture_in_progress', 'needs_resubmission')
		AND expires_at <= ? ORDER BY expires_at LIMIT ?`, micros(s.now()), limit)
	if err != nil {
		return 0, fmt.Errorf("find expired sessions: %w", err)
	}
	n := 0
	for _, id := range ids {
		_, err := s.Apply(ctx, id, AnyVersion, Event{Kind: Expire, Actor: Actor{Role: System, ID: "sweeper"}}, nil)
		switch {
		case err == nil:
			n++
		case !isNoTransition(err): // another process was first
			return n, err
		}
	}
	return n, nil
}

func (s *Store) strings(ctx context.Context, q string, args ...any) ([]string, error) {
	rows, err := s.query(ctx, q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// Decisions returns every decision on a session, oldest first.
func (s *Store) Decisions(ctx context.Context, id string) ([]Decision, error) {
	bodies, err := s.strings(ctx, "SELECT body FROM decisions WHERE session = ? ORDER BY attempt, at, decider DESC", id)
	if err != nil {
		return nil, fmt.Errorf("read decisions: %w", err)
	}
	out := make([]Decision, len(bodies))
	for i, b := range bodies {
		if err := json.Unmarshal([]byte(b), &out[i]); err != nil {
			return nil, fmt.Errorf("decode decision: %w", err)
		}
	}
	return out, nil
}
