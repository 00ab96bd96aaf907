package session

import (
	"context"
	"time"

	"github.com/proofline/proofline/storage"
)

// lockHold makes placing a hold on a session and beginning its erasure wait for
// each other. SQLite's one writer needs no more.
func (tx *Tx) lockHold(session string) error {
	if !tx.s.postgres {
		return nil
	}
	_, err := tx.exec("SELECT pg_advisory_xact_lock(7031, hashtext(?))", session)
	return err
}

func (tx *Tx) held(session string) (bool, error) {
	var n int64
	err := tx.row("SELECT COUNT(*) FROM legal_holds WHERE session = ? AND lifted_at = 0", session).Scan(&n)
	return n > 0, err
}

// BeginErasure is part of storage.Index.
func (s *Store) BeginErasure(ctx context.Context, session string, c storage.Class, at time.Time) error {
	return s.write(ctx, "begin erasure", func(tx *Tx) error {
		if err := tx.lockHold(session); err != nil {
			return err
		}
		var begun int64
		if err := tx.row("SELECT COUNT(*) FROM erasures WHERE session = ? AND class = ?", session, c).Scan(&begun); err != nil || begun > 0 {
			return err
		}
		if held, err := tx.held(session); err != nil {
			return err
		} else if held {
			return storage.ErrHeld
		}
		return tx.knowErasure(session, c, at)
	})
}

func (tx *Tx) knowErasure(session string, c storage.Class, at time.Time) error {
	if err := tx.forgetMarks(session, c); err != nil {
		return err
	}
	if err := tx.loseSample(session, c); err != nil {
		return err
	}
	_, err := tx.exec("INSERT INTO erasures (session, class, begun_at, certified_at) VALUES (?, ?, ?, 0) ON CONFLICT (session, class) DO NOTHING", session, c, micros(at))
	return err
}

// KnowErasure is part of storage.Index.
func (s *Store) KnowErasure(ctx context.Context, session string, c storage.Class, at time.Time) (known bool, err error) {
	n, err := s.number(ctx, "look for erasure", "SELECT COUNT(*) FROM erasures WHERE session = ? AND class = ?", session, c)
	if err != nil || n > 0 {
		return n > 0, err
	}
	err = s.writeApart(ctx, "record erasure", func(tx *Tx) error { return tx.knowErasure(session, c, at) })
	return false, err
}

// Erased tells whether the erasure of any class of a session's evidence has begun,
// on request or because its retention was over.
func (s *Store) Erased(ctx context.Context, session string) (bool, error) {
	n, err := s.number(ctx, "look for erasures", "SELECT COUNT(*) FROM erasures WHERE session = ?", session)
	return n > 0, err
}

// EndErasure is part of storage.Index.
func (s *Store) EndErasure(ctx context.Context, session string, c storage.Class, at time.Time) error {
	return s.vaultUpdate(ctx, "certify erasure", "UPDATE erasures SET certified_at = ? WHERE session = ? AND class = ?", micros(at), session, c)
}

func scanErasure(r scanner) (storage.Erasure, error) {
	var e storage.Erasure
	var begun, certified int64
	err := r.Scan(&e.Session, &e.Class, &begun, &certified)
	e.BegunAt, e.CertifiedAt = fromMicros(begun), fromMicros(certified)
	return e, err
}

// Erasures is part of storage.Index.
func (s *Store) Erasures(ctx context.Context, session string, c storage.Class, limit int) ([]storage.Erasure, error) {
	return list(ctx, s, "list erasures", scanErasure, `SELECT session, class, begun_at, certified_at FROM erasures
		WHERE session > ? OR session = ? AND class > ? ORDER BY session, class LIMIT ?`, session, session, c, limit)
}

// OpenErasures is part of storage.Index.
func (s *Store) OpenErasures(ctx context.Context, before time.Time, limit int) ([]storage.Erasure, error) {
	return list(ctx, s, "list unfinished erasures", scanErasure, `SELECT session, class, begun_at, certified_at FROM erasures
		WHERE certified_at = 0 AND begun_at < ? ORDER BY begun_at LIMIT ?`, micros(before), limit)
}

// Held is part of storage.Index.
func (s *Store) Held(ctx context.Context, session string) (bool, error) {
	n, err := s.number(ctx, "look for legal hold", "SELECT COUNT(*) FROM legal_holds WHERE session = ? AND lifted_at = 0", session)
	return n > 0, err
}

const markName = "destroyed_keys"

// Mark is part of storage.Index.
func (s *Store) Mark(ctx context.Context) (int64, error) {
	return s.number(ctx, "read mark of destroyed keys", "SELECT value FROM vault_state WHERE name = ?", markName)
}

// SetMark is part of storage.Index.
func (s *Store) SetMark(ctx context.Context, seq int64) error {
	return s.writeApart(ctx, "set mark of destroyed keys", func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO vault_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", markName, seq)
		return err
	})
}

const seenName = "destroyed_keys_seen"

// Seen is part of storage.Index.
func (s *Store) Seen(ctx context.Context) (int64, error) {
	return s.number(ctx, "read last destroyed key", "SELECT COALESCE(MAX(value), 0) FROM vault_state WHERE name = ?", seenName)
}

// Saw is part of storage.Index.
func (s *Store) Saw(ctx context.Context, seq int64) error {
	return s.writeApart(ctx, "note destroyed key", func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO vault_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE
			SET value = excluded.value WHERE vault_state.value < excluded.value`, seenName, seq)
		return err
	})
}

// ResetSeen is part of storage.Index.
func (s *Store) ResetSeen(ctx context.Context, seq int64) error {
	return s.writeApart(ctx, "note destroyed keys", func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO vault_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", seenName, seq)
		return err
	})
}

// ClaimDue gives what has to be done once every so often to one of all
// processes: it tells whether it is this one's turn.
func (s *Store) ClaimDue(ctx context.Context, name string, every time.Duration) (mine bool, err error) {
	err = s.writeApart(ctx, "claim "+name, func(tx *Tx) error {
		n, err := tx.exec(`INSERT INTO vault_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE
			SET value = excluded.value WHERE vault_state.value <= ? OR vault_state.value > excluded.value`,
			"due_"+name, micros(tx.Now.Add(every)), micros(tx.Now))
		mine = n == 1
		return err
	})
	return mine, err
}

// SweepTime is the time by which retention is judged: the clock's, but never more
// than step beyond what it was at the last call. A clock that jumps ahead then
// deletes little before somebody notices, and after a long pause the sweeper
// catches up by itself. A clock that was put back is followed at once.
func (s *Store) SweepTime(ctx context.Context, now time.Time, step time.Duration) (time.Time, error) {
	var us int64
	err := s.writeApart(ctx, "advance sweep time", func(tx *Tx) error {
		tx.wrote = true
		return tx.row(`INSERT INTO vault_state (name, value) VALUES ('sweep_time', ?) ON CONFLICT (name) DO UPDATE
			SET value = CASE WHEN excluded.value > vault_state.value + ? THEN vault_state.value + ? ELSE excluded.value END RETURNING value`,
			micros(now), step.Microseconds(), step.Microseconds()).Scan(&us)
	})
	return fromMicros(us), err
}

// ForgetEvidence removes the digests and salts of a session's photos: without
// them the log's commitments say nothing.
func (s *Store) ForgetEvidence(ctx context.Context, session string) error {
	return s.writeApart(ctx, "forget evidence", func(tx *Tx) error {
		if _, err := tx.exec("UPDATE challenges SET answer = '' WHERE session = ?", session); err != nil {
			return err
		}
		_, err := tx.exec("UPDATE evidence SET sha256 = '', salt = '' WHERE session = ?", session)
		return err
	})
}
