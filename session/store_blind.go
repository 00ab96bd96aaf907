package session

import (
	"context"
	"strings"

	"github.com/proofline/proofline/audit"
)

// Judging are the sampled cases that an account is judging now, without knowing
// what was decided. Until it has judged them nothing may tell it.
func (s *Store) Judging(ctx context.Context, account string) (map[string]bool, error) {
	out := map[string]bool{}
	ids, err := list(ctx, s, "read cases being judged", func(r scanner) (id string, err error) { return id, r.Scan(&id) },
		"SELECT session FROM review_samples WHERE state = 'open' AND account = ? AND expires_at > ? LIMIT 100", account, micros(s.clock()))
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}

// HiddenFrom tells which entries of the log are not for an account that may judge
// cases: that a case was drawn for a blind check or has been judged before where
// two people judge apart, that somebody opened it for either, and all entries of a
// case that it is judging blindly.
func (s *Store) HiddenFrom(ctx context.Context, account string) (func(audit.Entry) bool, error) {
	second, err := s.BlindReviews(ctx)
	if err != nil {
		return nil, err
	}
	mine, err := s.Judging(ctx, account)
	return func(e audit.Entry) bool {
		return strings.HasPrefix(e.Action, "sample.") || mine[e.Session] || second[e.Session] && strings.HasPrefix(e.Action, "review.") ||
			strings.HasPrefix(e.Action, "evidence.") && e.Actor != staff(account).String() && blindWork(e.Refs["purpose"], second[e.Session])
	}, err
}

// GrantsHiddenFrom is HiddenFrom for grants: those by which others opened a case
// that is judged blindly. One that waits for a second person has to be seen.
func (s *Store) GrantsHiddenFrom(ctx context.Context, account string) (func(Grant) bool, error) {
	second, err := s.BlindReviews(ctx)
	now := s.clock()
	return func(g Grant) bool {
		return g.Account != account && g.State(now) != "pending" && blindWork(g.Purpose, second[g.Session])
	}, err
}

// blindWork reports that evidence opened for a purpose tells of a blind check, or
// of the other review of a case that two people judge apart.
func blindWork(purpose string, second bool) bool {
	return purpose == SamplePurpose || second && purpose == ReviewPurpose
}
