package storage

import (
	"bufio"
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
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

// LocalKeys is a keyring of keys held in memory. Its text form has one key a
// line, an id and 32 bytes in base64; the last line is the primary key, '#'
// starts a comment. Wrapping is XChaCha20-Poly1305, whose random nonces of 24
// bytes allow any number of data keys.
type LocalKeys struct {
	primary string
	keys    map[string]cipher.AEAD
}

var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

const (
	maxKeyText = 64 << 10
	keyHeader  = "# Proofline key-encryption keys: id and key. The last line wraps new data keys.\n" +
		"# Whoever reads this file can read all evidence; without it nobody can.\n"
)

// ParseKeys reads the text form; it is how keys come from the environment
// (where ',' may stand for the end of a line).
func ParseKeys(text string) (*LocalKeys, error) {
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
			raw, err := base64.StdEncoding.DecodeString(f[1])
			if err != nil || len(raw) != chacha20poly1305.KeySize {
				return nil, fmt.Errorf("keyring line %d: the key is not base64 of %d bytes", n, chacha20poly1305.KeySize)
			}
			if l.keys[f[0]] != nil {
				return nil, fmt.Errorf("keyring line %d: key %q is there twice", n, f[0])
			}
			if l.keys[f[0]], err = chacha20poly1305.NewX(raw); err != nil {
				return nil, fmt.Errorf("keyring line %d: %w", n, err)
			}
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

// LoadKeyFile reads a key file. It refuses one that others than its owner may
// read or write.
func LoadKeyFile(path string) (*LocalKeys, error) {
	text, err := ReadSecretFile(path)
	if err != nil {
		return nil, err
	}
	l, err := ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return l, nil
}

// ReadSecretFile reads a small file of keys. It refuses one that others than its
// owner may read or write.
func ReadSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open key file: %w", err)
	}
	defer f.Close()
	i, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("stat key file: %w", err)
	}
	if !i.Mode().IsRegular() {
		return "", fmt.Errorf("key file %s is no regular file", path)
	}
	if p := i.Mode().Perm(); p&0o077 != 0 {
		return "", fmt.Errorf("key file %s has mode %04o: others may read it; chmod 600 it, and replace its keys if they may have been seen", path, p)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyText+1))
	if err != nil {
		return "", fmt.Errorf("read key file: %w", err)
	}
	if len(b) > maxKeyText {
		return "", fmt.Errorf("key file %s is larger than %d bytes", path, maxKeyText)
	}
	return string(b), nil
}

// OpenOrCreateKeyFile loads a key file and makes one with a fresh key where
// there is none. Callers make sure that no evidence exists yet when they let
// it create: a new key reads nothing old.
func OpenOrCreateKeyFile(path string) (*LocalKeys, error) {
	l, err := LoadKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return l, err
	}
	// Two first starts at once share the key of the faster one.
	if err := CreateSecretFile(path, keyHeader+newKeyLine()); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return LoadKeyFile(path)
}

// CreateSecretFile makes a file with mode 0600 that is there completely or not
// at all; fs.ErrExist when there is one already.
func CreateSecretFile(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make directory of key file: %w", err)
	}
	if err := writeKeyFile(path, text, os.Link); err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	return nil
}

// AddKey appends a fresh primary key to a key file and returns its id; the
// older keys stay and still unwrap. Vault.Rewrap moves data keys over.
func AddKey(path string) (string, error) {
	text, err := ReadSecretFile(path)
	if err != nil {
		return "", err
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	line := newKeyLine()
	if _, err := ParseKeys(text + line); err != nil {
		return "", fmt.Errorf("key file %s: %w", path, err)
	}
	if err := writeKeyFile(path, text+line, os.Rename); err != nil {
		return "", fmt.Errorf("write key file: %w", err)
	}
	return strings.Fields(line)[0], nil
}

func newKeyLine() string {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key)
	return "k" + strings.ToLower(rand.Text()[:10]) + " " + base64.StdEncoding.EncodeToString(key) + "\n"
}

// writeKeyFile writes a temporary file and puts it in place with place.
func writeKeyFile(path, text string, place func(from, to string) error) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(text)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	if err := place(temp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

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
