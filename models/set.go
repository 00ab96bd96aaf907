package models

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

const (
	maxModel    = 1 << 30 // no file of weights here is near 1 GiB
	maxManifest = 1 << 20
)

// MissingError says that a model's file is not installed.
type MissingError struct{ Role, File, Dir, Profile string }

func (e *MissingError) Error() string {
	fetch := "proofline models fetch"
	if e.Profile == Zoo {
		fetch += " --profile zoo"
	}
	if e.File == "" {
		return fmt.Sprintf("no model for role %s in the chosen profile", e.Role)
	}
	return fmt.Sprintf("model %s: %s is not in %s; run `%s`, or put the file there", e.Role, e.File, e.Dir, fetch)
}

// MismatchError says that a file is not the one the manifest names.
type MismatchError struct {
	Role, File, Where     string
	WantSize, GotSize     int64
	WantSHA256, GotSHA256 string // GotSHA256 is empty when the size alone settled it
}

func (e *MismatchError) Error() string {
	if e.GotSHA256 == "" {
		return fmt.Sprintf("model %s: %s from %s has %d bytes, the manifest says %d: refused", e.Role, e.File, e.Where, e.GotSize, e.WantSize)
	}
	return fmt.Sprintf("model %s: %s from %s has SHA-256 %s, the manifest says %s: refused", e.Role, e.File, e.Where, e.GotSHA256, e.WantSHA256)
}

// Set is a directory of models whose present files have been verified.
type Set struct {
	dir     string
	models  []Model
	missing map[string]bool
}

// Open verifies the digest of every model of the profile that is in dir ("" is
// [DefaultDir]). A file that is absent is no error until its role is asked
// for; a file that is not the manifest's is a *[MismatchError]. The zoo adds
// to the default profile: Open of "zoo" offers the roles of both.
func Open(dir, profile string) (*Set, error) {
	if dir == "" {
		dir = DefaultDir()
	}
	if profile == Zoo {
		profile = All
	}
	ms, err := listed(dir, profile)
	if err != nil {
		return nil, err
	}
	s := &Set{dir: dir, models: ms, missing: map[string]bool{}}
	for _, m := range ms {
		switch err := verifyFile(filepath.Join(dir, m.File), m); {
		case errors.Is(err, fs.ErrNotExist):
			s.missing[m.Role] = true
		case err != nil:
			return nil, err
		}
	}
	return s, nil
}

// Has reports whether the file of a role is in dir, without reading it.
func Has(dir, role string) bool {
	ms, err := listed(dir, All)
	if err != nil {
		return false
	}
	i := slices.IndexFunc(ms, func(m Model) bool { return m.Role == role })
	if i < 0 {
		return false
	}
	_, err = os.Stat(filepath.Join(dir, ms[i].File))
	return err == nil
}

// Dir returns the directory the set was opened on.
func (s *Set) Dir() string { return s.dir }

// Path returns the verified file of a role, or a *[MissingError].
func (s *Set) Path(role string) (string, error) {
	m, ok := s.Model(role)
	if !ok {
		return "", &MissingError{Role: role, Dir: s.dir}
	}
	if s.missing[role] {
		return "", &MissingError{Role: role, File: m.File, Dir: s.dir, Profile: m.Profile}
	}
	return filepath.Join(s.dir, m.File), nil
}

// Model returns the manifest entry of a role.
func (s *Set) Model(role string) (Model, bool) {
	i := slices.IndexFunc(s.models, func(m Model) bool { return m.Role == role })
	if i < 0 {
		return Model{}, false
	}
	return s.models[i], true
}

// Refs names the installed models of the given roles, or all of them.
func (s *Set) Refs(roles ...string) []Ref {
	var out []Ref
	for _, m := range s.models {
		if s.missing[m.Role] || (len(roles) > 0 && !slices.Contains(roles, m.Role)) {
			continue
		}
		out = append(out, Ref{Role: m.Role, Name: m.Name, SHA256: m.SHA256})
	}
	return out
}

// listed is the built-in manifest overlaid with the operator's own, if dir has
// a manifest.yaml: an entry there replaces the built-in entry of its role.
func listed(dir, profile string) ([]Model, error) {
	all := Manifest()
	path := filepath.Join(dir, "manifest.yaml")
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return selectProfile(all, profile)
	case err != nil:
		return nil, fmt.Errorf("read the operator's model manifest: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("read the operator's model manifest: %w", err)
	}
	if len(b) > maxManifest {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxManifest)
	}
	own, err := parseManifest(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, m := range own {
		if i := slices.IndexFunc(all, func(a Model) bool { return a.Role == m.Role }); i >= 0 {
			m.Profile = all[i].Profile
			all[i] = m
			continue
		}
		if m.Profile == "" {
			m.Profile = Default
		}
		all = append(all, m)
	}
	return selectProfile(all, profile)
}

// verifyFile reads at most the expected size, so a wrong file costs no more
// than the right one.
func verifyFile(path string, m Model) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("verify model %s: %w", m.Role, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("verify model %s: %w", m.Role, err)
	}
	mismatch := &MismatchError{Role: m.Role, File: m.File, Where: filepath.Dir(path), WantSize: m.Size, GotSize: st.Size(), WantSHA256: m.SHA256}
	if !st.Mode().IsRegular() || st.Size() != m.Size {
		return mismatch
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, m.Size+1))
	if err != nil {
		return fmt.Errorf("verify model %s: %w", m.Role, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != m.Size || got != m.SHA256 {
		mismatch.GotSize, mismatch.GotSHA256 = n, got
		return mismatch
	}
	return nil
}
