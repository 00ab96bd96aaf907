package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Lease is a worker's hold on one run. It keeps two workers from doing the same
// work at once, no more: what makes a second run harmless is that stage results
// and decisions are recorded once.
type Lease struct {
	Session string
	Attempt int
	Owner   string
	Fence   int64 // grows with each change of hands
	Expires time.Time
}

// Claim takes the run of (session, attempt) for ttl. It fails with
// ErrNotRunnable when the session waits for no such run (drop the task),
// ErrLeased while another worker holds it (come back after ttl), and
// ErrNotFound. An owner that claims again after a restart continues at once.
func (s *Store) Claim(ctx context.Context, session string, attempt int, owner string, ttl time.Duration) (Lease, error) {
	if owner == "" || ttl <= 0 {
		return Lease{}, fmt.Errorf("claim run: %w: owner and time are needed", ErrInvalid)
	}
	l := Lease{Session: session, Attempt: attempt, Owner: owner}
	err := s.writeApart(ctx, "claim run", func(tx *Tx) error {
		var state State
		var current int
		err := tx.row("SELECT state, attempt FROM sessions WHERE id = ?", session).Scan(&state, &current)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if state != Submitted || current != attempt {
			return ErrNotRunnable
		}
		l.Expires = tx.Now.Add(ttl)
		err = tx.row(`INSERT INTO run_leases (session, attempt, owner, fence, expires_at) VALUES (?, ?, ?, 1, ?)
			ON CONFLICT (session, attempt) DO UPDATE SET owner = excluded.owner, fence = run_leases.fence + 1, expires_at = excluded.expires_at
			WHERE run_leases.expires_at <= ? OR run_leases.owner = excluded.owner
			RETURNING fence`, session, attempt, owner, micros(l.Expires), micros(tx.Now)).Scan(&l.Fence)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrLeased
		}
		return err
	})
	if err != nil {
		return Lease{}, err
	}
	return l, nil
}

// Heartbeat keeps the lease for ttl from now. ErrLeaseLost: stop working.
func (s *Store) Heartbeat(ctx context.Context, l Lease, ttl time.Duration) (Lease, error) {
	err := s.writeApart(ctx, "keep run", func(tx *Tx) error {
		l.Expires = tx.Now.Add(ttl)
		n, err := tx.exec("UPDATE run_leases SET expires_at = ? WHERE session = ? AND attempt = ? AND owner = ? AND fence = ?",
			micros(l.Expires), l.Session, l.Attempt, l.Owner, l.Fence)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrLeaseLost
		}
		return nil
	})
	return l, err
}

// Release lets the next worker take the run at once. A lease that is lost
// already is no error.
func (s *Store) Release(ctx context.Context, l Lease) error {
	return s.writeApart(ctx, "release run", func(tx *Tx) error {
		_, err := tx.exec("UPDATE run_leases SET expires_at = 0 WHERE session = ? AND attempt = ? AND owner = ? AND fence = ?",
			l.Session, l.Attempt, l.Owner, l.Fence)
		return err
	})
}
