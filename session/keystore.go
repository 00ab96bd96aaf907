package session

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/proofline/proofline/storage"
)

//go:embed keystore/*.sql
var keySchema embed.FS

// KeyStore keeps the vault's data keys in a database apart from the sessions'.
// A backup of the session store without it reads no evidence, so an erased
// person stays erased whatever backup is restored, as long as the key store
// itself is the current one: keep one copy of it, replaced each time.
type KeyStore struct {
	storage.KeyIndex
	store *Store
}

// OpenKeyStore opens the key store named by dsn, "sqlite:PATH" or a
// postgres:// URL, creating its schema as needed.
func OpenKeyStore(ctx context.Context, dsn string, opts ...Option) (*KeyStore, error) {
	s, err := open(ctx, dsn, schema{keySchema, "keystore", "keystore_version"}, opts...)
	if err != nil {
		return nil, fmt.Errorf("open key store: %w", err)
	}
	return &KeyStore{KeyIndex: s, store: s}, nil
}

// Close waits for the write in progress and closes the database.
func (k *KeyStore) Close() error { return k.store.Close() }

// Ping reports whether the database answers.
func (k *KeyStore) Ping(ctx context.Context) error { return k.store.Ping(ctx) }

// MoveDataKeys moves the data keys that a session store still holds, from before
// it had a key store, and returns how many those were. What the key store says
// of a key wins. It may be stopped and started again.
func MoveDataKeys(ctx context.Context, from *Store, to *KeyStore) (int, error) {
	const batch = 500
	moved := 0
	for {
		rows, err := list(ctx, from, "list data keys", scanDataKey, "SELECT "+dataKeyColumns+" FROM data_keys ORDER BY session, class LIMIT ?", batch)
		if err != nil {
			return moved, err
		}
		if len(rows) == 0 {
			break
		}
		for _, k := range rows {
			if k.DestroyedAt.IsZero() {
				_, err = to.PutDataKey(ctx, k)
			} else {
				_, err = to.DestroyDataKey(ctx, k.Session, k.Class, k.DestroyedAt)
			}
			if err != nil {
				return moved, fmt.Errorf("move data keys to the key store: %w", err)
			}
		}
		err = from.write(ctx, "remove moved data keys", func(tx *Tx) error {
			for _, k := range rows {
				// Only as it was read: an erasure may have destroyed it meanwhile.
				if _, err := tx.exec("DELETE FROM data_keys WHERE session = ? AND class = ? AND destroyed_at = ? AND key_id = ?", k.Session, k.Class, micros(k.DestroyedAt), k.KeyID); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return moved, err
		}
		moved += len(rows)
	}
	if moved == 0 {
		return 0, nil
	}
	return moved, errors.Join(from.Scrub(ctx), to.Scrub(ctx))
}
