package storage

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/crypto/chacha20poly1305"
)

// LoadKeyFile reads a key file. It refuses one that others than its owner may
// read or write.
func LoadKeyFile(path string) (*LocalKeys, error) {
	return loadKeyFile(context.Background(), path, nil)
}

func loadKeyFile(ctx context.Context, path string, sealer Sealer) (*LocalKeys, error) {
	text, err := ReadSecretFile(path)
	if err != nil {
		return nil, err
	}
	l, err := ParseSealedKeys(ctx, text, sealer)
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	return l, nil
}

// OpenOrCreateKeyFile loads a key file and makes one with a fresh key where
// there is none. Callers make sure that no evidence exists yet when they let
// it create: a new key reads nothing old.
func OpenOrCreateKeyFile(path string) (*LocalKeys, error) {
	l, err := LoadKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return l, err
	}
	if err := createKeyFile(context.Background(), path, nil); err != nil {
		return nil, err
	}
	return LoadKeyFile(path)
}

// createKeyFile makes a key file. Two first starts at once share the key of the
// faster one.
func createKeyFile(ctx context.Context, path string, sealer Sealer) error {
	_, line, err := newKeyLine(ctx, sealer)
	if err != nil {
		return err
	}
	if err := CreateSecretFile(path, keyHeader+line); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

func newKeyLine(ctx context.Context, sealer Sealer) (id, line string, err error) {
	key := make([]byte, chacha20poly1305.KeySize)
	rand.Read(key)
	defer clear(key)
	id = "k" + strings.ToLower(rand.Text()[:10])
	if sealer == nil {
		return id, id + " " + base64.StdEncoding.EncodeToString(key) + "\n", nil
	}
	sealed, err := sealer.Seal(ctx, id, key)
	if err != nil {
		return "", "", fmt.Errorf("seal a new key: %w", err)
	}
	return id, id + " " + sealedMark + base64.StdEncoding.EncodeToString(sealed) + "\n", nil
}

// KeyFile is a keyring in a file that may change while it is in use: a data key
// that a key wraps which was added meanwhile makes it read the file again.
type KeyFile struct {
	path   string
	sealer Sealer

	mu   sync.RWMutex
	keys *LocalKeys
	seen os.FileInfo
}

// OpenKeyFile reads a key file; fs.ErrNotExist when there is none, unless create
// is set. sealer may be nil.
func OpenKeyFile(ctx context.Context, path string, sealer Sealer, create bool) (*KeyFile, error) {
	f := &KeyFile{path: path, sealer: sealer}
	_, err := f.Refresh(ctx)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err = createKeyFile(ctx, path, sealer); err == nil {
			_, err = f.Refresh(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Refresh reads the file again if it was changed. On an error the keys that were
// read before stay.
func (f *KeyFile) Refresh(ctx context.Context) (changed bool, err error) {
	i, err := os.Stat(f.path)
	if err != nil {
		return false, fmt.Errorf("stat key file: %w", err)
	}
	f.mu.RLock()
	seen := f.seen
	f.mu.RUnlock()
	if seen != nil && os.SameFile(seen, i) && seen.ModTime().Equal(i.ModTime()) && seen.Size() == i.Size() {
		return false, nil
	}
	l, err := loadKeyFile(ctx, f.path, f.sealer)
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys, f.seen = l, i
	return true, nil
}

func (f *KeyFile) now() *LocalKeys {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.keys
}

// Primary implements Keyring.
func (f *KeyFile) Primary() string { return f.now().Primary() }

// IDs lists the keys by name.
func (f *KeyFile) IDs() []string { return f.now().IDs() }

// Wrap implements Keyring.
func (f *KeyFile) Wrap(ctx context.Context, dek, ad []byte) (string, []byte, error) {
	return f.now().Wrap(ctx, dek, ad)
}

// Unwrap implements Keyring.
func (f *KeyFile) Unwrap(ctx context.Context, keyID string, wrapped, ad []byte) ([]byte, error) {
	dek, err := f.now().Unwrap(ctx, keyID, wrapped, ad)
	var unknown *UnknownKeyError
	if !errors.As(err, &unknown) {
		return dek, err
	}
	if changed, rerr := f.Refresh(ctx); rerr != nil || !changed {
		return nil, errors.Join(err, rerr)
	}
	return f.now().Unwrap(ctx, keyID, wrapped, ad)
}

// Add puts a fresh key into the file, before the primary key, so that it wraps
// nothing yet: every machine can be given it first. It returns its id.
func (f *KeyFile) Add(ctx context.Context) (string, error) {
	id, line, err := newKeyLine(ctx, f.sealer)
	if err != nil {
		return "", err
	}
	return id, f.edit(ctx, func(lines []string, primary int) ([]string, error) {
		return slices.Insert(lines, primary, strings.TrimSuffix(line, "\n")), nil
	})
}

// Promote makes a key of the file the primary one.
func (f *KeyFile) Promote(ctx context.Context, id string) error {
	return f.edit(ctx, func(lines []string, _ int) ([]string, error) {
		i := lineOf(lines, id)
		if i < 0 {
			return nil, &UnknownKeyError{id}
		}
		line := lines[i]
		return append(slices.Delete(lines, i, i+1), line), nil
	})
}

// Remove takes a key out of the file for good. The caller makes sure that it
// wraps nothing. The primary key can not be removed.
func (f *KeyFile) Remove(ctx context.Context, id string) error {
	return f.edit(ctx, func(lines []string, primary int) ([]string, error) {
		i := lineOf(lines, id)
		if i < 0 {
			return nil, &UnknownKeyError{id}
		}
		if i == primary {
			return nil, errors.New("it is the primary key")
		}
		return slices.Delete(lines, i, i+1), nil
	})
}

func lineOf(lines []string, id string) int {
	return slices.IndexFunc(lines, func(l string) bool {
		f := strings.Fields(l)
		return len(f) == 2 && f[0] == id
	})
}

// edit changes the lines of the file under a lock, checks the outcome and puts it
// in place whole. primary is the index of the last key's line.
func (f *KeyFile) edit(ctx context.Context, change func(lines []string, primary int) ([]string, error)) error {
	unlock, err := lockDir(filepath.Dir(f.path))
	if err != nil {
		return fmt.Errorf("change key file: %w", err)
	}
	defer unlock()
	text, err := ReadSecretFile(f.path)
	if err != nil {
		return err
	}
	if strings.Contains(text, ",") {
		return fmt.Errorf("change key file %s: several keys on one line; give each a line of its own", f.path)
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	keys, err := ParseSealedKeys(ctx, text, f.sealer)
	if err != nil {
		return fmt.Errorf("change key file %s: %w", f.path, err)
	}
	if lines, err = change(lines, lineOf(lines, keys.Primary())); err != nil {
		return fmt.Errorf("change key file %s: %w", f.path, err)
	}
	text = strings.Join(lines, "\n") + "\n"
	if _, err := ParseSealedKeys(ctx, text, f.sealer); err != nil {
		return fmt.Errorf("change key file %s: %w", f.path, err)
	}
	if err := writeKeyFile(f.path, text, os.Rename); err != nil {
		return fmt.Errorf("write key file: %w", err)
	}
	_, err = f.Refresh(ctx)
	return err
}

// lockDir keeps two commands from changing files of a directory at once.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", dir, err), d.Close())
	}
	return func() { d.Close() }, nil
}
