package session

import (
	"context"
	"errors"
	"iter"

	"github.com/proofline/proofline/policy"
)

// PastCases returns the latest automatic decision of each session that the
// filter lists, with what it was computed from and what a person decided
// afterwards. Sessions without one are left out; those whose input is not stored
// any more are handed to skipped.
func (s *Store) PastCases(ctx context.Context, f Filter, skipped func(id string)) iter.Seq2[policy.PastCase, error] {
	return func(yield func(policy.PastCase, error) bool) {
		if f.Limit == 0 {
			f.Limit = 200
		}
		for {
			page, err := s.List(ctx, f)
			if err != nil {
				yield(policy.PastCase{}, err)
				return
			}
			for _, ses := range page.Sessions {
				c, err := s.pastCase(ctx, ses.ID)
				switch {
				case errors.Is(err, ErrIncomplete):
					skipped(ses.ID)
				case errors.Is(err, ErrNotFound):
				case !yield(c, err) || err != nil:
					return
				}
			}
			if page.Next == "" {
				return
			}
			f.Cursor = page.Next
		}
	}
}

// pastCase returns the latest automatic decision of a session, or ErrNotFound.
func (s *Store) pastCase(ctx context.Context, id string) (policy.PastCase, error) {
	ds, err := s.Recorded(ctx, id)
	if err != nil {
		return policy.PastCase{}, err
	}
	var reviewed policy.Outcome
	for i := len(ds) - 1; i >= 0; i-- {
		if d := ds[i]; d.By == Reviewer {
			if reviewed == "" {
				reviewed = d.Outcome
			}
			continue
		}
		in, err := s.Input(ctx, id, ds[i])
		return policy.PastCase{ID: id, Input: in, Outcome: ds[i].Outcome, Reviewed: reviewed}, err
	}
	return policy.PastCase{}, ErrNotFound
}
