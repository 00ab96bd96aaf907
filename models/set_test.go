package models

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ownDir is a directory with an operator's manifest that replaces face-embed
// and adds a role, so that small files can stand for models.
func ownDir(t *testing.T) (dir string, embed, extra []byte) {
	t.Helper()
	dir = t.TempDir()
	embed, extra = weights(700), weights(300)
	var b strings.Builder
	b.WriteString("models:\n")
	for _, m := range []Model{entry("face-embed", embed), entry("extra", extra)} {
		fmt.Fprintf(&b, "  - {role: %s, name: own %s, file: %s, sha256: %s, size: %d, licence: ours, provenance: our own}\n", m.Role, m.Role, m.File, m.SHA256, m.Size)
	}
	write(t, filepath.Join(dir, "manifest.yaml"), []byte(b.String()))
	write(t, filepath.Join(dir, "face-embed.onnx"), embed)
	return dir, embed, extra
}

func TestOpenHandsOutVerifiedFilesAndNamesWhatIsMissing(t *testing.T) {
	dir, _, _ := ownDir(t)
	s, err := Open(dir, Default)
	if err != nil {
		t.Fatal(err)
	}
	if path, err := s.Path("face-embed"); err != nil || path != filepath.Join(dir, "face-embed.onnx") {
		t.Errorf("%s, %v", path, err)
	}
	var missing *MissingError
	if _, err := s.Path("liveness"); !errors.As(err, &missing) || !strings.Contains(err.Error(), "proofline models fetch") {
		t.Errorf("a missing model: %v", err)
	}
	if _, err := s.Path("no-such-role"); !errors.As(err, &missing) {
		t.Errorf("an unknown role: %v", err)
	}
	if refs := s.Refs(); len(refs) != 1 || refs[0].Role != "face-embed" || refs[0].Name != "own face-embed" {
		t.Errorf("refs: %v", refs)
	}
	if refs := s.Refs("liveness"); len(refs) != 0 {
		t.Errorf("refs of a missing model: %v", refs)
	}
}

func TestOpenRefusesAFileThatIsNotTheManifests(t *testing.T) {
	dir, embed, _ := ownDir(t)
	for name, content := range map[string][]byte{
		"cut":     embed[:10],
		"longer":  append(bytes.Clone(embed), 1),
		"changed": append(bytes.Clone(embed[:len(embed)-1]), embed[len(embed)-1]^1),
	} {
		write(t, filepath.Join(dir, "face-embed.onnx"), content)
		_, err := Open(dir, Default)
		var mismatch *MismatchError
		if !errors.As(err, &mismatch) || mismatch.Role != "face-embed" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "face-embed.onnx")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "face-embed.onnx"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Default); err == nil {
		t.Error("a directory is taken for a model")
	}
}

func TestOpenOfTheZooAddsToTheDefaultProfile(t *testing.T) {
	s, err := Open(t.TempDir(), Zoo)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"mrz-ocr", "liveness-v2"} {
		if _, ok := s.Model(role); !ok {
			t.Errorf("no role %s", role)
		}
	}
	_, err = s.Path("liveness-v2")
	if err == nil || !strings.Contains(err.Error(), "--profile zoo") {
		t.Errorf("the error does not say which profile to fetch: %v", err)
	}
	if _, err := Open(t.TempDir(), "everything"); err == nil {
		t.Error("an unknown profile is accepted")
	}
}

func TestVerifyTellsTheStateOfEveryFile(t *testing.T) {
	dir, _, _ := ownDir(t)
	write(t, filepath.Join(dir, "extra.onnx"), []byte("x"))
	list, err := Verify(dir, Default)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, s := range list {
		got[s.Role] = s.State
	}
	if got["face-embed"] != "ok" || got["extra"] != "mismatch" || got["liveness"] != "missing" || len(got) != 7 {
		t.Errorf("%v", got)
	}
	var table, lines bytes.Buffer
	if err := errors.Join(WriteStatus(&table, list, false), WriteStatus(&lines, list, true)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "the manifest says 300: refused") {
		t.Errorf("the table does not explain the mismatch:\n%s", table.String())
	}
	if n := strings.Count(lines.String(), "\n"); n != len(list) {
		t.Errorf("%d JSON lines for %d models", n, len(list))
	}
}

func TestABrokenOperatorManifestIsAnErrorThatNamesIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "manifest.yaml")
	for _, content := range []string{"models: {", "models: [{role: a}]", strings.Repeat("#", maxManifest+1)} {
		write(t, path, []byte(content))
		if _, err := Open(dir, Default); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%.20q: %v", content, err)
		}
	}
}

func TestTheSharedZooFilesAreTheManifests(t *testing.T) {
	dir := os.Getenv("PROOFLINE_ZOO")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "models")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("PROOFLINE_ZOO names no directory with files of the zoo profile")
	}
	list, err := Verify(dir, Zoo)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		if s.State == "mismatch" || s.State == "unreadable" {
			t.Error(s.Error)
		}
	}
}
