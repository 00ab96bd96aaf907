package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Idempotent is one use of an Idempotency-Key header (IETF draft
// draft-ietf-httpapi-idempotency-key-header).
type Idempotent struct {
	Tenant, Key string
	// Status and Response replay the first answer when Status is not 0.
	// Response is whatever the caller gave; encrypt it when it holds secrets.
	Status   int
	Response []byte
	Expires  time.Time
	fence    int64
}

// Replay reports whether the request was answered before.
func (i Idempotent) Replay() bool { return i.Status != 0 }

// idempotencyLock is how long a request may run before its key is taken to be
// abandoned by a killed server and the next request with it may run.
const idempotencyLock = time.Minute

// BeginIdempotent claims a key for a request with this fingerprint (a hash of
// method, path and body). The answer of an earlier, equal request comes back as
// a replay; otherwise run the request and call FinishIdempotent, or
// AbandonIdempotent when it failed in a way that should be tried again. Errors:
// ErrIdempotencyInFlight (409), ErrIdempotencyMismatch (422).
func (s *Store) BeginIdempotent(ctx context.Context, tenant, key, fingerprint string, ttl time.Duration) (Idempotent, error) {
	if key == "" || fingerprint == "" || checkField(key) != nil || checkField(fingerprint) != nil || ttl <= 0 {
		return Idempotent{}, fmt.Errorf("begin idempotent request: %w", ErrInvalid)
	}
	i := Idempotent{Tenant: tenant, Key: key}
	err := s.write(ctx, "begin idempotent request", func(tx *Tx) error {
		i.Status, i.Response, i.fence, i.Expires = 0, nil, 1, tx.Now.Add(ttl)
		n, err := tx.exec(`INSERT INTO idempotency (tenant, idem_key, fingerprint, fence, status, response, locked_at, expires_at)
			VALUES (?, ?, ?, 1, 0, NULL, ?, ?) ON CONFLICT (tenant, idem_key) DO NOTHING`,
			tenant, key, fingerprint, micros(tx.Now), micros(i.Expires))
		if err != nil || n == 1 {
			return err
		}
		var print string
		var locked, expires int64
		err = tx.row("SELECT fingerprint, fence, status, response, locked_at, expires_at FROM idempotency WHERE tenant = ? AND idem_key = ?"+s.forUpdate(), tenant, key).
			Scan(&print, &i.fence, &i.Status, &i.Response, &locked, &expires)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrIdempotencyInFlight // pruned this moment; the caller tries again
		}
		if err != nil {
			return err
		}
		expired := expires <= micros(tx.Now)
		switch {
		case !expired && print != fingerprint:
			return ErrIdempotencyMismatch
		case !expired && i.Status != 0:
			i.Expires = fromMicros(expires)
			return nil
		case !expired && tx.Now.Sub(fromMicros(locked)) < idempotencyLock:
			return ErrIdempotencyInFlight
		}
		i.fence++
		i.Status, i.Response = 0, nil
		_, err = tx.exec("UPDATE idempotency SET fingerprint = ?, fence = ?, status = 0, response = NULL, locked_at = ?, expires_at = ? WHERE tenant = ? AND idem_key = ?",
			fingerprint, i.fence, micros(tx.Now), micros(i.Expires), tenant, key)
		return err
	})
	if err != nil {
		return Idempotent{}, err
	}
	return i, nil
}

// FinishIdempotent keeps the answer for replay until the key expires.
func (s *Store) FinishIdempotent(ctx context.Context, i Idempotent, status int, response []byte) error {
	return s.writeApart(ctx, "finish idempotent request", func(tx *Tx) error {
		_, err := tx.exec("UPDATE idempotency SET status = ?, response = ? WHERE tenant = ? AND idem_key = ? AND fence = ? AND status = 0",
			status, response, i.Tenant, i.Key, i.fence)
		return err
	})
}

// AbandonIdempotent frees the key.
func (s *Store) AbandonIdempotent(ctx context.Context, i Idempotent) error {
	return s.writeApart(ctx, "abandon idempotent request", func(tx *Tx) error {
		_, err := tx.exec("DELETE FROM idempotency WHERE tenant = ? AND idem_key = ? AND fence = ? AND status = 0", i.Tenant, i.Key, i.fence)
		return err
	})
}

// Prune deletes at most limit rows of each kind that nobody needs any more:
// expired idempotency keys and client tokens, and outbox rows that were done
// before doneBefore. It returns how many it deleted; call it until that is 0.
func (s *Store) Prune(ctx context.Context, doneBefore time.Time, limit int) (int, error) {
	var total int
	old := doneBefore.Add(time.Millisecond) // ids tell milliseconds
	for _, x := range []struct {
		q    string
		args []any
	}{
		{pruneKeys, []any{micros(s.now())}},
		{pruneTokens, []any{idBound(TokenPrefix, old), micros(doneBefore)}},
		{pruneOutbox, []any{idBound(OutboxPrefix, old), micros(doneBefore)}},
	} {
		err := s.writeApart(ctx, "prune store", func(tx *Tx) error {
			n, err := tx.exec(x.q, append(x.args, limit)...)
			total += int(n)
			return err
		})
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// The sweeper asks these every minute, and on SQLite everybody's writes wait for
// them. What expired or was done at a time is no younger than it, so the ids find
// it without a look at the rows that stay.
const (
	pruneKeys   = "DELETE FROM idempotency WHERE (tenant, idem_key) IN (SELECT tenant, idem_key FROM idempotency WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"
	pruneTokens = "DELETE FROM client_tokens WHERE id IN (SELECT id FROM client_tokens WHERE id < ? AND expires_at <= ? ORDER BY id LIMIT ?)"
	pruneOutbox = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE id < ? AND state = 'done' AND updated_at <= ? ORDER BY id LIMIT ?)"
)
