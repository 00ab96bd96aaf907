// Package session is the durable core: the life of one verification session as
// a state machine, and the store that keeps it on SQLite or PostgreSQL.
//
// The types to know are [Session], what is known about one case, and [Store],
// which changes it. The legal moves are one table ([Transitions]); the diagram
// in docs/states.md is generated from it. Nothing else in Proofline sets a
// state.
//
// # Changing a session
//
// Every change is an [Event] given to [Store.Apply]:
//
//	ses, err := store.Apply(ctx, id, session.AnyVersion, session.Event{
//		Kind:  session.Submit,
//		Actor: session.Actor{Role: session.Client, ID: tokenID},
//	}, nil)
//
// One transaction then holds the new state, its audit entry, the outbox rows
// that follow from it (Submit: one "verify" row; every announced transition:
// one "webhook" row per endpoint), and whatever the function argument does with
// its [Tx] (put evidence, enqueue an erasure, write more audit entries). When
// Apply returns nil, all of it is on disk; when it returns an error, none is.
// Two exceptions are deliberate: an event that arrives late, twice or from the
// wrong actor changes nothing, is audited as a no-op, and answers with the
// unchanged session and an error that is [ErrNoTransition] (see
// [NoTransitionError] for the reason); and an event that arrives after the
// session's time expires it.
//
// Pass the version that the caller saw to detect a lost update
// ([ErrConflict]), or AnyVersion when the event is right whatever happened
// since: the state machine itself refuses what is not legal any more.
//
//	initiated → ConsentGiven (with Event.Consent) → capture_in_progress
//	capture_in_progress → EvidenceAdded (fn: tx.PutEvidence) → same
//	capture_in_progress → Submit → submitted
//	submitted → Approve | Reject | Refer | RequestResubmission, each with
//	            Event.Decision and Event.Attempt; recorded once per attempt
//	needs_resubmission → StartCapture → capture_in_progress, attempt + 1
//
// EvidenceAdded and Submit need a consent on record.
//
// # Running a case
//
// The dispatcher reads [Store.Pending] and hands rows to the queue under
// [Outbox.TaskID], then calls [Store.MarkDispatched]; the reconciler hands out
// [Store.Unfinished] again. A worker takes the run with [Store.Claim], keeps it
// with [Store.Heartbeat], stores each stage with [Store.PutStage], and applies
// the decision, which also finishes the verify row. Whoever claims a run that
// is decided already gets [ErrNotRunnable] and drops its task. A webhook or
// erase row is finished with [Store.MarkDone], tried again later with
// [Store.Requeue], or given up with [Store.MarkDead].
//
// # What is not here
//
// No personal data in clear: pictures, extracted fields, claims and templates
// are vault objects (package storage), of which this store keeps keys and sizes
// only. Tokens and API keys are kept as SHA-256. Time comes from [WithClock];
// SQL is written once and rebound for PostgreSQL.
package session
