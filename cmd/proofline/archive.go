package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/proofline/proofline/policy"
)

// archive keeps every policy that was in force, by the hash of its rules. A
// session is decided by the policy that it began with, also when the file was
// changed in between.
type archive struct {
	dir string

	mu    sync.Mutex
	known map[string]*policy.Policy
}

func (s settings) openArchive() (*archive, error) {
	dir := s.Archive
	if dir == "" {
		dir = filepath.Join(s.DataDir, "policies")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make policy archive: %w", err)
	}
	return &archive{dir: dir, known: map[string]*policy.Policy{}}, nil
}

// add keeps the text of p. It is on disk before the first session can name it.
func (a *archive) add(p *policy.Policy, text []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[p.Hash()] = p
	path := a.path(p.Hash())
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	f, err := os.CreateTemp(a.dir, "new-*")
	if err != nil {
		return fmt.Errorf("archive policy: %w", err)
	}
	defer os.Remove(f.Name()) // fails, as it should, once the file was renamed
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("archive policy: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("archive policy: %w", err)
	}
	// Without it the name may be gone after a power cut, and with it the policy
	// that the cases begun since are decided by.
	dir, err := os.Open(a.dir)
	if err != nil {
		return fmt.Errorf("archive policy: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("archive policy: %w", err)
	}
	return nil
}

func (a *archive) path(hash string) string { return filepath.Join(a.dir, hash+".yaml") }

// find returns the policy with the hash.
func (a *archive) find(hash string) (*policy.Policy, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.known[hash]; p != nil {
		return p, nil
	}
	if b, err := hex.DecodeString(hash); err != nil || len(b) != 32 {
		return nil, errors.New("find policy: not a hash")
	}
	p, err := policy.Load(a.path(hash))
	if err != nil {
		return nil, fmt.Errorf("find policy %s: %w", hash, err)
	}
	if p.Hash() != hash {
		return nil, fmt.Errorf("find policy %s: the archived file was changed", hash)
	}
	a.known[hash] = p
	return p, nil
}

// current is the configured policy, archived.
func (s settings) current(a *archive) (*policy.Policy, error) {
	text := policy.DefaultYAML()
	if s.Policy.File != "" {
		var err error
		if text, err = os.ReadFile(s.Policy.File); err != nil {
			return nil, fmt.Errorf("read policy: %w", err)
		}
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", s.Policy.File, err)
	}
	return p, a.add(p, text)
}
