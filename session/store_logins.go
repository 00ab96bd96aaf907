package session

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofline/proofline/audit"
)

// Login is an account's session at this server.
type Login struct {
	ID        string    `json:"id"`
	Account   string    `json:"account"`
	Method    string    `json:"method"` // password, oidc, token
	CreatedAt time.Time `json:"created_at"`
	SeenAt    time.Time `json:"seen_at"`
	ExpiresAt time.Time `json:"expires_at"` // whatever it is used for
	EndedAt   time.Time `json:"ended_at,omitzero"`
}

// LoginTimes bound a login: Idle from its last use, Life from its beginning.
type LoginTimes struct{ Idle, Life time.Duration }

const loginColumns = "l.id, l.account, l.method, l.created_at, l.seen_at, l.expires_at, l.ended_at"

func scanLogin(r scanner) (Login, error) {
	var l Login
	var created, seen, expires, ended int64
	err := r.Scan(&l.ID, &l.Account, &l.Method, &created, &seen, &expires, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return l, ErrNotFound
	}
	l.CreatedAt, l.SeenAt, l.ExpiresAt, l.EndedAt = fromMicros(created), fromMicros(seen), fromMicros(expires), fromMicros(ended)
	return l, err
}

// BeginLogin makes a login and returns its secret, which is kept as a hash only.
func (s *Store) BeginLogin(ctx context.Context, account, method string, life time.Duration) (Login, string, error) {
	if life <= 0 || life > maxTTL || method == "" || checkField(method) != nil {
		return Login{}, "", fmt.Errorf("begin login: %w", ErrInvalid)
	}
	secret := newSecret(StaffSecret)
	hash, err := HashSecret(StaffSecret, secret)
	if err != nil {
		return Login{}, "", fmt.Errorf("begin login: %w", err)
	}
	l := Login{Account: account, Method: method}
	err = s.write(ctx, "begin login", func(tx *Tx) error {
		n, err := tx.exec("UPDATE accounts SET login_at = ? WHERE id = ? AND disabled_at = 0", micros(tx.Now), account)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		l.ID, l.CreatedAt, l.SeenAt, l.ExpiresAt = s.ids.next(LoginPrefix, tx.Now), tx.Now, tx.Now, tx.Now.Add(life)
		tx.Audit(audit.Entry{Actor: staff(account).String(), Action: "login.begin", Refs: map[string]string{"login": l.ID, "method": method}})
		return tx.later("begin login", "INSERT INTO logins (id, hash, account, method, created_at, seen_at, expires_at, ended_at) VALUES ("+marks(8)+")",
			l.ID, hash, account, method, micros(tx.Now), micros(tx.Now), micros(l.ExpiresAt), 0)
	})
	return l, secret, err
}

// staff is an account as the audit log's actor.
func staff(account string) Actor { return Actor{Role: Staff, ID: account} }

// seenEvery is how exactly the last use of a login is kept: a page is many
// requests, and each write costs a commit.
const seenEvery = time.Minute

// Login finds the login of a secret and its account, and notes that it was used.
// ErrTokenInvalid: unknown, ended, or the account is disabled; ErrTokenExpired:
// over, or idle for too long.
func (s *Store) Login(ctx context.Context, secret string, idle time.Duration) (Login, Account, error) {
	hash, err := HashSecret(StaffSecret, secret)
	if err != nil {
		return Login{}, Account{}, err
	}
	l, err := scanLogin(s.queryRow(ctx, "SELECT "+loginColumns+" FROM logins l WHERE l.hash = ?", hash))
	var a Account
	if err == nil {
		a, err = s.Account(ctx, l.Account)
	}
	now := s.clock()
	switch {
	case errors.Is(err, ErrNotFound), err == nil && (!l.EndedAt.IsZero() || !a.DisabledAt.IsZero()):
		return Login{}, Account{}, ErrTokenInvalid
	case err != nil:
		return Login{}, Account{}, fmt.Errorf("look up login: %w", err)
	case !now.Before(l.ExpiresAt), idle > 0 && l.Method != "token" && !now.Before(l.SeenAt.Add(idle)):
		return Login{}, Account{}, ErrTokenExpired
	}
	if now.Sub(l.SeenAt) >= seenEvery {
		l.SeenAt = now
		err := s.writeApart(ctx, "note use of login", func(tx *Tx) error {
			_, err := tx.exec("UPDATE logins SET seen_at = ? WHERE id = ? AND ended_at = 0", micros(now), l.ID)
			return err
		})
		if err != nil {
			return Login{}, Account{}, err
		}
	}
	return l, a, nil
}

// Logins lists an account's logins that are not over, newest first.
func (s *Store) Logins(ctx context.Context, account string) ([]Login, error) {
	return list(ctx, s, "list logins", scanLogin, "SELECT "+loginColumns+" FROM logins l WHERE l.account = ? AND l.ended_at = 0 AND l.expires_at > ? ORDER BY l.id DESC LIMIT 100",
		account, micros(s.clock()))
}

// EndLogin ends one login of an account. One that is over is no error.
func (s *Store) EndLogin(ctx context.Context, by Actor, account, id string) error {
	return s.endLogins(ctx, by, account, "UPDATE logins SET ended_at = ? WHERE account = ? AND ended_at = 0 AND id = ?", id)
}

// EndOtherLogins ends all of an account's logins but one; "" keeps none.
func (s *Store) EndOtherLogins(ctx context.Context, by Actor, account, keep string) error {
	return s.endLogins(ctx, by, account, "UPDATE logins SET ended_at = ? WHERE account = ? AND ended_at = 0 AND id <> ?", keep)
}

func (s *Store) endLogins(ctx context.Context, by Actor, account, q, id string) error {
	return s.write(ctx, "end login", func(tx *Tx) error {
		n, err := tx.exec(q, micros(tx.Now), account, id)
		if err == nil && n > 0 {
			tx.Audit(audit.Entry{Actor: by.String(), Action: "login.end", Refs: map[string]string{"account": account}})
		}
		return err
	})
}

// TriesOfAccount and TriesOfAddress name whose wrong passwords are counted:
// hashes, so that the table tells neither names that somebody typed nor
// addresses at a glance.
func TriesOfAccount(name string) string { return triesOf("account", name) }

// TriesOfAddress is TriesOfAccount for a caller's address.
func TriesOfAddress(address string) string { return triesOf("address", address) }

func triesOf(kind, v string) string {
	h := sha256.Sum256([]byte("proofline login tries " + kind + "\n" + v))
	return kind + ":" + hex.EncodeToString(h[:16])
}

// TryLogin counts a try before it is made, so that many at once are counted all
// the same, and tells how long to wait and how many were wrong so far. A wait
// means that this one is not to be made. forget is the age at which earlier tries
// do not count any more; 0: never.
func (s *Store) TryLogin(ctx context.Context, subject string, forget time.Duration, backoff func(wrong int) time.Duration) (wait time.Duration, wrong int, err error) {
	err = s.write(ctx, "count login", func(tx *Tx) error {
		wait = 0
		if _, err := tx.exec("INSERT INTO login_tries (subject, wrong, at, until) VALUES (?, 0, ?, 0) ON CONFLICT (subject) DO NOTHING", subject, micros(tx.Now)); err != nil {
			return err
		}
		var at, until int64
		if err := tx.row("SELECT wrong, at, until FROM login_tries WHERE subject = ?"+s.forUpdate(), subject).Scan(&wrong, &at, &until); err != nil {
			return err
		}
		if wait = fromMicros(until).Sub(tx.Now); until != 0 && wait > 0 {
			return nil
		}
		if wait = 0; forget > 0 && tx.Now.Sub(fromMicros(at)) > forget {
			wrong = 0
		}
		wrong++
		next := int64(0)
		if d := backoff(wrong); d > 0 {
			next = micros(tx.Now.Add(d))
		}
		_, err := tx.exec("UPDATE login_tries SET wrong = ?, at = ?, until = ? WHERE subject = ?", wrong, micros(tx.Now), next, subject)
		return err
	})
	return wait, wrong, err
}

// TakeBackTry uncounts one try, which was right.
func (s *Store) TakeBackTry(ctx context.Context, subject string) error {
	return s.writeApart(ctx, "uncount login", func(tx *Tx) error {
		_, err := tx.exec("UPDATE login_tries SET wrong = wrong - 1, until = 0 WHERE subject = ? AND wrong > 0", subject)
		return err
	})
}

// ClearTries forgets all tries of a subject.
func (s *Store) ClearTries(ctx context.Context, subject string) error {
	return s.writeApart(ctx, "forget logins", func(tx *Tx) error {
		_, err := tx.exec("DELETE FROM login_tries WHERE subject = ?", subject)
		return err
	})
}

// LoginRefused leaves in the log that a login failed. account is "" when there
// is no such account; what was typed is not kept.
func (s *Store) LoginRefused(ctx context.Context, account, reason string) error {
	return s.Audit(ctx, audit.Entry{Actor: staff(account).String(), Action: "login.refuse", Outcome: "noop", Refs: map[string]string{"reason": clip(reason)}})
}

// PruneLogins removes logins that ended before, and tries whose last is older: those
// of addresses, and of names that no account has. Whose name is tried chooses whoever
// tries. Those of an account count however long ago they were (access.CloseAfter).
func (s *Store) PruneLogins(ctx context.Context, before time.Time) error {
	names, err := list(ctx, s, "list accounts", scanString, "SELECT name FROM accounts")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, n := range names {
		known[TriesOfAccount(n)] = true
	}
	old, err := list(ctx, s, "list old tries", scanString, "SELECT subject FROM login_tries WHERE at < ? AND subject LIKE 'account:%' ORDER BY at LIMIT 10000", micros(before))
	if err != nil {
		return err
	}
	old = slices.DeleteFunc(old, func(subject string) bool { return known[subject] })
	return s.writeApart(ctx, "prune logins", func(tx *Tx) error {
		if _, err := tx.exec("DELETE FROM logins WHERE expires_at < ?", micros(before)); err != nil {
			return err
		}
		for chunk := range slices.Chunk(old, 100) {
			args := []any{micros(before)}
			for _, subject := range chunk {
				args = append(args, subject)
			}
			if _, err := tx.exec("DELETE FROM login_tries WHERE at < ? AND subject IN ("+marks(len(chunk))+")", args...); err != nil {
				return err
			}
		}
		_, err := tx.exec("DELETE FROM login_tries WHERE at < ? AND subject LIKE 'address:%'", micros(before))
		return err
	})
}
