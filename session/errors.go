package session

import (
	"errors"
	"fmt"
)

// Errors on which callers decide.
var (
	ErrNotFound = errors.New("not found")
	// ErrNoTransition: the event is not legal now; see NoTransitionError.
	ErrNoTransition = errors.New("event changes nothing in this state")
	// ErrConflict: the session has another version than the caller saw.
	ErrConflict = errors.New("session was changed by someone else")
	// ErrInvalid: an argument is outside its documented range.
	ErrInvalid = errors.New("invalid argument")
	// ErrLeased: another worker holds the run.
	ErrLeased = errors.New("run is held by another worker")
	// ErrLeaseLost: the lease ran out and was taken, or the run is over.
	ErrLeaseLost = errors.New("lease on the run was lost")
	// ErrNotRunnable: the session is not submitted, or at another attempt.
	ErrNotRunnable = errors.New("session has no run to do")
	// ErrTaken: there is another of that name.
	ErrTaken = errors.New("the name is taken")
	// ErrClaimed: another reviewer has the case.
	ErrClaimed = errors.New("another reviewer has the case")
	// ErrNotClaimed: the reviewer does not have the case, or not any more.
	ErrNotClaimed = errors.New("the case is not claimed by this reviewer")
	// ErrVoted: the reviewer has judged this attempt; another person does now.
	ErrVoted = errors.New("this reviewer has judged the case already")
	// ErrNotInReview: no reviewer is asked for.
	ErrNotInReview = errors.New("the case is not in review")
	// ErrNoGrant: there is no grant that allows this, now and to this account.
	ErrNoGrant = errors.New("no valid grant")
	// ErrWithdrawn: the person has withdrawn consent; nothing may be read.
	ErrWithdrawn = errors.New("consent was withdrawn")
	// ErrSamePerson: another person has to do this.
	ErrSamePerson = errors.New("another person has to approve")
	// ErrTokenInvalid and ErrTokenExpired concern client tokens and API keys.
	ErrTokenInvalid = errors.New("token is not valid")
	ErrTokenExpired = errors.New("token has expired")
	// ErrIdempotencyInFlight: the first request with this key still runs (409).
	ErrIdempotencyInFlight = errors.New("a request with this idempotency key is being processed")
	// ErrIdempotencyMismatch: the key was used with another request (422).
	ErrIdempotencyMismatch = errors.New("idempotency key was used for a different request")
)

// Reason says why an event changed nothing.
type Reason string

const (
	AlreadyTerminal Reason = "terminal"      // the session has ended
	Duplicate       Reason = "duplicate"     // the event led here already
	StaleAttempt    Reason = "stale_attempt" // it concerns another attempt
	WrongActor      Reason = "actor"         // legal, but not for this role
	GuardFailed     Reason = "guard"         // Guard says which
	NotLegal        Reason = "not_legal"     // no such move from here
	TimeExpired     Reason = "expired"       // it came after ExpiresAt
	AlreadyDecided  Reason = "decided"       // the attempt has its decision
)

// NoTransitionError is returned together with the unchanged session. The event
// was audited.
type NoTransitionError struct {
	Session string
	State   State
	Event   EventKind
	Attempt int
	Reason  Reason
	Guard   Guard
}

func (e *NoTransitionError) Error() string {
	return fmt.Sprintf("%s on %s session %s changes nothing: %s %s", e.Event, e.State, e.Session, e.Reason, e.Guard)
}

func (e *NoTransitionError) Is(target error) bool { return target == ErrNoTransition }

// ConflictError carries the versions for an If-Match answer.
type ConflictError struct {
	Session          string
	Expected, Actual int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("session %s is at version %d, not %d", e.Session, e.Actual, e.Expected)
}

func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

func isNoTransition(err error) bool { return errors.Is(err, ErrNoTransition) }
