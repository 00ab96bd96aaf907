// Package login lets people in who have an account: with a password and, where
// they set one up, a code of their authenticator app, or through the company's
// identity provider (OpenID Connect). [Door] is the type to know; it stands on
// the store's accounts and knows no HTTP.
//
// What a wrong try is answered with says neither whether the account exists nor
// what was wrong, and takes the same time. Tries are counted by account and by
// address before they are made (see access.Backoff), so that many at once gain
// nothing.
package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Store is what logins need of the session store; *session.Store has it.
type Store interface {
	AccountByName(ctx context.Context, name string) (session.Account, session.Secrets, error)
	AccountBySubject(ctx context.Context, issuer, subject string) (session.Account, error)
	Account(ctx context.Context, id string) (session.Account, error)
	CreateAccount(ctx context.Context, by session.Actor, n session.NewAccount) (session.Account, error)
	SetRoles(ctx context.Context, by session.Actor, id string, roles []access.Role) error
	SetPassword(ctx context.Context, by session.Actor, id, hash string) error
	UpgradePassword(ctx context.Context, id, old, hash string) error
	SetTOTP(ctx context.Context, by session.Actor, id string, sealed []byte) error
	UseTOTPStep(ctx context.Context, id string, step int64) (bool, error)

	BeginLogin(ctx context.Context, account, method string, life time.Duration) (session.Login, string, error)
	Login(ctx context.Context, secret string, idle time.Duration) (session.Login, session.Account, error)
	Logins(ctx context.Context, account string) ([]session.Login, error)
	EndLogin(ctx context.Context, by session.Actor, account, id string) error
	EndOtherLogins(ctx context.Context, by session.Actor, account, keep string) error
	LoginRefused(ctx context.Context, account, reason string) error

	TryLogin(ctx context.Context, subject string, forget time.Duration, backoff func(int) time.Duration) (time.Duration, int, error)
	TakeBackTry(ctx context.Context, subject string) error
	ClearTries(ctx context.Context, subject string) error
}

// Config is what a Door needs; Store is required.
type Config struct {
	Store Store
	// Keyring seals authenticator secrets; nil: none can be set up.
	Keyring storage.Keyring
	// Times bound a login; zero fields mean 30 minutes idle, 12 hours in all.
	Times session.LoginTimes
	// OIDC is the company's identity provider, if any.
	OIDC *OIDC
	Now  func() time.Time
}

// Door is where people come in. It is safe for concurrent use.
type Door struct {
	c    Config
	hash chan struct{} // password hashes made at once
}

// Errors of a login.
var (
	// ErrRefused says no more than that.
	ErrRefused = errors.New("name or password is wrong")
	// ErrCode: the password is right and a code of the authenticator is needed.
	ErrCode = errors.New("the code of the authenticator app is needed")
	// ErrNoRole: the identity provider knows the person, and none of the groups
	// has a role here.
	ErrNoRole = errors.New("no role at this server")
)

// WaitError answers too many wrong tries.
type WaitError struct{ After time.Duration }

func (e *WaitError) Error() string { return fmt.Sprintf("wait %v", e.After.Round(time.Second)) }

// addressMemory is how long an address's wrong tries count.
const addressMemory = 24 * time.Hour

// hashesAtOnce bounds the memory of logins: each hash takes 19 MiB.
const hashesAtOnce = 4

// New returns a Door.
func New(c Config) *Door {
	if c.Times.Idle == 0 {
		c.Times.Idle = 30 * time.Minute
	}
	if c.Times.Life == 0 {
		c.Times.Life = 12 * time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Door{c: c, hash: make(chan struct{}, hashesAtOnce)}
}

// Times are the bounds of a login.
func (d *Door) Times() session.LoginTimes { return d.c.Times }

// HasOIDC reports whether people can log in at an identity provider, and how it
// is called.
func (d *Door) HasOIDC() (name string, ok bool) {
	if d.c.OIDC == nil {
		return "", false
	}
	return d.c.OIDC.Name, true
}

// hashing waits for its turn to hash.
func (d *Door) hashing(ctx context.Context) (done func(), err error) {
	select {
	case d.hash <- struct{}{}:
		return func() { <-d.hash }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("log in: %w", context.Cause(ctx))
	}
}

// Password logs in by name and password, and code where the account asks for
// one. ErrRefused, ErrCode, *WaitError.
func (d *Door) Password(ctx context.Context, name, password, code, address string) (session.Login, string, error) {
	none := session.Login{}
	account := name
	if n, err := session.AccountName(name); err == nil {
		account = n
	}
	if len(account) > 256 {
		account = account[:256]
	}
	byAddress, byAccount := session.TriesOfAddress(address), session.TriesOfAccount(account)
	wait, _, err := d.c.Store.TryLogin(ctx, byAddress, addressMemory, access.AddressBackoff)
	if err != nil {
		return none, "", err
	}
	if wait > 0 {
		return none, "", &WaitError{wait}
	}
	wait, wrong, err := d.c.Store.TryLogin(ctx, byAccount, 0, access.Backoff)
	if err != nil {
		return none, "", err
	}
	if wait > 0 {
		return none, "", &WaitError{wait}
	}
	a, x, err := d.c.Store.AccountByName(ctx, name)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		return none, "", err
	}
	done, err2 := d.hashing(ctx)
	if err2 != nil {
		return none, "", err2
	}
	ok, outdated := false, false
	if err == nil && x.Password != "" {
		ok, outdated, err = access.CheckPassword(x.Password, password)
	} else {
		access.Waste(password)
		err = nil
	}
	done()
	if err != nil {
		return none, "", err
	}
	switch {
	case !ok:
		return none, "", d.refuse(ctx, a.ID, "password")
	case !a.DisabledAt.IsZero():
		return none, "", d.refuse(ctx, a.ID, "disabled")
	case wrong > access.CloseAfter:
		return none, "", d.refuse(ctx, a.ID, "closed")
	}
	if len(x.TOTP) > 0 {
		if code == "" {
			// Only somebody with the right password sees this; the try is
			// taken back, as it is one login in two steps.
			return none, "", errors.Join(ErrCode, d.c.Store.TakeBackTry(ctx, byAccount), d.c.Store.TakeBackTry(ctx, byAddress))
		}
		if ok, err := d.checkCode(ctx, a.ID, x, code); err != nil {
			return none, "", err
		} else if !ok {
			return none, "", d.refuse(ctx, a.ID, "code")
		}
	}
	if outdated {
		done, err := d.hashing(ctx)
		if err != nil {
			return none, "", err
		}
		fresh := access.HashPassword(password)
		done()
		if err := d.c.Store.UpgradePassword(ctx, a.ID, x.Password, fresh); err != nil {
			return none, "", err
		}
	}
	if err := errors.Join(d.c.Store.ClearTries(ctx, byAccount), d.c.Store.TakeBackTry(ctx, byAddress)); err != nil {
		return none, "", err
	}
	return d.c.Store.BeginLogin(ctx, a.ID, "password", d.c.Times.Life)
}

func (d *Door) refuse(ctx context.Context, account, why string) error {
	return errors.Join(ErrRefused, d.c.Store.LoginRefused(ctx, account, why))
}

// Who finds the login and the account of a secret: session.ErrTokenInvalid,
// session.ErrTokenExpired.
func (d *Door) Who(ctx context.Context, secret string) (session.Login, session.Account, error) {
	return d.c.Store.Login(ctx, secret, d.c.Times.Idle)
}

// Leave ends a login.
func (d *Door) Leave(ctx context.Context, l session.Login) error {
	return d.c.Store.EndLogin(ctx, actor(l.Account), l.Account, l.ID)
}

// LeaveElsewhere ends all of an account's logins but this one.
func (d *Door) LeaveElsewhere(ctx context.Context, l session.Login) error {
	return d.c.Store.EndOtherLogins(ctx, actor(l.Account), l.Account, l.ID)
}

// Logins lists where an account is logged in.
func (d *Door) Logins(ctx context.Context, account string) ([]session.Login, error) {
	return d.c.Store.Logins(ctx, account)
}

func actor(account string) session.Actor { return session.Actor{Role: session.Staff, ID: account} }

// ChangePassword replaces a password by somebody who knows the old one. All
// logins end, this one too. A wrong old one counts as a wrong login.
func (d *Door) ChangePassword(ctx context.Context, a session.Account, old, fresh string) error {
	if err := access.CheckNewPassword(fresh, a.Name); err != nil {
		return err
	}
	wait, _, err := d.c.Store.TryLogin(ctx, session.TriesOfAccount(a.Name), 0, access.Backoff)
	if err != nil {
		return err
	}
	if wait > 0 {
		return &WaitError{wait}
	}
	_, x, err := d.c.Store.AccountByName(ctx, a.Name)
	if err != nil {
		return err
	}
	done, err := d.hashing(ctx)
	if err != nil {
		return err
	}
	ok := false
	if x.Password != "" {
		ok, _, err = access.CheckPassword(x.Password, old)
	}
	hash := ""
	if ok && err == nil {
		hash = access.HashPassword(fresh)
	}
	done()
	if err != nil {
		return err
	}
	if !ok {
		return d.refuse(ctx, a.ID, "password_change")
	}
	return d.c.Store.SetPassword(ctx, actor(a.ID), a.ID, hash)
}
