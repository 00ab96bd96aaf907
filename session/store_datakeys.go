package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/storage"
)

var _ storage.KeyIndex = (*Store)(nil)

const dataKeyColumns = "session, class, key_id, wrapped, created_at, destroyed_at, seq"

func scanDataKey(r scanner) (storage.DataKey, error) {
	var k storage.DataKey
	var created, destroyed int64
	err := r.Scan(&k.Session, &k.Class, &k.KeyID, &k.Wrapped, &created, &destroyed, &k.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.DataKey{}, storage.ErrNotFound
	}
	if len(k.Wrapped) == 0 {
		k.Wrapped = nil
	}
	k.CreatedAt, k.DestroyedAt = fromMicros(created), fromMicros(destroyed)
	return k, err
}

// PutDataKey is part of storage.KeyIndex.
func (s *Store) PutDataKey(ctx context.Context, k storage.DataKey) (storage.DataKey, error) {
	var out storage.DataKey
	err := s.writeApart(ctx, "put data key", func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO data_keys ("+dataKeyColumns+") VALUES ("+marks(7)+") ON CONFLICT (session, class) DO NOTHING",
			k.Session, k.Class, k.KeyID, k.Wrapped, micros(k.CreatedAt), micros(k.DestroyedAt), k.Seq)
		if err != nil {
			return err
		}
		out, err = scanDataKey(tx.row("SELECT "+dataKeyColumns+" FROM data_keys WHERE session = ? AND class = ?", k.Session, k.Class))
		return err
	})
	return out, err
}

// GetDataKey is part of storage.KeyIndex.
func (s *Store) GetDataKey(ctx context.Context, session string, c storage.Class) (storage.DataKey, error) {
	k, err := scanDataKey(s.queryRow(ctx, "SELECT "+dataKeyColumns+" FROM data_keys WHERE session = ? AND class = ?", session, c))
	if err != nil {
		return storage.DataKey{}, fmt.Errorf("get data key: %w", err)
	}
	return k, nil
}

// DestroyDataKey is part of storage.KeyIndex.
func (s *Store) DestroyDataKey(ctx context.Context, session string, c storage.Class, at time.Time) (lived bool, err error) {
	// Not apart: the number is taken and used in one transaction, so that
	// numbers become visible in their order.
	err = s.write(ctx, "destroy data key", func(tx *Tx) error {
		lived = false
		var destroyed int64
		err := tx.row("SELECT destroyed_at FROM data_keys WHERE session = ? AND class = ?", session, c).Scan(&destroyed)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if destroyed != 0 {
			return nil
		}
		if _, err := tx.exec("INSERT INTO data_keys_head (id, seq) VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET seq = data_keys_head.seq + 1"); err != nil {
			return err
		}
		var seq int64
		if err := tx.row("SELECT seq FROM data_keys_head WHERE id = 1").Scan(&seq); err != nil {
			return err
		}
		// The head's row is locked now. Who was first?
		var live int64
		if err := tx.row("SELECT COUNT(*) FROM data_keys WHERE session = ? AND class = ? AND destroyed_at = 0", session, c).Scan(&live); err != nil {
			return err
		}
		n, err := tx.exec("INSERT INTO data_keys ("+dataKeyColumns+") VALUES ("+marks(7)+`) ON CONFLICT (session, class) DO UPDATE
			SET wrapped = NULL, destroyed_at = excluded.destroyed_at, seq = excluded.seq WHERE data_keys.destroyed_at = 0`,
			session, c, "", nil, micros(at), micros(at), seq)
		if err == nil && n == 0 { // another process destroyed it between the two looks
			_, err = tx.exec("UPDATE data_keys_head SET seq = seq - 1 WHERE id = 1")
		}
		lived = n == 1 && live == 1
		return err
	})
	return lived, err
}

// RewrapDataKey is part of storage.KeyIndex.
func (s *Store) RewrapDataKey(ctx context.Context, oldKeyID string, k storage.DataKey) error {
	return s.vaultUpdate(ctx, "rewrap data key", "UPDATE data_keys SET key_id = ?, wrapped = ? WHERE session = ? AND class = ? AND key_id = ? AND destroyed_at = 0",
		k.KeyID, k.Wrapped, k.Session, k.Class, oldKeyID)
}

// KeysInUse is part of storage.KeyIndex.
func (s *Store) KeysInUse(ctx context.Context) ([]storage.KeyUse, error) {
	return list(ctx, s, "count data keys", func(r scanner) (storage.KeyUse, error) {
		var u storage.KeyUse
		err := r.Scan(&u.KeyID, &u.Live)
		return u, err
	}, "SELECT key_id, COUNT(*) FROM data_keys WHERE destroyed_at = 0 GROUP BY key_id ORDER BY key_id")
}

// DataKeysUnder is part of storage.KeyIndex.
func (s *Store) DataKeysUnder(ctx context.Context, keyID string, limit int) ([]storage.DataKey, error) {
	return list(ctx, s, "list data keys", scanDataKey, "SELECT "+dataKeyColumns+" FROM data_keys WHERE destroyed_at = 0 AND key_id = ? ORDER BY session, class LIMIT ?", keyID, limit)
}

// Destroyed is part of storage.KeyIndex.
func (s *Store) Destroyed(ctx context.Context, after int64, limit int) ([]storage.DataKey, error) {
	return list(ctx, s, "list destroyed data keys", scanDataKey, "SELECT "+dataKeyColumns+" FROM data_keys WHERE seq > 0 AND seq > ? ORDER BY seq LIMIT ?", after, limit)
}

// LastDestroyed is part of storage.KeyIndex.
func (s *Store) LastDestroyed(ctx context.Context) (int64, error) {
	return s.number(ctx, "read number of the last destroyed data key", "SELECT seq FROM data_keys_head WHERE id = 1")
}

// number reads one number; 0 where there is no row.
func (s *Store) number(ctx context.Context, doing, q string, args ...any) (int64, error) {
	var n int64
	err := s.queryRow(ctx, q, args...).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("%s: %w", doing, err)
	}
	return n, nil
}

// Scrub is part of storage.KeyIndex. SQLite overwrites what is deleted
// (secure_delete) in the database, but its write-ahead log still has the page as
// it was: the checkpoint moves everything over and empties the log. PostgreSQL
// keeps old versions of rows until a vacuum, and in its own log until that is
// recycled; docs/security.md says what to do.
func (s *Store) Scrub(ctx context.Context) error {
	if s.postgres {
		return nil
	}
	for try := 0; ; try++ {
		var busy, pages, moved int64
		if err := s.queryRow(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
			return fmt.Errorf("empty the write-ahead log: %w", err)
		}
		if busy == 0 {
			return nil
		}
		if try == scrubTries {
			return errors.New("empty the write-ahead log: a reader does not let go of it; it is tried again after the next erasure")
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("empty the write-ahead log: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond << try):
		}
	}
}

const scrubTries = 6 // 3 seconds
