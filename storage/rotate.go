package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// keyringOf is the session of a data key that encrypts nothing: the first
// keyring that a store meets leaves it there.
const keyringOf = "keyring"

// MissingKeysError says which key-encryption keys wrap stored data keys and are
// not to be had, and what to do about it.
type MissingKeysError struct {
	Missing []KeyUse
	// Wrong names those of them whose id is in the keyring with another key.
	Wrong []string
}

func (e *MissingKeysError) Error() string {
	var b strings.Builder
	for i, k := range e.Missing {
		if i > 0 {
			b.WriteString("; ")
		}
		what := "is not in the keyring"
		for _, id := range e.Wrong {
			if id == k.KeyID {
				what = "is in the keyring with the same id, but is another key"
			}
		}
		fmt.Fprintf(&b, "key %q, which wraps %d data keys, %s", k.KeyID, k.Live, what)
	}
	b.WriteString(": restore the keyring that holds it from its backup, or copy it from a machine that has it; without it that evidence can not be read by anyone")
	return b.String()
}

// ErrNoDataKeys tells that evidence is stored and not one data key is.
var ErrNoDataKeys = errors.New("evidence is stored, but this key store holds no data key at all: it is not the one that this store was made with, or it was lost; restore its copy, or set keys.store to it")

// CheckKeys finds out whether the keyring fits what is stored: for every
// key-encryption key that wraps data keys it unwraps one. The first process to
// start leaves a data key, so that a second one with a keyring of its own is
// found before it stores anything. A keyring that does not fit is a
// *MissingKeysError.
func (v *Vault) CheckKeys(ctx context.Context) error {
	uses, err := v.keyIndex.KeysInUse(ctx)
	if err != nil {
		return fmt.Errorf("check keyring: %w", err)
	}
	if len(uses) == 0 {
		stored, err := v.index.LiveObjects(ctx, "", 1)
		if err != nil {
			return fmt.Errorf("check key store: %w", err)
		}
		if len(stored) > 0 {
			return fmt.Errorf("check key store: %w", ErrNoDataKeys)
		}
	}
	var missing MissingKeysError
	for _, u := range uses {
		rows, err := v.keyIndex.DataKeysUnder(ctx, u.KeyID, 1)
		if err != nil {
			return fmt.Errorf("check keyring: %w", err)
		}
		for _, k := range rows {
			dek, err := v.keys.Unwrap(ctx, k.KeyID, k.Wrapped, wrapAD(k.Session, k.Class))
			clear(dek)
			var unknown *UnknownKeyError
			switch {
			case errors.Is(err, ErrMismatch):
				missing.Wrong = append(missing.Wrong, u.KeyID)
				missing.Missing = append(missing.Missing, u)
			case errors.As(err, &unknown):
				missing.Missing = append(missing.Missing, u)
			case err != nil:
				return fmt.Errorf("check keyring: %w", err)
			}
		}
	}
	if len(missing.Missing) > 0 {
		return fmt.Errorf("check keyring: %w", &missing)
	}
	dek, err := v.dataKey(ctx, keyringOf, Consent, true)
	if err != nil {
		return fmt.Errorf("check keyring: %w", err)
	}
	clear(dek)
	return nil
}

// Rewrap moves every data key to the keyring's primary key, batch keys at a
// time, and returns how many it moved. Objects are not touched. It may be stopped
// and started again at any time, run more than once at the same time, and run
// while servers that hold both keys work. done, which may be nil, is told of
// each key.
func (v *Vault) Rewrap(ctx context.Context, batch int, done func()) (int, error) {
	if done == nil {
		done = func() {}
	}
	moved := 0
	for {
		uses, err := v.keyIndex.KeysInUse(ctx)
		if err != nil {
			return moved, fmt.Errorf("find data keys to re-wrap: %w", err)
		}
		before := moved
		for _, u := range uses {
			if u.KeyID == v.keys.Primary() {
				continue
			}
			n, err := v.rewrapUnder(ctx, u.KeyID, batch, done)
			if moved += n; err != nil {
				return moved, err
			}
		}
		if moved == before {
			break
		}
	}
	if moved == 0 {
		return 0, nil
	}
	// The wrapped form under the old key is not to be found any more either.
	if err := v.keyIndex.Scrub(ctx); err != nil {
		return moved, fmt.Errorf("re-wrap data keys: %w", err)
	}
	return moved, nil
}

// rewrapWidth is how many keys are moved at once: they share the commits of the
// database, and wait for an external key service.
const rewrapWidth = 16

func (v *Vault) rewrapUnder(ctx context.Context, id string, batch int, done func()) (int, error) {
	moved := 0
	for {
		rows, err := v.keyIndex.DataKeysUnder(ctx, id, batch)
		if err != nil {
			return moved, fmt.Errorf("find data keys to re-wrap: %w", err)
		}
		if len(rows) == 0 {
			return moved, nil
		}
		errs := make(chan error, len(rows))
		slots := make(chan struct{}, rewrapWidth)
		for _, k := range rows {
			slots <- struct{}{}
			go func() {
				defer func() { <-slots }()
				errs <- v.rewrap(ctx, k)
			}()
		}
		var first error
		for range rows {
			if err := <-errs; err == nil {
				moved++
				done()
			} else if first == nil {
				first = err
			}
		}
		if first != nil {
			return moved, fmt.Errorf("re-wrap data keys: %w", first)
		}
	}
}

func (v *Vault) rewrap(ctx context.Context, k DataKey) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ad := wrapAD(k.Session, k.Class)
	dek, err := v.keys.Unwrap(ctx, k.KeyID, k.Wrapped, ad)
	if err != nil {
		return fmt.Errorf("session %s: %w", k.Session, err)
	}
	defer clear(dek)
	old := k.KeyID
	if k.KeyID, k.Wrapped, err = v.keys.Wrap(ctx, dek, ad); err != nil {
		return fmt.Errorf("session %s: %w", k.Session, err)
	}
	// ErrNotFound: destroyed or moved by someone else meanwhile.
	if err := v.keyIndex.RewrapDataKey(ctx, old, k); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("session %s: %w", k.Session, err)
	}
	return nil
}
