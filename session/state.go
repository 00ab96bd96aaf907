package session

// State is where a session is in its life. The names are stable API.
type State string

const (
	Initiated         State = "initiated"
	CaptureInProgress State = "capture_in_progress"
	Submitted         State = "submitted"
	PendingReview     State = "pending_review"
	Approved          State = "approved"
	Rejected          State = "rejected"
	Expired           State = "expired"
	NeedsResubmission State = "needs_resubmission"
)

// States lists all states in the order of a session's life.
func States() []State {
	return []State{Initiated, CaptureInProgress, Submitted, PendingReview, NeedsResubmission, Approved, Rejected, Expired}
}

// Terminal reports whether a session in this state never changes state again.
func (s State) Terminal() bool { return s == Approved || s == Rejected || s == Expired }

// Known reports whether s is one of States.
func (s State) Known() bool {
	for _, k := range States() {
		if s == k {
			return true
		}
	}
	return false
}

// EventKind names something that happened to a session.
type EventKind string

const (
	// StartCapture: the person begins, or begins again after
	// needs_resubmission, which opens the next attempt.
	StartCapture EventKind = "start_capture"
	// ConsentGiven needs Event.Consent; it also starts the first capture.
	ConsentGiven EventKind = "consent_given"
	// ConsentWithdrawn ends the session and queues erasure of its evidence.
	ConsentWithdrawn EventKind = "consent_withdrawn"
	// EvidenceAdded goes with a Tx.PutEvidence in Apply's function.
	EvidenceAdded EventKind = "evidence_added"
	// Submit promises the person that a decision follows.
	Submit EventKind = "submit"
	// Approve, Reject, Refer and RequestResubmission need Event.Decision.
	Approve             EventKind = "approve"
	Reject              EventKind = "reject"
	Refer               EventKind = "refer"
	RequestResubmission EventKind = "request_resubmission"
	// Expire is the clock's, Cancel the relying service's.
	Expire EventKind = "expire"
	Cancel EventKind = "cancel"
)

// Role says in which capacity an actor acts.
type Role string

const (
	Client   Role = "client"   // the person's browser or app, by client token
	Service  Role = "service"  // the relying service, by API key
	Worker   Role = "worker"   // the pipeline
	Reviewer Role = "reviewer" // a person at the console
	Operator Role = "operator" // whoever administers: command line, configuration
	Privacy  Role = "privacy"  // privacy officer
	Staff    Role = "staff"    // an account, in matters of its own: logins, grants
	System   Role = "system"   // the clock: sweeper and reconciler
)

// Actor is who caused an event. ID is a token, key, worker or account id,
// never a name or an address.
type Actor struct {
	Role Role
	ID   string
}

func (a Actor) String() string {
	if a.ID == "" {
		return string(a.Role)
	}
	return string(a.Role) + ":" + a.ID
}
