// Package casefile puts together what is known of one session after the fact:
// how it was decided, by what rules, on which evidence, and what became of that.
//
// [Load] reads a [File] from the session store. From it come the three answers
// that people ask for: [File.Explain] in words for support, compliance or an
// auditor, [File.Receipt] as a signed proof, and [File.Replay], which computes
// every machine decision again from the stored findings and the archived
// policy. Nothing here opens a picture.
package casefile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// PolicyOf finds a policy by the hash of its rules under the catalogue of reason
// codes with the other hash.
type PolicyOf func(ctx context.Context, hash, codes string) (*policy.Policy, error)

// File is one session with everything that is recorded of it.
type File struct {
	Session   *session.Session
	Decisions []Decision
	Evidence  []session.Evidence // newest of each kind
	Objects   []storage.Object   // stored, and those that were deleted
	Erasures  []storage.Erasure
	Held      bool
	Timeline  []audit.Entry
	// Dropped counts entries of events that changed nothing and are not in
	// Timeline, because there are very many.
	Dropped int
	At      time.Time // when it was read
}

// Decision is a recorded decision with what it was computed from.
type Decision struct {
	session.Recorded
	Entry *audit.Entry // the log's, nil when there is none with its hash
	// Input and Policy are set for a machine's decision unless Err says why not.
	Input  policy.Input
	Policy *policy.Policy
	Err    error
}

// maxNoops is how many events that changed nothing are kept: whoever repeats a
// request a million times must not fill the memory, nor hide what happened.
const maxNoops = 100

// Load reads a session's file, or fails with session.ErrNotFound.
func Load(ctx context.Context, s *session.Store, find PolicyOf, id string, now time.Time) (*File, error) {
	f := &File{At: now}
	var err error
	if f.Session, err = s.Get(ctx, id); err != nil {
		return nil, err
	}
	noops := 0
	for e, err := range s.SessionLog(ctx, id) {
		if err != nil {
			return nil, err
		}
		if e.Outcome == "noop" {
			if noops++; noops > maxNoops {
				f.Dropped++
				continue
			}
		}
		f.Timeline = append(f.Timeline, e)
	}
	if f.Evidence, err = s.Evidence(ctx, id, f.Session.Attempt); err != nil {
		return nil, err
	}
	if f.Objects, err = s.ListObjects(ctx, id, ""); err != nil {
		return nil, err
	}
	for _, class := range storage.Classes {
		gone, err := s.DeletedObjects(ctx, id, class)
		if err != nil {
			return nil, err
		}
		f.Objects = append(f.Objects, gone...)
	}
	if f.Held, err = s.Held(ctx, id); err != nil {
		return nil, err
	}
	es, err := s.Erasures(ctx, id, "", len(storage.Classes))
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		if e.Session == id {
			f.Erasures = append(f.Erasures, e)
		}
	}
	ds, err := s.Recorded(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, r := range ds {
		f.Decisions = append(f.Decisions, f.decision(ctx, s, find, r))
	}
	return f, nil
}

func (f *File) decision(ctx context.Context, s *session.Store, find PolicyOf, r session.Recorded) Decision {
	d := Decision{Recorded: r}
	sum := digest(r.Body)
	if at := slices.IndexFunc(f.Timeline, func(e audit.Entry) bool { return e.Hashes["decision"] == sum }); at >= 0 {
		d.Entry = &f.Timeline[at]
	}
	if r.By != session.Worker {
		return d
	}
	if r.Basis == nil {
		d.Err = fmt.Errorf("%w: it was decided by a release that did not record it", session.ErrIncomplete)
		return d
	}
	if d.Input, d.Err = s.Input(ctx, f.Session.ID, r); d.Err != nil {
		return d
	}
	d.Policy, d.Err = find(ctx, r.PolicyHash, r.Basis.CodesHash)
	return d
}

// Machine is the machine's decision of an attempt, nil when there is none.
func (f *File) Machine(attempt int) *Decision {
	for i := range f.Decisions {
		if d := &f.Decisions[i]; d.By == session.Worker && d.Attempt == attempt {
			return d
		}
	}
	return nil
}

// ErrUndecided tells that a session or attempt has no decision.
var ErrUndecided = errors.New("there is no decision")
