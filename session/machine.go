package session

import "slices"

// Guard is a condition on a transition beyond state, event and actor.
type Guard string

const (
	NoGuard           Guard = ""
	ConsentOnRecord   Guard = "consent on record"
	AttemptsLeft      Guard = "attempts left"
	AttemptsExhausted Guard = "no attempts left"
)

func (g Guard) holds(s *Session) bool {
	switch g {
	case ConsentOnRecord:
		return s.Consent != nil
	case AttemptsLeft:
		return s.Attempt < s.MaxAttempts
	case AttemptsExhausted:
		return s.Attempt >= s.MaxAttempts
	}
	return true
}

// Transition is one legal move.
type Transition struct {
	From  State
	Event EventKind
	To    State
	By    []Role
	Guard Guard
	// NextAttempt: the move opens a new attempt.
	NextAttempt bool
	// Notice is the type of the webhook event that announces the move; empty
	// means that it is not announced.
	Notice string
}

// Types of webhook events.
const (
	NoticeCreated        = "session.created"
	NoticeCaptureStarted = "session.capture_started"
	NoticeSubmitted      = "session.submitted"
	NoticeReview         = "session.review_required"
	NoticeResubmission   = "session.resubmission_required"
	NoticeDecided        = "session.decided"
	NoticeExpired        = "session.expired"
	NoticeErased         = "session.evidence_erased"
)

var (
	byClient   = []Role{Client, Service}
	byWorker   = []Role{Worker}
	byReviewer = []Role{Reviewer}
	byClock    = []Role{System}
	byOwner    = []Role{Service, Operator}
	bySubject  = []Role{Client, Service, Operator, Privacy}
)

// transitions is the whole life cycle. Reasons for what is not obvious:
//
//   - submitted and pending_review do not expire: a person who was told
//     "received" gets a decision.
//   - A worker that asks for another photo when no attempt is left refers the
//     case to a person: nobody is refused only because photos were poor. A
//     reviewer who asks for one then refuses.
//   - Consent can be withdrawn as long as the session is open; afterwards
//     withdrawal is erasure (Store.RequestErasure), which is no transition.
var transitions = []Transition{
	{From: Initiated, Event: StartCapture, To: CaptureInProgress, By: byClient, Notice: NoticeCaptureStarted},
	{From: Initiated, Event: ConsentGiven, To: CaptureInProgress, By: byClient, Notice: NoticeCaptureStarted},
	{From: CaptureInProgress, Event: ConsentGiven, To: CaptureInProgress, By: byClient},
	{From: CaptureInProgress, Event: EvidenceAdded, To: CaptureInProgress, By: byClient, Guard: ConsentOnRecord},
	{From: CaptureInProgress, Event: Submit, To: Submitted, By: byClient, Guard: ConsentOnRecord, Notice: NoticeSubmitted},

	{From: Submitted, Event: Approve, To: Approved, By: byWorker, Notice: NoticeDecided},
	{From: Submitted, Event: Reject, To: Rejected, By: byWorker, Notice: NoticeDecided},
	{From: Submitted, Event: Refer, To: PendingReview, By: byWorker, Notice: NoticeReview},
	{From: Submitted, Event: RequestResubmission, To: NeedsResubmission, By: byWorker, Guard: AttemptsLeft, Notice: NoticeResubmission},
	{From: Submitted, Event: RequestResubmission, To: PendingReview, By: byWorker, Guard: AttemptsExhausted, Notice: NoticeReview},

	{From: PendingReview, Event: Approve, To: Approved, By: byReviewer, Notice: NoticeDecided},
	{From: PendingReview, Event: Reject, To: Rejected, By: byReviewer, Notice: NoticeDecided},
	{From: PendingReview, Event: RequestResubmission, To: NeedsResubmission, By: byReviewer, Guard: AttemptsLeft, Notice: NoticeResubmission},
	{From: PendingReview, Event: RequestResubmission, To: Rejected, By: byReviewer, Guard: AttemptsExhausted, Notice: NoticeDecided},

	{From: NeedsResubmission, Event: StartCapture, To: CaptureInProgress, By: byClient, NextAttempt: true, Notice: NoticeCaptureStarted},

	{From: Initiated, Event: Expire, To: Expired, By: byClock, Notice: NoticeExpired},
	{From: CaptureInProgress, Event: Expire, To: Expired, By: byClock, Notice: NoticeExpired},
	{From: NeedsResubmission, Event: Expire, To: Expired, By: byClock, Notice: NoticeExpired},
	{From: Initiated, Event: Cancel, To: Expired, By: byOwner, Notice: NoticeExpired},
	{From: CaptureInProgress, Event: Cancel, To: Expired, By: byOwner, Notice: NoticeExpired},
	{From: NeedsResubmission, Event: Cancel, To: Expired, By: byOwner, Notice: NoticeExpired},

	{From: Initiated, Event: ConsentWithdrawn, To: Expired, By: bySubject, Notice: NoticeExpired},
	{From: CaptureInProgress, Event: ConsentWithdrawn, To: Expired, By: bySubject, Notice: NoticeExpired},
	{From: NeedsResubmission, Event: ConsentWithdrawn, To: Expired, By: bySubject, Notice: NoticeExpired},
	{From: Submitted, Event: ConsentWithdrawn, To: Expired, By: bySubject, Notice: NoticeExpired},
	{From: PendingReview, Event: ConsentWithdrawn, To: Expired, By: bySubject, Notice: NoticeExpired},
}

// Transitions returns a copy of the table.
func Transitions() []Transition { return slices.Clone(transitions) }

// next finds the one legal move for an event, or why there is none.
func next(s *Session, ev Event) (Transition, *NoTransitionError) {
	none := &NoTransitionError{Session: s.ID, State: s.State, Event: ev.Kind, Attempt: ev.Attempt}
	if ev.Attempt != 0 && ev.Attempt != s.Attempt {
		none.Reason = StaleAttempt
		return Transition{}, none
	}
	none.Reason = NotLegal
	if s.State.Terminal() {
		none.Reason = AlreadyTerminal
	}
	for _, t := range transitions {
		if t.Event != ev.Kind {
			continue
		}
		if t.From != s.State {
			// The event would have led where the session already is: it was
			// delivered twice.
			if t.To == s.State && none.Reason == NotLegal {
				none.Reason = Duplicate
			}
			continue
		}
		if !slices.Contains(t.By, ev.Actor.Role) {
			none.Reason = WrongActor
			continue
		}
		if !t.Guard.holds(s) {
			none.Reason, none.Guard = GuardFailed, t.Guard
			continue
		}
		return t, nil
	}
	return Transition{}, none
}
