package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/audit"
)

// Account is somebody who works here. The audit log knows the id only.
type Account struct {
	ID    string        `json:"id"`
	Name  string        `json:"name"`
	Roles []access.Role `json:"roles"`
	// Password says that there is one; others log in at their identity
	// provider, where they are Subject of Issuer.
	Password   bool      `json:"password"`
	Issuer     string    `json:"issuer,omitempty"`
	Subject    string    `json:"-"`
	TOTP       bool      `json:"totp"`
	CreatedAt  time.Time `json:"created_at"`
	PasswordAt time.Time `json:"password_at,omitzero"`
	LoginAt    time.Time `json:"login_at,omitzero"`
	DisabledAt time.Time `json:"disabled_at,omitzero"`
}

// Can reports whether the account has a permission.
func (a Account) Can(p access.Permission) bool {
	return a.DisabledAt.IsZero() && access.Can(p, a.Roles...)
}

// Secrets are what an account proves itself with, as they are stored.
type Secrets struct {
	Password string // argon2id hash
	TOTP     []byte // sealed by the caller
	// Step is the last time step a code was accepted for: each works once.
	Step int64
}

// NewAccount is what CreateAccount needs: a name and, for logins at an identity
// provider, who that is there.
type NewAccount struct {
	Name            string
	Roles           []access.Role
	PasswordHash    string
	Issuer, Subject string
}

const accountColumns = "id, name, roles, issuer, subject, created_at, password_at, login_at, disabled_at, password, totp, totp_step"

func scanAccount(r scanner) (Account, Secrets, error) {
	var a Account
	var x Secrets
	var roles string
	var created, password, login, disabled int64
	err := r.Scan(&a.ID, &a.Name, &roles, &a.Issuer, &a.Subject, &created, &password, &login, &disabled, &x.Password, &x.TOTP, &x.Step)
	if errors.Is(err, sql.ErrNoRows) {
		return a, x, ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal([]byte(roles), &a.Roles)
	}
	a.CreatedAt, a.PasswordAt, a.LoginAt, a.DisabledAt = fromMicros(created), fromMicros(password), fromMicros(login), fromMicros(disabled)
	a.Password, a.TOTP = x.Password != "", len(x.TOTP) > 0
	return a, x, err
}

var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{1,63}$`)

// AccountName is the form under which a name is stored and looked up.
func AccountName(s string) (string, error) {
	n := strings.ToLower(strings.TrimSpace(s))
	if !accountName.MatchString(n) {
		return "", fmt.Errorf("%w: an account's name has 2 to 64 letters, digits and . _ @ + -", ErrInvalid)
	}
	return n, nil
}

func encodeRoles(roles []access.Role) (string, error) {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	rs, err := access.ParseRoles(names)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	b, err := json.Marshal(rs)
	return string(b), err
}

// CreateAccount adds an account. ErrTaken: there is one of that name, or of that
// subject.
func (s *Store) CreateAccount(ctx context.Context, by Actor, n NewAccount) (Account, error) {
	name, err := AccountName(n.Name)
	if err != nil {
		return Account{}, fmt.Errorf("create account: %w", err)
	}
	roles, err := encodeRoles(n.Roles)
	if err != nil {
		return Account{}, fmt.Errorf("create account: %w", err)
	}
	if len(n.Issuer) > 512 || len(n.Subject) > 255 || (n.Issuer == "") != (n.Subject == "") || len(n.PasswordHash) > 256 {
		return Account{}, fmt.Errorf("create account: %w", ErrInvalid)
	}
	var out Account
	err = s.write(ctx, "create account", func(tx *Tx) error {
		id, at := s.ids.next(AccountPrefix, tx.Now), int64(0)
		if n.PasswordHash != "" {
			at = micros(tx.Now)
		}
		rows, err := tx.exec("INSERT INTO accounts ("+accountColumns+") VALUES ("+marks(12)+") ON CONFLICT DO NOTHING",
			id, name, roles, n.Issuer, n.Subject, micros(tx.Now), at, 0, 0, n.PasswordHash, nil, 0)
		if err != nil {
			return err
		}
		if rows == 0 {
			return ErrTaken
		}
		out, _, err = scanAccount(tx.row("SELECT "+accountColumns+" FROM accounts WHERE id = ?", id))
		tx.Audit(audit.Entry{Actor: by.String(), Action: "account.create", Refs: map[string]string{"account": id, "roles": roleList(out.Roles)}})
		return err
	})
	return out, err
}

func roleList(rs []access.Role) string {
	names := make([]string, len(rs))
	for i, r := range rs {
		names[i] = string(r)
	}
	return strings.Join(names, "+")
}

// Account returns an account by id, or ErrNotFound.
func (s *Store) Account(ctx context.Context, id string) (Account, error) {
	a, _, err := scanAccount(s.queryRow(ctx, "SELECT "+accountColumns+" FROM accounts WHERE id = ?", id))
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// AccountByName also returns what a login is checked against.
func (s *Store) AccountByName(ctx context.Context, name string) (Account, Secrets, error) {
	n, err := AccountName(name)
	if err != nil {
		return Account{}, Secrets{}, ErrNotFound
	}
	a, x, err := scanAccount(s.queryRow(ctx, "SELECT "+accountColumns+" FROM accounts WHERE name = ?", n))
	if err != nil {
		return Account{}, Secrets{}, fmt.Errorf("read account: %w", err)
	}
	return a, x, nil
}

// AccountBySubject finds who an identity provider means.
func (s *Store) AccountBySubject(ctx context.Context, issuer, subject string) (Account, error) {
	a, _, err := scanAccount(s.queryRow(ctx, "SELECT "+accountColumns+" FROM accounts WHERE issuer = ? AND subject = ? AND subject <> ''", issuer, subject))
	if err != nil {
		return Account{}, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// Accounts lists all accounts by name, at most 1000.
func (s *Store) Accounts(ctx context.Context) ([]Account, error) {
	return list(ctx, s, "list accounts", func(r scanner) (Account, error) {
		a, _, err := scanAccount(r)
		return a, err
	}, "SELECT "+accountColumns+" FROM accounts ORDER BY name LIMIT 1000")
}

// changeAccount runs one change of an account. Whatever it is, what somebody
// could do by it begins anew: where it ends logins, all of them end.
func (s *Store) changeAccount(ctx context.Context, by Actor, id, action string, refs map[string]string, endLogins bool, q string, args ...any) error {
	return s.write(ctx, action, func(tx *Tx) error {
		n, err := tx.exec(q, args...)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		all := map[string]string{"account": id}
		for k, v := range refs {
			all[k] = v
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: action, Refs: all})
		if endLogins {
			return tx.later("end logins", "UPDATE logins SET ended_at = ? WHERE account = ? AND ended_at = 0", micros(tx.Now), id)
		}
		return nil
	})
}

// SetRoles replaces an account's roles and ends its logins.
func (s *Store) SetRoles(ctx context.Context, by Actor, id string, roles []access.Role) error {
	text, err := encodeRoles(roles)
	if err != nil {
		return fmt.Errorf("set roles: %w", err)
	}
	return s.changeAccount(ctx, by, id, "account.set_roles", map[string]string{"roles": roleList(roles)}, true, "UPDATE accounts SET roles = ? WHERE id = ?", text, id)
}

// SetPassword replaces an account's password, ends its logins and takes back
// what wrong passwords cost it.
func (s *Store) SetPassword(ctx context.Context, by Actor, id, hash string) error {
	a, err := s.Account(ctx, id)
	if err != nil {
		return err
	}
	err = s.changeAccount(ctx, by, id, "account.set_password", nil, true, "UPDATE accounts SET password = ?, password_at = ? WHERE id = ?", hash, micros(s.clock()), id)
	if err != nil {
		return err
	}
	return s.ClearTries(ctx, TriesOfAccount(a.Name))
}

// UpgradePassword replaces the hash of the same password, if it still is the old
// one; the account keeps its logins.
func (s *Store) UpgradePassword(ctx context.Context, id, old, hash string) error {
	return s.writeApart(ctx, "upgrade password hash", func(tx *Tx) error {
		_, err := tx.exec("UPDATE accounts SET password = ? WHERE id = ? AND password = ?", hash, id, old)
		return err
	})
}

// SetTOTP keeps a second factor, sealed by the caller; nil takes it away.
func (s *Store) SetTOTP(ctx context.Context, by Actor, id string, sealed []byte) error {
	action := "account.set_totp"
	if sealed == nil {
		action = "account.remove_totp"
	}
	return s.changeAccount(ctx, by, id, action, nil, false, "UPDATE accounts SET totp = ?, totp_step = 0 WHERE id = ?", sealed, id)
}

// UseTOTPStep accepts a time step once: false when it, or a later one, was used.
func (s *Store) UseTOTPStep(ctx context.Context, id string, step int64) (bool, error) {
	fresh := false
	err := s.writeApart(ctx, "use time step", func(tx *Tx) error {
		n, err := tx.exec("UPDATE accounts SET totp_step = ? WHERE id = ? AND totp_step < ?", step, id, step)
		fresh = n == 1
		return err
	})
	return fresh, err
}

// DisableAccount ends an account's logins and lets no new one begin, until it is
// enabled.
func (s *Store) DisableAccount(ctx context.Context, by Actor, id string) error {
	return s.changeAccount(ctx, by, id, "account.disable", nil, true,
		"UPDATE accounts SET disabled_at = CASE WHEN disabled_at = 0 THEN CAST(? AS BIGINT) ELSE disabled_at END WHERE id = ?", micros(s.clock()), id)
}

// EnableAccount undoes DisableAccount.
func (s *Store) EnableAccount(ctx context.Context, by Actor, id string) error {
	return s.changeAccount(ctx, by, id, "account.enable", nil, true, "UPDATE accounts SET disabled_at = 0 WHERE id = ?", id)
}
