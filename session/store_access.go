package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/audit"
)

// APIKey is a relying service's or an operator tool's key, without the secret.
type APIKey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Tenant    string    `json:"tenant"`
	Scopes    []string  `json:"scopes"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: does not expire
	RevokedAt time.Time `json:"revoked_at,omitzero"`
}

const keyColumns = "id, name, tenant, scopes, created_at, expires_at, revoked_at"

func scanKey(r scanner) (APIKey, error) {
	var k APIKey
	var scopes string
	var created, expires, revoked int64
	err := r.Scan(&k.ID, &k.Name, &k.Tenant, &scopes, &created, &expires, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return k, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal([]byte(scopes), &k.Scopes)
	}
	k.CreatedAt, k.ExpiresAt, k.RevokedAt = fromMicros(created), fromMicros(expires), fromMicros(revoked)
	return k, err
}

// CreateAPIKey makes a key and returns its secret, which is shown this once and
// kept as a hash. ttl 0 means that it does not expire.
func (s *Store) CreateAPIKey(ctx context.Context, by Actor, tenant, name string, scopes []string, ttl time.Duration) (APIKey, string, error) {
	return s.putAPIKey(ctx, by, tenant, name, scopes, ttl, newSecret(keySecret(tenant)))
}

func (s *Store) putAPIKey(ctx context.Context, by Actor, tenant, name string, scopes []string, ttl time.Duration, secret string) (APIKey, string, error) {
	hash, err := HashSecret(keySecret(tenant), secret)
	if err != nil {
		return APIKey{}, "", fmt.Errorf("create API key: %w", err)
	}
	if tenant == "" || len(scopes) == 0 || len(scopes) > 32 || checkField(tenant) != nil || checkField(name) != nil {
		return APIKey{}, "", fmt.Errorf("create API key: %w: tenant, name or scopes", ErrInvalid)
	}
	list, err := json.Marshal(scopes)
	if err != nil {
		return APIKey{}, "", fmt.Errorf("create API key: %w", err)
	}
	k := APIKey{Name: name, Tenant: tenant, Scopes: scopes}
	err = s.write(ctx, "create API key", func(tx *Tx) error {
		k.ID, k.CreatedAt = s.ids.next(KeyPrefix, tx.Now), tx.Now
		if ttl > 0 {
			k.ExpiresAt = tx.Now.Add(ttl)
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "api_key.create", Tenant: tenant, Refs: map[string]string{"key": k.ID}})
		_, err := tx.exec("INSERT INTO api_keys (hash, "+keyColumns+") VALUES ("+marks(8)+")",
			hash, k.ID, name, tenant, string(list), micros(k.CreatedAt), micros(k.ExpiresAt), 0)
		return err
	})
	return k, secret, err
}

// APIKey finds the key of a secret. ErrTokenInvalid: unknown or revoked;
// ErrTokenExpired.
func (s *Store) APIKey(ctx context.Context, secret string) (APIKey, error) {
	hash, err := HashSecret(keyKind(secret), secret)
	if err != nil {
		return APIKey{}, err
	}
	k, err := scanKey(s.queryRow(ctx, "SELECT "+keyColumns+" FROM api_keys WHERE hash = ?", hash))
	switch {
	case errors.Is(err, ErrNotFound), err == nil && (!k.RevokedAt.IsZero() || keySecret(k.Tenant) != keyKind(secret)):
		return APIKey{}, ErrTokenInvalid
	case err != nil:
		return APIKey{}, fmt.Errorf("look up API key: %w", err)
	case !k.ExpiresAt.IsZero() && !s.now().Before(k.ExpiresAt):
		return APIKey{}, ErrTokenExpired
	}
	return k, nil
}

// APIKeys lists a tenant's keys, oldest first; "" means all tenants.
func (s *Store) APIKeys(ctx context.Context, tenant string) ([]APIKey, error) {
	return list(ctx, s, "list API keys", scanKey, "SELECT "+keyColumns+" FROM api_keys WHERE ? = '' OR tenant = ? ORDER BY id LIMIT 1000", tenant, tenant)
}

// RevokeAPIKey ends a key at once. Revoking again changes nothing.
func (s *Store) RevokeAPIKey(ctx context.Context, by Actor, id string) error {
	return s.write(ctx, "revoke API key", func(tx *Tx) error {
		k, err := scanKey(tx.row("SELECT "+keyColumns+" FROM api_keys WHERE id = ?"+s.forUpdate(), id))
		if err != nil || !k.RevokedAt.IsZero() {
			return err
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "api_key.revoke", Tenant: k.Tenant, Refs: map[string]string{"key": id}})
		_, err = tx.exec("UPDATE api_keys SET revoked_at = ? WHERE id = ?", micros(tx.Now), id)
		return err
	})
}

// ClientToken lets a person's browser act on one session for one purpose.
type ClientToken struct {
	ID        string
	Session   string
	Purpose   string // "capture"
	CreatedAt time.Time
	ExpiresAt time.Time
}

// IssueClientToken makes a token for a session and returns the secret, which is
// kept as a hash only.
func (s *Store) IssueClientToken(ctx context.Context, by Actor, session, purpose string, ttl time.Duration) (ClientToken, string, error) {
	if purpose == "" || checkField(purpose) != nil || ttl <= 0 || ttl > maxTTL {
		return ClientToken{}, "", fmt.Errorf("issue client token: %w: purpose or time", ErrInvalid)
	}
	secret := newSecret(ClientTokenSecret)
	hash, err := HashSecret(ClientTokenSecret, secret)
	if err != nil {
		return ClientToken{}, "", fmt.Errorf("issue client token: %w", err)
	}
	t := ClientToken{Session: session, Purpose: purpose}
	err = s.write(ctx, "issue client token", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		t.ID, t.CreatedAt, t.ExpiresAt = s.ids.next(TokenPrefix, tx.Now), tx.Now, tx.Now.Add(ttl)
		tx.Audit(audit.Entry{Actor: by.String(), Action: "client_token.issue", Session: session, Tenant: ses.Tenant,
			Refs: map[string]string{"token": t.ID, "purpose": purpose}, Correlation: ses.CorrelationID})
		_, err = tx.exec("INSERT INTO client_tokens (id, hash, session, purpose, created_at, expires_at, revoked_at) VALUES ("+marks(7)+")",
			t.ID, hash, session, purpose, micros(t.CreatedAt), micros(t.ExpiresAt), 0)
		return err
	})
	return t, secret, err
}

// ClientToken finds the token of a secret. ErrTokenInvalid: unknown, revoked or
// for another purpose; ErrTokenExpired. The caller still compares Session.
func (s *Store) ClientToken(ctx context.Context, secret, purpose string) (ClientToken, error) {
	hash, err := HashSecret(ClientTokenSecret, secret)
	if err != nil {
		return ClientToken{}, err
	}
	var t ClientToken
	var created, expires, revoked int64
	err = s.queryRow(ctx, "SELECT id, session, purpose, created_at, expires_at, revoked_at FROM client_tokens WHERE hash = ?", hash).
		Scan(&t.ID, &t.Session, &t.Purpose, &created, &expires, &revoked)
	t.CreatedAt, t.ExpiresAt = fromMicros(created), fromMicros(expires)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && (revoked != 0 || t.Purpose != purpose):
		return ClientToken{}, ErrTokenInvalid
	case err != nil:
		return ClientToken{}, fmt.Errorf("look up client token: %w", err)
	case !s.now().Before(t.ExpiresAt):
		return ClientToken{}, ErrTokenExpired
	}
	return t, nil
}

// RevokeClientTokens ends all tokens of a session.
func (s *Store) RevokeClientTokens(ctx context.Context, by Actor, session string) error {
	return s.write(ctx, "revoke client tokens", func(tx *Tx) error {
		n, err := tx.exec("UPDATE client_tokens SET revoked_at = ? WHERE session = ? AND revoked_at = 0", micros(tx.Now), session)
		if err == nil && n > 0 {
			tx.Audit(audit.Entry{Actor: by.String(), Action: "client_token.revoke", Session: session})
		}
		return err
	})
}
