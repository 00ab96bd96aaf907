package session

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/storage"
)

// Store keeps the vault's rows beside the sessions.
var _ storage.Index = (*Store)(nil)

const objectColumns = "id, session, class, kind, blob_key, size, sha256, created_at, committed_at, retain_until, deleted_at, delete_failures, delete_error, delete_after, region"

func scanObject(r scanner) (storage.Object, error) {
	var o storage.Object
	var created, committed, retain, deleted, after int64
	err := r.Scan(&o.ID, &o.Session, &o.Class, &o.Kind, &o.Key, &o.Size, &o.SHA256, &created, &committed, &retain, &deleted,
		&o.DeleteFailures, &o.DeleteError, &after, &o.Region)
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
		n, err := tx.exec("INSERT INTO objects ("+objectColumns+") VALUES ("+marks(15)+") ON CONFLICT (id) DO NOTHING",
			o.ID, o.Session, o.Class, o.Kind, o.Key, o.Size, o.SHA256, micros(o.CreatedAt), micros(o.CommittedAt),
			micros(o.RetainUntil), micros(o.DeletedAt), o.DeleteFailures, clip(o.DeleteError), micros(o.DeleteAfter), o.Region)
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
func (s *Store) ExpireObjects(ctx context.Context, session string, c storage.Class, at time.Time) (n int, err error) {
	err = s.writeApart(ctx, "expire objects", func(tx *Tx) error {
		rows, err := tx.exec("UPDATE objects SET retain_until = ? WHERE session = ? AND class = ? AND deleted_at = 0 AND retain_until > ?",
			micros(at), session, c, micros(at))
		n = int(rows)
		return err
	})
	return n, err
}

// notHeld leaves out sessions under legal hold.
const notHeld = "NOT EXISTS (SELECT 1 FROM legal_holds h WHERE h.session = objects.session AND h.lifted_at = 0)"

// ClaimExpired is part of storage.Index. On PostgreSQL sweepers skip what
// others are just claiming.
func (s *Store) ClaimExpired(ctx context.Context, now, until time.Time, limit int) (out []storage.Object, err error) {
	skip := ""
	if s.postgres {
		skip = " FOR UPDATE SKIP LOCKED"
	}
	err = s.writeApart(ctx, "claim expired objects", func(tx *Tx) (err error) {
		out = nil
		rows, err := tx.rows(`UPDATE objects SET delete_after = ? WHERE id IN (
			SELECT id FROM objects WHERE deleted_at = 0 AND retain_until <= ? AND delete_after <= ? AND `+notHeld+`
			ORDER BY retain_until, id LIMIT ?`+skip+`) RETURNING `+objectColumns, micros(until), micros(now), micros(now), limit)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		tx.wrote = true
		for rows.Next() {
			o, err := scanObject(rows)
			if err != nil {
				return err
			}
			out = append(out, o)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b storage.Object) int {
		return cmp.Or(a.RetainUntil.Compare(b.RetainUntil), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

// DeletedObjects is part of storage.Index.
func (s *Store) DeletedObjects(ctx context.Context, session string, c storage.Class) ([]storage.Object, error) {
	return s.objects(ctx, "SELECT "+objectColumns+" FROM objects WHERE session = ? AND class = ? AND deleted_at > 0 AND committed_at > 0 ORDER BY created_at, id", session, c)
}

// LiveObjects is part of storage.Index.
func (s *Store) LiveObjects(ctx context.Context, after string, limit int) ([]storage.Object, error) {
	return s.objects(ctx, "SELECT "+objectColumns+" FROM objects WHERE id > ? AND deleted_at = 0 AND committed_at > 0 ORDER BY id LIMIT ?", after, limit)
}

// LongestRetention tells for how long stored evidence of each class is kept at
// most, counted from its write.
func (s *Store) LongestRetention(ctx context.Context) (map[storage.Class]time.Duration, error) {
	out := map[storage.Class]time.Duration{}
	_, err := list(ctx, s, "find longest retention", func(r scanner) (struct{}, error) {
		var c storage.Class
		var us int64
		err := r.Scan(&c, &us)
		out[c] = time.Duration(us) * time.Microsecond
		return struct{}{}, err
	}, "SELECT class, MAX(retain_until - created_at) FROM objects WHERE deleted_at = 0 AND committed_at > 0 GROUP BY class")
	return out, err
}

func (s *Store) objects(ctx context.Context, q string, args ...any) ([]storage.Object, error) {
	return list(ctx, s, "list object rows", scanObject, q, args...)
}
