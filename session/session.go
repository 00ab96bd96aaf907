package session

import (
	"encoding/json"
	"time"

	"github.com/proofline/proofline/policy"
)

// Session is one verification of one person.
type Session struct {
	ID      string `json:"id"`
	Tenant  string `json:"tenant"`
	State   State  `json:"state"`
	Version int64  `json:"version"` // 1 at creation, + 1 with every change
	Attempt int    `json:"attempt"` // 1 for the first capture
	// MaxAttempts counts the first capture: 1 + the policy's resubmissions.
	MaxAttempts int `json:"max_attempts"`

	// The policy that the session was created under, and what selects its cell.
	PolicyName    string `json:"policy"`
	PolicyVersion string `json:"policy_version"`
	PolicyHash    string `json:"policy_hash"`
	Segment       string `json:"segment,omitempty"`
	Jurisdiction  string `json:"jurisdiction,omitempty"`
	DocumentType  string `json:"document_type,omitempty"`
	// Signals are the risk signals stated at creation.
	Signals policy.Signals `json:"signals,omitempty"`

	// Simulated: the case was made up by `proofline demo-data`. Nobody was in
	// front of a camera, and nothing of it is sent anywhere.
	Simulated bool `json:"simulated,omitempty"`
	// Device is the class of the device of the present attempt: phone, tablet,
	// desktop; empty where it is not known.
	Device string `json:"device,omitempty"`

	CorrelationID string `json:"correlation_id"`
	// ExternalRef is the relying service's own opaque id for the case.
	ExternalRef string `json:"external_ref,omitempty"`
	Locale      string `json:"locale,omitempty"`

	Consent     *Consent  `json:"consent,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	SubmittedAt time.Time `json:"submitted_at,omitzero"` // of the present attempt
	// Decision is the latest one, nil before the first.
	Decision *Decision `json:"decision,omitempty"`

	ttl time.Duration
}

// Context is what selects the session's rules in its policy.
func (s *Session) Context() policy.Context {
	return policy.Context{Segment: s.Segment, Jurisdiction: s.Jurisdiction, DocumentType: s.DocumentType, Signals: s.Signals}
}

// ContextFor is Context with the document that the person chose where the
// session leaves it open.
func (s *Session) ContextFor(documentType string) policy.Context {
	c := s.Context()
	c.DocumentType = documentType
	return c
}

// New is what Create needs. Tenant and the policy fields are required.
type New struct {
	// ID is one of Store.NewID, for a caller who chooses the policy by it; made
	// when empty.
	ID                                    string
	Tenant                                string
	PolicyName, PolicyVersion, PolicyHash string
	Segment, Jurisdiction, DocumentType   string
	Signals                               policy.Signals
	// CorrelationID ties log lines, tasks and webhooks together; made when empty.
	CorrelationID string
	ExternalRef   string
	Locale        string
	MaxAttempts   int           // 1 … 20; 0 means 3
	TTL           time.Duration // from creation, and again from each call for resubmission; 0 means 24 h
	Actor         Actor
	// IdempotencyKey makes Create answer with the session that the same tenant
	// created under the same key before, if any.
	IdempotencyKey string
}

// Consent is what the person agreed to. It names the text, not the person.
type Consent struct {
	At       time.Time `json:"at"` // set by the store
	TextHash string    `json:"text_hash"`
	Locale   string    `json:"locale,omitempty"`
	Scope    []string  `json:"scope"` // "document", "biometric", …
	// WithdrawnAt is when the person took it back; the erasure that follows can
	// wait for a legal hold.
	WithdrawnAt time.Time `json:"withdrawn_at,omitzero"`
}

// Decision is a policy decision as recorded.
type Decision struct {
	policy.Decision
	// By is Worker or Reviewer. Each decides at most once per attempt.
	By Role      `json:"by"`
	At time.Time `json:"at"`
	// State is where the decision led; it differs from Outcome when no attempt
	// was left for the resubmission that it asked for.
	State State `json:"state"`
}

// Event is something that happened, to be given to Apply.
type Event struct {
	Kind  EventKind
	Actor Actor
	// Attempt that the event is about; 0 means whichever is current. Workers
	// set it, so that a late run can not decide the next attempt.
	Attempt  int
	Codes    []string          // reason codes for the audit entry and the webhook; a decision's own are added
	Refs     map[string]string // ids for the audit entry
	Consent  *Consent          // with ConsentGiven
	Decision *policy.Decision  // with Approve, Reject, Refer, RequestResubmission
	Basis    *Basis            // with a worker's decision
	Device   string            // with StartCapture, ConsentGiven: the class of the person's device
	Triage   *policy.Triage    // with Refer: where in the review queue; nil: the defaults
}

// Decided makes the event for a decision: its outcome names the kind.
func Decided(by Actor, attempt int, d policy.Decision) Event {
	kinds := map[policy.Outcome]EventKind{
		policy.Approved: Approve, policy.Rejected: Reject,
		policy.PendingReview: Refer, policy.NeedsResubmission: RequestResubmission,
	}
	return Event{Kind: kinds[d.Outcome], Actor: by, Attempt: attempt, Decision: &d}
}

// Evidence is one accepted photo: where the vault keeps it, and what the gate
// said. A later one of the same kind replaces it.
type Evidence struct {
	ID       string          `json:"id"` // made when empty
	Session  string          `json:"session"`
	Attempt  int             `json:"attempt"` // the session's current one when 0
	Kind     string          `json:"kind"`    // document_front, document_back, selfie
	Object   string          `json:"object"`  // vault object id
	SHA256   string          `json:"sha256"`  // of the plaintext
	Size     int64           `json:"size"`
	Findings json.RawMessage `json:"findings,omitempty"` // gate findings
	At       time.Time       `json:"at"`
}

// StageResult is what one stage found, for one attempt and one input.
type StageResult struct {
	Session   string          `json:"session"`
	Attempt   int             `json:"attempt"`
	Stage     string          `json:"stage"`
	InputHash string          `json:"input_hash"`
	Body      json.RawMessage `json:"body"` // no personal data
	At        time.Time       `json:"at"`
}

// Filter selects sessions for List. Zero fields select everything.
type Filter struct {
	Tenant        string
	States        []State
	ExternalRef   string
	PolicyName    string
	CreatedFrom   time.Time // inclusive, to the millisecond
	CreatedBefore time.Time // exclusive, to the millisecond
	Cursor        string    // Page.Next of the page before
	Limit         int       // 1 … 200; 0 means 50
	OldestFirst   bool
	// Test includes sandboxes where no tenant is named; one that is named is
	// listed whatever it is.
	Test bool
}

// Page is one page of List. Next is empty on the last one.
type Page struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitempty"`
}

// Notice is the body of a webhook: what a relying service may know. The event
// id is the webhook-id header's value too. Events can arrive in any order and
// more than once: Sequence grows with every change of the session.
type Notice struct {
	Type      string     `json:"type"`
	Timestamp time.Time  `json:"timestamp"`
	Data      NoticeData `json:"data"`
}

// NoticeData is the part that Standard Webhooks leaves to the sender.
type NoticeData struct {
	EventID       string   `json:"event_id"`
	SessionID     string   `json:"session_id"`
	Sequence      int64    `json:"sequence"`
	State         State    `json:"state"`
	PreviousState State    `json:"previous_state,omitempty"`
	Attempt       int      `json:"attempt"`
	Outcome       string   `json:"outcome,omitempty"`
	Codes         []string `json:"codes"`
	Retake        []string `json:"retake,omitempty"`
	CorrelationID string   `json:"correlation_id"`
	ExternalRef   string   `json:"external_ref,omitempty"`
	// Test: the session is of a sandbox.
	Test bool `json:"test,omitempty"`
}
