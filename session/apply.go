package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// AnyVersion lets Apply act on a session whatever its version.
const AnyVersion int64 = 0

// check refuses events that no caller can mean.
func (ev *Event) check() error {
	if ev.Actor.Role == "" {
		return fmt.Errorf("%w: event without an actor", ErrInvalid)
	}
	if err := errors.Join(checkField(ev.Actor.ID), checkField(ev.Device)); err != nil {
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
	err := s.write(ctx, string(ev.Kind)+" session", func(tx *Tx) (err error) {
		out, none, err = tx.apply(id, expectVersion, ev, fn)
		return err
	})
	if err != nil {
		return out, err
	}
	if none != nil {
		return out, none
	}
	return out, nil
}

// apply is Apply within a transaction. An event that changes nothing is none, not
// an error: its audit entry is to be committed.
func (tx *Tx) apply(id string, expectVersion int64, ev Event, fn func(*Tx) error) (ses *Session, none *NoTransitionError, err error) {
	if ses, err = tx.lockSession(id); err != nil {
		return nil, nil, err
	}
	if expectVersion != AnyVersion && expectVersion != ses.Version {
		return ses, nil, &ConflictError{Session: id, Expected: expectVersion, Actual: ses.Version}
	}
	if ses.due(tx) && ev.Kind != Expire {
		clock := Event{Kind: Expire, Actor: Actor{Role: System, ID: "clock"}}
		t, _ := next(ses, clock) // due has asked
		if err := tx.move(ses, t, clock); err != nil {
			return ses, nil, err
		}
		none = &NoTransitionError{Session: id, State: ses.State, Event: ev.Kind, Attempt: ev.Attempt, Reason: TimeExpired}
		return ses, none, tx.auditNoop(ses, ev, none)
	}
	if ev.Kind == ConsentGiven && ses.State == CaptureInProgress && ses.Consent.same(ev.Consent) {
		return ses, nil, nil // said before: nothing to write, however often it is said
	}
	t, none := next(ses, ev)
	if none == nil && ev.Kind == Expire && !ses.due(tx) {
		none = &NoTransitionError{Session: id, State: ses.State, Event: ev.Kind, Attempt: ev.Attempt, Reason: NotLegal}
	}
	if none == nil && ev.Decision != nil {
		fresh, err := tx.recordDecision(ses, t, ev)
		if err != nil {
			return ses, nil, err
		}
		if !fresh {
			none = &NoTransitionError{Session: id, State: ses.State, Event: ev.Kind, Attempt: ev.Attempt, Reason: AlreadyDecided}
		}
	}
	if none != nil {
		return ses, none, tx.auditNoop(ses, ev, none)
	}
	if err := tx.move(ses, t, ev); err != nil {
		return ses, nil, err
	}
	if fn != nil {
		tx.Session = ses
		return ses, nil, fn(tx)
	}
	return ses, nil, nil
}

// Then makes a second event happen to the session of the transaction, after the
// first: both are committed, or neither is. An event that is not legal there is an
// error.
func (tx *Tx) Then(ev Event) error {
	if tx.Session == nil {
		return fmt.Errorf("%w: a second event goes with a first one", ErrInvalid)
	}
	if err := ev.check(); err != nil {
		return err
	}
	ses := tx.Session
	t, none := next(ses, ev)
	if none != nil {
		return none
	}
	if ev.Decision != nil {
		fresh, err := tx.recordDecision(ses, t, ev)
		if err != nil {
			return err
		}
		if !fresh {
			return &NoTransitionError{Session: ses.ID, State: ses.State, Event: ev.Kind, Attempt: ev.Attempt, Reason: AlreadyDecided}
		}
	}
	return tx.move(ses, t, ev)
}

// ExpireDue expires at most limit sessions whose time is up and returns how
// many it expired. Several processes may run it at once.
func (s *Store) ExpireDue(ctx context.Context, limit int) (int, error) {
	ids, err := list(ctx, s, "find expired sessions", scanString, `SELECT id FROM sessions WHERE state IN ('initiated', 'capture_in_progress', 'needs_resubmission')
		AND expires_at <= ? ORDER BY expires_at LIMIT ?`, micros(s.now()), limit)
	if err != nil {
		return 0, err
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

// Decisions returns every decision on a session, oldest first.
func (s *Store) Decisions(ctx context.Context, id string) ([]Decision, error) {
	return list(ctx, s, "read decisions", func(r scanner) (Decision, error) {
		var d Decision
		b, err := scanString(r)
		if err == nil {
			err = json.Unmarshal([]byte(b), &d)
		}
		return d, err
	}, "SELECT body FROM decisions WHERE session = ? ORDER BY attempt, at, decider DESC", id)
}
