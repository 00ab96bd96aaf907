package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/storage"
)

// Store keeps the vault's rows beside the sessions.
var _ storage.Index = (*Store)(nil)

const dataKeyColumns = "session, class, key_id, wrapped, created_at, destroyed_at"

func scanDataKey(r scanner) (storage.DataKey, error) {
	var k storage.DataKey
	var created, destroyed int64
	err := r.Scan(&k.Session, &k.Class, &k.KeyID, &k.Wrapped, &created, &destroyed)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.DataKey{}, storage.ErrNotFound
	}
	if len(k.Wrapped) == 0 {
		k.Wrapped = nil
	}
	k.CreatedAt, k.DestroyedAt = fromMicros(created), fromMicros(destroyed)
	return k, err
}

// PutDataKey is part of storage.Index.
func (s *Store) PutDataKey(ctx context.Context, k storage.DataKey) (storage.DataKey, error) {
	var out storage.DataKey
	err := s.writeApart(ctx, "put data key", func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO data_keys ("+dataKeyColumns+") VALUES ("+marks(6)+") ON CONFLICT (session, class) DO NOTHING",
			k.Session, k.Class, k.KeyID, k.Wrapped, micros(k.CreatedAt), micros(k.DestroyedAt))
		if err != nil {
			return err
		}
		out, err = scanDataKey(tx.row("SELECT "+dataKeyColumns+" FROM data_keys WHERE session = ? AND class = ?", k.Session, k.Class))
		return err
	})
	return out, err
}

// GetDataKey is part of storage.Index.
func (s *Store) GetDataKey(ctx context.Context, session string, c storage.Class) (storage.DataKey, error) {
	k, err := scanDataKey(s.queryRow(ctx, "SELECT "+dataKeyColumns+" FROM data_keys WHERE session = ? AND class = ?", session, c))
	if err != nil {
		return storage.DataKey{}, fmt.Errorf("get data key: %w", err)
	}
	return k, nil
}

// DestroyDataKey is part of storage.Index.
func (s *Store) DestroyDataKey(ctx context.Context, session string, c storage.Class, at time.Time) error {
	return s.writeApart(ctx, "destroy data key", func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO data_keys ("+dataKeyColumns+") VALUES ("+marks(6)+`) ON CONFLICT (session, class) DO UPDATE
			SET wrapped = NULL, destroyed_at = excluded.destroyed_at WHERE data_keys.destroyed_at = 0`,
			session, c, "", nil, micros(at), micros(at))
		return err
	})
}

// RewrapDataKey is part of storage.Index.
func (s *Store) RewrapDataKey(ctx context.Context, oldKeyID string, k storage.DataKey) error {
	return s.vaultUpdate(ctx, "rewrap data key", "UPDATE data_keys SET key_id = ?, wrapped = ? WHERE session = ? AND class = ? AND key_id = ? AND destroyed_at = 0",
		k.KeyID, k.Wrapped, k.Session, k.Class, oldKeyID)
}

// DataKeysNotUnder is part of storage.Index.
func (s *Store) DataKeysNotUnder(ctx context.Context, keyID string, limit int) ([]storage.DataKey, error) {
	return list(ctx, s, "list data keys", scanDataKey, "SELECT "+dataKeyColumns+" FROM data_keys WHERE destroyed_at = 0 AND key_id <> ? ORDER BY session, class LIMIT ?", keyID, limit)
}

const objectColumns = "id, session, class, kind, blob_key, size, sha256, created_at, committed_at, retain_until, deleted_at, delete_failures, delete_error, delete_after"

func scanObject(r scanner) (storage.Object, error) {
	var o storage.Object
	var created, committed, retain, deleted, after int64
	err := r.Scan(&o.ID, &o.Session, &o.Class, &o.Kind, &o.Key, &o.Size, &o.SHA256, &created, &committed, &retain, &deleted,
		&o.DeleteFailures, &o.DeleteError, &after)
	if errors.Is(err, sql.ErrNoRows) {
		return storage.Object{}, storage.ErrNotFound
	}
	o.CreatedAt, o.CommittedAt, o.RetainUntil = fromMicros(created), fromMicros(committed), fromMicros(retain)
	o.DeletedAt, o.DeleteAfter = fromMicros(deleted), fromMicros(after)
	return o, err
}

// PutObject is part of storage.Index.
func (s *Store) PutObject(ctx context.Context, o storage.Object) error {
	return s.writeApart(ctx, "put object row", func(tx *Tx) error {
		n, err := tx.exec("INSERT INTO objects ("+objectColumns+") VALUES ("+marks(14)+") ON CONFLICT (id) DO NOTHING",
			o.ID, o.Session, o.Class, o.Kind, o.Key, o.Size, o.SHA256, micros(o.CreatedAt), micros(o.CommittedAt),
			micros(o.RetainUntil), micros(o.DeletedAt), o.DeleteFailures, clip(o.DeleteError), micros(o.DeleteAfter))
		if err == nil && n == 0 {
			return storage.ErrExists
		}
		return err
	})
}

// vaultUpdate runs one update that must match a row.
func (s *Store) vaultUpdate(ctx context.Context, doing, q string, args ...any) error {
	return s.writeApart(ctx, doing, func(tx *Tx) error {
		n, err := tx.exec(q, args...)
		if err == nil && n == 0 {
			return storage.ErrNotFound
		}
		return err
	})
}

// CommitObject is part of storage.Index.
func (s *Store) CommitObject(ctx context.Context, o storage.Object) error {
	return s.vaultUpdate(ctx, "commit object row", "UPDATE objects SET size = ?, sha256 = ?, committed_at = ?, retain_until = ? WHERE id = ? AND deleted_at = 0",
		o.Size, o.SHA256, micros(o.CommittedAt), micros(o.RetainUntil), o.ID)
}

// GetObject is part of storage.Index.
func (s *Store) GetObject(ctx context.Context, id string) (storage.Object, error) {
	o, err := scanObject(s.queryRow(ctx, "SELECT "+objectColumns+" FROM objects WHERE id = ?", id))
	if err != nil {
		return storage.Object{}, fmt.Errorf("get object row: %w", err)
	}
	return o, nil
}

// ListObjects is part of storage.Index.
func (s *Store) ListObjects(ctx context.Context, session string, c storage.Class) ([]storage.Object, error) {
	q, args := "SELECT "+objectColumns+" FROM objects WHERE session = ? AND deleted_at = 0", []any{session}
	if c != "" {
		q, args = q+" AND class = ?", append(args, c)
	}
	return s.objects(ctx, q+" ORDER BY created_at, id", args...)
}

// DeleteObject is part of storage.Index.
func (s *Store) DeleteObject(ctx context.Context, id string, at time.Time) error {
	return s.vaultUpdate(ctx, "delete object row", `UPDATE objects SET deleted_at = CASE WHEN deleted_at = 0 THEN CAST(? AS BIGINT) ELSE deleted_at END,
		delete_error = '' WHERE id = ?`, micros(at), id)
}

// FailDelete is part of storage.Index.
func (s *Store) FailDelete(ctx context.Context, id, reason string, after time.Time) error {
	return s.vaultUpdate(ctx, "record failed delete", "UPDATE objects SET delete_failures = delete_failures + 1, delete_error = ?, delete_after = ? WHERE id = ? AND deleted_at = 0",
		clip(reason), micros(after), id)
}

// ExpireObjects is part of storage.Index.
func (s *Store) ExpireObjects(ctx context.Context, session string, c storage.Class, at time.Time) error {
	return s.writeApart(ctx, "expire objects", func(tx *Tx) error {
		_, err := tx.exec("UPDATE objects SET retain_until = ? WHERE session = ? AND class = ? AND deleted_at = 0 AND retain_until > ?",
			micros(at), session, c, micros(at))
		return err
	})
}

// Expired is part of storage.Index.
func (s *Store) Expired(ctx context.Context, now time.Time, limit int) ([]storage.Object, error) {
	return s.objects(ctx, "SELECT "+objectColumns+" FROM objects WHERE deleted_at = 0 AND retain_until <= ? AND delete_after <= ? ORDER BY retain_until, id LIMIT ?",
		micros(now), micros(now), limit)
}

func (s *Store) objects(ctx context.Context, q string, args ...any) ([]storage.Object, error) {
	return list(ctx, s, "list object rows", scanObject, q, args...)
}
