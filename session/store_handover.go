package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/audit"
)

// RedeemClientToken exchanges a token for one of another purpose, once: it is
// how a person goes on with another device. The redeemed token ends in the same
// transaction, so of two devices that show it one succeeds. ErrTokenInvalid:
// unknown, for another purpose, or used already; ErrTokenExpired.
func (s *Store) RedeemClientToken(ctx context.Context, secret, purpose, newPurpose string, ttl time.Duration) (ClientToken, string, error) {
	old, err := HashSecret(ClientTokenSecret, secret)
	if err != nil {
		return ClientToken{}, "", err
	}
	if newPurpose == "" || newPurpose == purpose || checkField(newPurpose) != nil || ttl <= 0 || ttl > maxTTL {
		return ClientToken{}, "", fmt.Errorf("redeem client token: %w: purpose or time", ErrInvalid)
	}
	fresh := newSecret(ClientTokenSecret)
	hash, err := HashSecret(ClientTokenSecret, fresh)
	if err != nil {
		return ClientToken{}, "", fmt.Errorf("redeem client token: %w", err)
	}
	var t ClientToken
	err = s.write(ctx, "redeem client token", func(tx *Tx) error {
		var id, of string
		var expires, revoked int64
		err := tx.row("SELECT id, session, purpose, expires_at, revoked_at FROM client_tokens WHERE hash = ?"+s.forUpdate(), old).
			Scan(&id, &t.Session, &of, &expires, &revoked)
		switch {
		case errors.Is(err, sql.ErrNoRows), err == nil && (revoked != 0 || of != purpose):
			return ErrTokenInvalid
		case err != nil:
			return err
		case !tx.Now.Before(fromMicros(expires)):
			return ErrTokenExpired
		}
		ses, err := tx.lockSession(t.Session)
		if err != nil {
			return err
		}
		t.ID, t.Purpose, t.CreatedAt, t.ExpiresAt = s.ids.next(TokenPrefix, tx.Now), newPurpose, tx.Now, tx.Now.Add(ttl)
		tx.Audit(audit.Entry{Actor: string(Client) + ":" + id, Action: "client_token.redeem", Session: ses.ID, Tenant: ses.Tenant,
			Refs: map[string]string{"token": t.ID, "redeemed": id, "purpose": newPurpose}, Correlation: ses.CorrelationID})
		if _, err := tx.exec("UPDATE client_tokens SET revoked_at = ? WHERE id = ?", micros(tx.Now), id); err != nil {
			return err
		}
		_, err = tx.exec("INSERT INTO client_tokens (id, hash, session, purpose, created_at, expires_at, revoked_at) VALUES ("+marks(7)+")",
			t.ID, hash, t.Session, newPurpose, micros(t.CreatedAt), micros(t.ExpiresAt), 0)
		return err
	})
	if err != nil {
		return ClientToken{}, "", err
	}
	return t, fresh, nil
}
