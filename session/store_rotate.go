package session

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/proofline/proofline/audit"
)

// RotateAPIKey makes a key that may do what the key id may, for as long as that
// one was made to last, and lets the old one work for overlap longer, so that a
// relying service can change over without a gap. The new secret is shown this
// once. ErrNotFound: no such key, or one that was revoked or has expired.
func (s *Store) RotateAPIKey(ctx context.Context, by Actor, id string, overlap time.Duration) (APIKey, string, error) {
	if overlap < 0 || overlap > 90*24*time.Hour {
		return APIKey{}, "", fmt.Errorf("rotate API key: %w: overlap", ErrInvalid)
	}
	var k APIKey
	var secret string
	err := s.write(ctx, "rotate API key", func(tx *Tx) error {
		old, err := scanKey(tx.row("SELECT "+keyColumns+" FROM api_keys WHERE id = ?", id))
		if err != nil {
			return err
		}
		secret = newSecret(keySecret(old.Tenant))
		hash, err := HashSecret(keySecret(old.Tenant), secret)
		if err != nil {
			return err
		}
		if !old.RevokedAt.IsZero() || !old.ExpiresAt.IsZero() && !tx.Now.Before(old.ExpiresAt) {
			return ErrNotFound
		}
		k = APIKey{ID: s.ids.next(KeyPrefix, tx.Now), Name: old.Name, Tenant: old.Tenant, Scopes: old.Scopes, CreatedAt: tx.Now}
		if !old.ExpiresAt.IsZero() {
			k.ExpiresAt = tx.Now.Add(old.ExpiresAt.Sub(old.CreatedAt))
		}
		list, err := json.Marshal(k.Scopes)
		if err != nil {
			return err
		}
		if _, err := tx.exec("INSERT INTO api_keys (hash, "+keyColumns+") VALUES ("+marks(8)+")",
			hash, k.ID, k.Name, k.Tenant, string(list), micros(k.CreatedAt), micros(k.ExpiresAt), 0); err != nil {
			return err
		}
		if end := tx.Now.Add(overlap); old.ExpiresAt.IsZero() || end.Before(old.ExpiresAt) {
			if _, err := tx.exec("UPDATE api_keys SET expires_at = ? WHERE id = ?", micros(end), id); err != nil {
				return err
			}
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "api_key.rotate", Tenant: k.Tenant, Refs: map[string]string{"key": id, "successor": k.ID}})
		return nil
	})
	return k, secret, err
}
