package storage

import (
	"bufio"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// Keyring wraps data keys. ad is authenticated with the wrapped key.
type Keyring interface {
	// Wrap wraps a data key under the primary key and names that key.
	Wrap(ctx context.Context, dek, ad []byte) (keyID string, wrapped []byte, err error)
	// Unwrap undoes Wrap; *UnknownKeyError when keyID is not in the ring.
	Unwrap(ctx context.Context, keyID string, wrapped, ad []byte) ([]byte, error)
	// Primary names the key that Wrap uses.
	Primary() string
}

// UnknownKeyError says which key-encryption key is missing.
type UnknownKeyError struct{ KeyID string }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("key %q is not in the keyring: add the key file or environment that holds it", e.KeyID)
}

// Sealer is an external key service (a KMS) that keeps the keyring's own keys
// sealed: the file then holds nothing that is of use without it. It is asked once
// per key at start, not for each object, so an outage of the service stops no
// running server. Package kms has one.
type Sealer interface {
	// Seal encrypts a key; id is authenticated with it.
	Seal(ctx context.Context, id string, key []byte) ([]byte, error)
	// Open undoes Seal.
	Open(ctx context.Context, id string, sealed []byte) ([]byte, error)
}

// ErrSealed tells that a key is sealed by an external key service and none is
// configured.
var ErrSealed = errors.New("the key is sealed by an external key service, and none is configured")

// LocalKeys is a keyring of keys held in memory. Its text form has one key a
// line, an id and 32 bytes in base64, or "kms:" and in base64 what a Sealer made
// of them; the last line is the primary key, '#' starts a comment. Wrapping is
// XChaCha20-Poly1305, whose random nonces of 24 bytes allow any number of data
// keys.
type LocalKeys struct {
	primary string
	keys    map[string]cipher.AEAD
}

var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

const (
	sealedMark = "kms:"
	maxKeyText = 64 << 10
	keyHeader  = "# Proofline key-encryption keys: id and key. The last line wraps new data keys.\n" +
		"# Whoever reads this file can read all evidence; without it nobody can.\n"
)

// ParseKeys reads the text form; it is how keys come from the environment
// (where ',' may stand for the end of a line).
func ParseKeys(text string) (*LocalKeys, error) {
	return ParseSealedKeys(context.Background(), text, nil)
}

// ParseSealedKeys is ParseKeys for a text in which keys are sealed.
func ParseSealedKeys(ctx context.Context, text string, sealer Sealer) (*LocalKeys, error) {
	l := &LocalKeys{keys: map[string]cipher.AEAD{}}
	s := bufio.NewScanner(strings.NewReader(text))
	for n := 1; s.Scan(); n++ {
		if strings.HasPrefix(strings.TrimSpace(s.Text()), "#") {
			continue
		}
		for _, entry := range strings.Split(s.Text(), ",") {
			f := strings.Fields(entry)
			if len(f) == 0 {
				continue
			}
			// No part of a line is repeated in an error: it may be a key.
			if len(f) != 2 || !keyName.MatchString(f[0]) {
				return nil, fmt.Errorf("keyring line %d: want an id (a-z, 0-9, '-', '_', '.') and a key in base64", n)
			}
			text, sealed := strings.CutPrefix(f[1], sealedMark)
			raw, err := base64.StdEncoding.DecodeString(text)
			if sealed && err == nil {
				if sealer == nil {
					return nil, fmt.Errorf("keyring line %d: key %q: %w", n, f[0], ErrSealed)
				}
				if raw, err = sealer.Open(ctx, f[0], raw); err != nil {
					return nil, fmt.Errorf("keyring line %d: open sealed key %q: %w", n, f[0], err)
				}
			}
			if err != nil || len(raw) != chacha20poly1305.KeySize {
				return nil, fmt.Errorf("keyring line %d: the key is not base64 of %d bytes", n, chacha20poly1305.KeySize)
			}
			if l.keys[f[0]] != nil {
				return nil, fmt.Errorf("keyring line %d: key %q is there twice", n, f[0])
			}
			if l.keys[f[0]], err = chacha20poly1305.NewX(raw); err != nil {
				return nil, fmt.Errorf("keyring line %d: %w", n, err)
			}
			clear(raw)
			l.primary = f[0]
		}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("read keyring: %w", err)
	}
	if l.primary == "" {
		return nil, errors.New("keyring holds no key")
	}
	return l, nil
}

// IDs lists the keys by name.
func (l *LocalKeys) IDs() []string { return slices.Sorted(maps.Keys(l.keys)) }

// Primary implements Keyring.
func (l *LocalKeys) Primary() string { return l.primary }

// Wrap implements Keyring.
func (l *LocalKeys) Wrap(_ context.Context, dek, ad []byte) (string, []byte, error) {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(dek)+chacha20poly1305.Overhead)
	rand.Read(nonce)
	return l.primary, l.keys[l.primary].Seal(nonce, nonce, dek, ad), nil
}

// Unwrap implements Keyring.
func (l *LocalKeys) Unwrap(_ context.Context, keyID string, wrapped, ad []byte) ([]byte, error) {
	k := l.keys[keyID]
	if k == nil {
		return nil, &UnknownKeyError{keyID}
	}
	if len(wrapped) < chacha20poly1305.NonceSizeX {
		return nil, fmt.Errorf("unwrap data key: %w", ErrCorrupt)
	}
	n := chacha20poly1305.NonceSizeX
	dek, err := k.Open(nil, wrapped[:n], wrapped[n:], ad)
	if err != nil {
		return nil, fmt.Errorf("unwrap data key with key %q: %w", keyID, ErrMismatch)
	}
	return dek, nil
}
