package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ReadSecretFile reads a small file of keys. It refuses one that others than its
// owner may read or write; one of root's may be read by a group, when this process
// is not root: that is how Kubernetes hands a Secret to a user that is none.
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
	owner := os.Geteuid()
	if st, ok := i.Sys().(*syscall.Stat_t); ok {
		owner = int(st.Uid)
	}
	if p := i.Mode().Perm(); !keptSecret(p, owner, os.Geteuid()) {
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

// keptSecret is PostgreSQL's rule for key files, too: mode 0600 or less, or 0640 or
// less for a file of root's.
func keptSecret(p fs.FileMode, owner, self int) bool {
	if owner == 0 && self != 0 {
		return p&0o137 == 0
	}
	return p&0o077 == 0
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
