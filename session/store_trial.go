package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

// PutShadow records what a policy that only watches would have decided, beside the
// decision of the transaction. It acts on nothing: the session, its state and its
// webhooks do not know of it.
func (tx *Tx) PutShadow(d policy.Decision) error {
	if tx.Session == nil || tx.Session.Decision == nil {
		return fmt.Errorf("%w: a shadow decision goes with a decision", ErrInvalid)
	}
	body, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode shadow decision: %w", err)
	}
	live := tx.Session.Decision
	return tx.later("record shadow decision", `INSERT INTO shadow_decisions (session, attempt, policy_hash, live_hash, outcome, live_outcome, body, at)
		VALUES (`+marks(8)+`) ON CONFLICT (session, attempt, policy_hash) DO NOTHING`,
		tx.Session.ID, tx.Session.Attempt, d.PolicyHash, live.PolicyHash, d.Outcome, live.Outcome, string(body), micros(tx.Now))
}

// ShadowCase is one case under both policies.
type ShadowCase struct {
	Session  string
	Attempt  int
	Live     policy.Outcome
	Shadow   policy.Decision
	Reviewed policy.Outcome // what a person decided; empty: nobody did
	At       time.Time
}

// ShadowCases iterates over what a shadow policy said since a time, in pages.
func (s *Store) ShadowCases(ctx context.Context, hash string, since time.Time) iter.Seq2[ShadowCase, error] {
	const page = 1000
	return func(yield func(ShadowCase, error) bool) {
		after, attempt := "", 0
		for {
			cs, err := list(ctx, s, "read shadow decisions", func(r scanner) (c ShadowCase, err error) {
				var body string
				var at int64
				if err = r.Scan(&c.Session, &c.Attempt, &c.Live, &body, &at, &c.Reviewed); err == nil {
					c.At, err = fromMicros(at), json.Unmarshal([]byte(body), &c.Shadow)
				}
				return c, err
			}, `SELECT h.session, h.attempt, h.live_outcome, h.body, h.at, COALESCE((SELECT d.state FROM decisions d
					WHERE d.session = h.session AND d.attempt = h.attempt AND d.decider = 'reviewer'), '')
				FROM shadow_decisions h WHERE h.policy_hash = ? AND h.at >= ? AND (h.session > ? OR h.session = ? AND h.attempt > ?)
				ORDER BY h.session, h.attempt LIMIT ?`, hash, micros(since), after, after, attempt, page)
			if err != nil {
				yield(ShadowCase{}, err)
				return
			}
			for _, c := range cs {
				if !yield(c, nil) {
					return
				}
				after, attempt = c.Session, c.Attempt
			}
			if len(cs) < page {
				return
			}
		}
	}
}

// What watches a canary asks these every half minute on every server. Cases of
// sandboxes and simulated ones steer nothing.
var (
	// The order of the join is SQLite's, too: by time first.
	armQuery = `SELECT d.state, COUNT(*) FROM decisions d CROSS JOIN sessions s
		WHERE s.id = d.session AND d.decider = 'worker' AND d.at >= ? AND s.policy_hash = ? AND s.simulated = 0 AND ` + notTest("s.tenant") + " GROUP BY d.state"
	firstUnderQuery = `SELECT COALESCE((SELECT created_at FROM sessions WHERE policy_hash = ? AND simulated = 0 AND ` + notTest("tenant") + ` ORDER BY created_at LIMIT 1), 0)`
)

// Arm counts the automatic decisions since a time on sessions that were created
// under a policy, without those of sandboxes and simulated ones.
func (s *Store) Arm(ctx context.Context, hash string, since time.Time) (policy.Arm, error) {
	type count struct {
		state State
		n     int
	}
	cs, err := list(ctx, s, "count decisions", func(r scanner) (c count, err error) {
		err = r.Scan(&c.state, &c.n)
		return c, err
	}, armQuery, micros(since), hash)
	var a policy.Arm
	for _, c := range cs {
		switch c.state {
		case Approved:
			a.Approved = c.n
		case Rejected:
			a.Rejected = c.n
		case PendingReview:
			a.PendingReview = c.n
		case NeedsResubmission:
			a.NeedsResubmission = c.n
		}
	}
	return a, err
}

// FirstUnder is when the first session under a policy was created, sandboxes and
// simulated ones left out; zero: there is none.
func (s *Store) FirstUnder(ctx context.Context, hash string) (time.Time, error) {
	us, err := s.number(ctx, "find first session of policy", firstUnderQuery, hash)
	return fromMicros(us), err
}

// StopCanary keeps a policy from getting new sessions as a canary, until
// ResumeCanary. Stopping again changes nothing.
func (s *Store) StopCanary(ctx context.Context, by Actor, hash, reason string) error {
	return s.write(ctx, "stop canary", func(tx *Tx) error {
		n, err := tx.exec("INSERT INTO canary_stops (policy_hash, reason, at) VALUES (?, ?, ?) ON CONFLICT (policy_hash) DO NOTHING", hash, clip(reason), micros(tx.Now))
		if err == nil && n > 0 {
			tx.Audit(audit.Entry{Actor: by.String(), Action: "policy.canary_stopped", Refs: map[string]string{"reason": clip(reason)}, Hashes: map[string]string{"policy": hash}})
		}
		return err
	})
}

// ResumeCanary takes a stop back.
func (s *Store) ResumeCanary(ctx context.Context, by Actor, hash string) error {
	return s.write(ctx, "resume canary", func(tx *Tx) error {
		n, err := tx.exec("DELETE FROM canary_stops WHERE policy_hash = ?", hash)
		if err == nil && n > 0 {
			tx.Audit(audit.Entry{Actor: by.String(), Action: "policy.canary_resumed", Hashes: map[string]string{"policy": hash}})
		}
		return err
	})
}

// CanaryStopped says whether and why a canary was stopped.
func (s *Store) CanaryStopped(ctx context.Context, hash string) (reason string, at time.Time, err error) {
	var us int64
	err = s.queryRow(ctx, "SELECT reason, at FROM canary_stops WHERE policy_hash = ?", hash).Scan(&reason, &us)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("read stop of canary: %w", err)
	}
	return reason, fromMicros(us), nil
}
