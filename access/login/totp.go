package login

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// totpPurpose binds sealed authenticator secrets to what they are.
const totpPurpose = "login authenticator secret"

// TOTPPurpose is the purpose of an account's sealed authenticator secret, for
// whoever seals it again under another key.
func TOTPPurpose(account string) string { return totpPurpose + " " + account }

// Time steps as in RFC 6238; one step of clock skew either way (section 5.2).
const (
	totpPeriod = 30
	totpSkew   = 1
)

// Setup is a new authenticator secret, to be shown once and confirmed by a code.
type Setup struct {
	Secret string // base 32
	URL    string // otpauth://
}

// NewTOTP makes a secret; nothing is kept until ConfirmTOTP.
func (d *Door) NewTOTP(a session.Account) (Setup, error) {
	if d.c.Keyring == nil {
		return Setup{}, errors.New("set up authenticator: there is no keyring")
	}
	raw := make([]byte, 20) // RFC 4226 section 4, R6: 160 bits
	rand.Read(raw)
	k, err := totp.Generate(totp.GenerateOpts{Issuer: "Proofline", AccountName: a.Name, Period: totpPeriod, Secret: raw})
	if err != nil {
		return Setup{}, fmt.Errorf("set up authenticator: %w", err)
	}
	return Setup{Secret: k.Secret(), URL: k.URL()}, nil
}

// Proof is what a person shows again, though logged in, before a change that
// outlasts the login: a login that was left open or stolen must not suffice.
type Proof struct {
	Password string
	Code     string // of the present authenticator, where there is one
}

// prove checks a proof. Wrong ones count as wrong logins. ErrRefused, ErrCode when
// only the code is missing, *WaitError.
func (d *Door) prove(ctx context.Context, a session.Account, p Proof, what string) error {
	tries := session.TriesOfAccount(a.Name)
	wait, wrong, err := d.c.Store.TryLogin(ctx, tries, 0, access.Backoff)
	if err != nil {
		return err
	}
	if wait > 0 {
		return &WaitError{wait}
	}
	found, x, err := d.c.Store.AccountByName(ctx, a.Name)
	if err != nil {
		return err
	}
	ok := false
	if found.ID == a.ID && x.Password != "" && wrong <= access.CloseAfter {
		done, err := d.hashing(ctx)
		if err != nil {
			return err
		}
		ok, _, err = access.CheckPassword(x.Password, p.Password)
		done()
		if err != nil {
			return err
		}
	}
	if ok && len(x.TOTP) > 0 {
		if strings.TrimSpace(p.Code) == "" {
			return errors.Join(ErrCode, d.c.Store.TakeBackTry(ctx, tries))
		}
		if ok, err = d.checkCode(ctx, a.ID, x, p.Code); err != nil {
			return err
		}
	}
	if !ok {
		return d.refuse(ctx, a.ID, what)
	}
	return d.c.Store.ClearTries(ctx, tries)
}

// ConfirmTOTP keeps a secret once a code shows that the app has it. Who has an
// authenticator already shows a code of that one in the proof.
func (d *Door) ConfirmTOTP(ctx context.Context, a session.Account, p Proof, secret, code string) error {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil || len(raw) != 20 || d.c.Keyring == nil {
		return ErrRefused
	}
	step, ok := matchCode(secret, code, d.c.Now())
	if !ok {
		return ErrRefused
	}
	if err := d.prove(ctx, a, p, "authenticator_change"); err != nil {
		return err
	}
	sealed, err := storage.SealSecret(ctx, d.c.Keyring, TOTPPurpose(a.ID), []byte(secret))
	if err != nil {
		return fmt.Errorf("keep authenticator: %w", err)
	}
	if err := d.c.Store.SetTOTP(ctx, actor(a.ID), a.ID, sealed); err != nil {
		return err
	}
	_, err = d.c.Store.UseTOTPStep(ctx, a.ID, step)
	return err
}

// RemoveTOTP takes the second factor away from who can still show it.
func (d *Door) RemoveTOTP(ctx context.Context, a session.Account, p Proof) error {
	if err := d.prove(ctx, a, p, "authenticator_removal"); err != nil {
		return err
	}
	return d.c.Store.SetTOTP(ctx, actor(a.ID), a.ID, nil)
}

// checkCode accepts each code once (RFC 6238 section 5.2).
func (d *Door) checkCode(ctx context.Context, account string, x session.Secrets, code string) (bool, error) {
	if d.c.Keyring == nil {
		return false, errors.New("check authenticator code: there is no keyring")
	}
	secret, err := storage.OpenSecret(ctx, d.c.Keyring, TOTPPurpose(account), x.TOTP)
	if err != nil {
		return false, fmt.Errorf("check authenticator code: %w", err)
	}
	defer clear(secret)
	step, ok := matchCode(string(secret), code, d.c.Now())
	if !ok {
		return false, nil
	}
	return d.c.Store.UseTOTPStep(ctx, account, step)
}

// matchCode finds the time step of a code, of the few that are valid now.
func matchCode(secret, code string, now time.Time) (step int64, ok bool) {
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	if len(code) != 6 {
		return 0, false
	}
	current := now.Unix() / totpPeriod
	for i := current - totpSkew; i <= current+totpSkew; i++ {
		want, err := totp.GenerateCodeCustom(secret, time.Unix(i*totpPeriod, 0), totp.ValidateOpts{Period: totpPeriod, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return i, true
		}
	}
	return 0, false
}
