package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
)

// KeyHolder says which keys of the keyring a running process holds.
type KeyHolder struct {
	Node    string    `json:"node"`
	Primary string    `json:"primary"`
	Keys    []string  `json:"keys"`
	Seen    time.Time `json:"seen"`
}

// Holds tells whether the process has the key.
func (h KeyHolder) Holds(id string) bool { return slices.Contains(h.Keys, id) }

// HoldsKeys records which keys a running process holds, for whoever rotates
// them. Repeat it; KeyHolders forgets those that are silent.
func (s *Store) HoldsKeys(ctx context.Context, node, primary string, ids []string) error {
	if err := checkField(node); err != nil {
		return err
	}
	return s.writeApart(ctx, "record keys held", func(tx *Tx) error {
		_, err := tx.exec(`INSERT INTO keyring_nodes (node, primary_id, key_ids, at) VALUES (?, ?, ?, ?) ON CONFLICT (node) DO UPDATE
			SET primary_id = excluded.primary_id, key_ids = excluded.key_ids, at = excluded.at`, node, primary, strings.Join(ids, ","), micros(tx.Now))
		return err
	})
}

// HoldsNoKeys records that a process has ended.
func (s *Store) HoldsNoKeys(ctx context.Context, node string) error {
	return s.writeApart(ctx, "forget keys held", func(tx *Tx) error {
		_, err := tx.exec("DELETE FROM keyring_nodes WHERE node = ? OR at < ?", node, micros(tx.Now.Add(-24*time.Hour)))
		return err
	})
}

// KeyHolders lists the processes that were heard of within the last silence.
func (s *Store) KeyHolders(ctx context.Context, silence time.Duration) ([]KeyHolder, error) {
	return list(ctx, s, "list keys held", func(r scanner) (KeyHolder, error) {
		var h KeyHolder
		var ids string
		var at int64
		err := r.Scan(&h.Node, &h.Primary, &ids, &at)
		h.Keys, h.Seen = strings.Split(ids, ","), fromMicros(at)
		return h, err
	}, "SELECT node, primary_id, key_ids, at FROM keyring_nodes WHERE at > ? ORDER BY node", micros(s.now().Add(-silence)))
}

// AuditKeys records what was done to the keyring: "keys.added", "keys.rotated",
// "keys.retired".
func (s *Store) AuditKeys(ctx context.Context, by Actor, action string, refs map[string]string) error {
	return s.Audit(ctx, audit.Entry{Actor: by.String(), Action: action, Refs: refs})
}

// Kinds of Secret.
const (
	WebhookSecret       = "webhook"       // of an endpoint
	AuthenticatorSecret = "authenticator" // of an account
	TenantSecret        = "tenant"        // of a tenant's keyed hashes
)

// Secret is a secret that the keyring sealed.
type Secret struct {
	Kind   string
	ID     string // of the endpoint or account
	Sealed []byte
}

// Secrets lists everything that the keyring sealed besides data keys, for a
// rotation: what it left out would be lost with the retired key.
func (s *Store) Secrets(ctx context.Context) ([]Secret, error) {
	return list(ctx, s, "list sealed secrets", func(r scanner) (v Secret, err error) {
		err = r.Scan(&v.Kind, &v.ID, &v.Sealed)
		return v, err
	}, `SELECT 'webhook', id, secrets FROM webhook_endpoints WHERE secrets IS NOT NULL
		UNION ALL SELECT 'authenticator', id, totp FROM accounts WHERE totp IS NOT NULL AND length(totp) > 0
		UNION ALL SELECT 'tenant', tenant, sealed FROM tenant_keys ORDER BY 1, 2`)
}

// ReplaceSecret puts a secret that was sealed again in the place of the old one,
// unless that was changed meanwhile.
func (s *Store) ReplaceSecret(ctx context.Context, old Secret, sealed []byte) error {
	return s.writeApart(ctx, "replace sealed secret", func(tx *Tx) error {
		q := "UPDATE webhook_endpoints SET secrets = ? WHERE id = ? AND secrets = ?"
		switch old.Kind {
		case AuthenticatorSecret:
			q = "UPDATE accounts SET totp = ? WHERE id = ? AND totp = ?"
		case TenantSecret:
			q = "UPDATE tenant_keys SET sealed = ? WHERE tenant = ? AND sealed = ?"
		}
		if _, err := tx.exec(q, sealed, old.ID, old.Sealed); err != nil {
			return fmt.Errorf("%s %s: %w", old.Kind, old.ID, err)
		}
		return nil
	})
}
