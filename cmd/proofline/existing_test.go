package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofline/proofline/policy"
)

func TestCommandsThatWorkOnASystemMakeNone(t *testing.T) {
	const id = "ses_00000000000000000000000000"
	for _, args := range [][]string{
		{"retention", "sweep"}, {"storage", "check"}, {"storage", "apply-lifecycle", "--dry-run"}, {"storage", "restore-check", filepath.Join(t.TempDir(), "log")}, {"receipt", id},
	} {
		dir := filepath.Join(t.TempDir(), "mistyped")
		out, err := program(append(args, "--data-dir", dir)...).CombinedOutput()
		said := strings.Contains(string(out), "no Proofline system is there") || args[1] == "apply-lifecycle" || args[1] == "restore-check" // fail before that
		if err == nil || !said {
			t.Errorf("%v: %v %s", args, err, out)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%v made the directory", args)
		}
	}
}

func TestASystemWhoseKeyringIsElsewhereIsNotGivenAnotherOne(t *testing.T) {
	ctx := context.Background()
	s := settings{DataDir: t.TempDir(), Storage: storageSettings{Driver: "fs"}}
	n, err := s.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err = s.openExisting(ctx); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.keyringFile()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.openExisting(ctx); err == nil || !strings.Contains(err.Error(), "keyring") {
		t.Errorf("without its keyring: %v", err)
	}
	if _, err := os.Stat(s.keyringFile()); !errors.Is(err, os.ErrNotExist) {
		t.Error("a new keyring was made")
	}
}

func TestConfigChecksTheKeyringAsAStartDoes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "keyring")
	if err := os.WriteFile(path, []byte("no keyring\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := program("config", "--data-dir", dir).CombinedOutput(); err == nil || !strings.Contains(string(out), "keyring") {
		t.Errorf("a damaged keyring: %v\n%s", err, out)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if out, err := program("config", "--data-dir", dir).CombinedOutput(); err != nil {
		t.Errorf("before the first start: %v\n%s", err, out)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("config made a keyring")
	}
}

// Releases before the archive in the session store kept policies as files, in the
// data directory unless policy-archive named another one.
func TestPoliciesThatAnOlderReleaseKeptAsFilesAreStillFound(t *testing.T) {
	ctx := context.Background()
	s := settings{DataDir: t.TempDir(), Storage: storageSettings{Driver: "fs"}}
	n, err := s.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	text := []byte(strings.Replace(string(policy.DefaultYAML()), "version:", "# of another time\nversion:", 1) + "\ncells:\n  - {name: old, match: {jurisdiction: CH}, residency: ch-1}\n")
	old, err := policy.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	a := newArchive(n.store, s.DataDir)
	if _, err := a.find(ctx, old.Hash()); err == nil {
		t.Fatal("it is found before it is there")
	}
	dir := filepath.Join(s.DataDir, "policies")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, old.Hash()+".yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := a.find(ctx, old.Hash()); err != nil || p.Hash() != old.Hash() {
		t.Errorf("%v", err)
	}
	// A file that was changed is not that policy.
	if err := os.WriteFile(file, policy.DefaultYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newArchive(n.store, s.DataDir).find(ctx, old.Hash()); err == nil {
		t.Error("another policy passes under its hash")
	}
}
