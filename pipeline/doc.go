// Package pipeline takes a case from photos to a decision.
//
// A case runs through one table of stages: quality, document, mrz, barcode,
// ocr, face, liveness, consistency, decide. Each stage asks a vision
// package to measure, turns what was measured into policy findings, and hands
// what later stages need (a straightened document, the fields that were read)
// on. A stage whose engine is not installed reports "not_evaluated", which a
// policy never takes for a pass. A photo that can not be used is a finding; a
// Go error means infrastructure, and leads to a retry.
//
// [Verify] runs a case in memory. [Gate] is the part of it that answers an
// upload at once. [Worker] runs the cases of a session store from a [Queue]:
// every stage's result is stored, so that a worker that dies costs one stage.
// The store is the truth and the queue only wakes workers: [Dispatcher] moves
// outbox rows into the queue, [Reconciler] finds what the queue lost, [Sweeper]
// expires sessions and deletes evidence whose time is over.
//
// The thresholds are in the policy (package policy); the few numbers here are
// timeouts and intervals, each with its reason beside it. docs/pipeline.md says
// which failure is covered by what.
package pipeline
