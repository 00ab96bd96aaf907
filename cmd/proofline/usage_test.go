package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong with a command is said before anything is done, with exit
// status 2, and leaves nothing behind.
func TestWrongUsageSaysWhatWouldBeRight(t *testing.T) {
	dir := t.TempDir()
	manifest := filepath.Join(dir, "m.jsonl")
	if err := os.WriteFile(manifest, []byte("{\"file\":\"a.jpg\",\"label\":\"real\"}\n{\"image\":\"b.jpg\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	typo := filepath.Join(dir, "typo")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"specimen", dir, "--case", "goood"}, 2, "good, blurred, other_person, replay"},
		{[]string{"specimen", dir, "--with", "blur"}, 2, "blur_defocus"},
		{[]string{"specimen", dir, "--format", "TD4"}, 2, "TD1"},
		{[]string{"specimen", dir, "--count", "0"}, 2, "at least 1"},
		{[]string{"verify", "--document", "x", "--selfie", "y", "--document-type", "pasport"}, 2, "residence_permit"},
		{[]string{"eval", "liveness", "--manifest", manifest, "--root", dir, "--out", filepath.Join(dir, "o")}, 2, "line 2 lacks file, label"},
		{[]string{"mrz", "parse", os.DevNull}, 2, "empty"},
		{[]string{"api-key", "list", "--data-dir", typo}, 1, typo},
		{[]string{"queue", "dead", "--data-dir", typo}, 1, typo},
		{[]string{"api-key", "create", "--name", "x", "--scope", "sessions:writ"}, 2, "sessions:create"},
		{[]string{"version"}, 0, "proofline"},
		{[]string{"config", "--webhook.url", "http://10.0.0.1/", "--webhook.secret", "x"}, 3, "webhook.allow-private"},
		{[]string{"config", "--policy.file", filepath.Join(dir, "none.yaml")}, 3, "none.yaml"},
	} {
		cmd := program(c.args...)
		out, err := cmd.CombinedOutput()
		code := cmd.ProcessState.ExitCode()
		if code != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: exit status %d (%v), want %d with %q:\n%s", strings.Join(c.args, " "), code, err, c.code, c.says, tail(string(out)))
		}
	}
	if _, err := os.Stat(typo); err == nil {
		t.Error("a misspelt --data-dir was made")
	}

	cmd := program("config")
	cmd.Env = append(cmd.Env, "PROOFLINE_QUEUE_LIMT=5", "PROOFLINE_QUEUE_LIMIT=6")
	out, _ := cmd.CombinedOutput()
	if !strings.Contains(string(out), "PROOFLINE_QUEUE_LIMT is no setting and is ignored; did you mean PROOFLINE_QUEUE_LIMIT?") {
		t.Errorf("a misspelt variable goes unnoticed: %s", tail(string(out)))
	}
}

func tail(s string) string { return s[max(0, len(s)-600):] }

func TestJSONOutputKeepsTheFillersOfZones(t *testing.T) {
	cmd := program("mrz", "parse", "--json")
	cmd.Stdin = strings.NewReader("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10\n")
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Contains(string(out), `\u003c`) {
		t.Errorf("%v\n%s", err, out)
	}
	b, err := plainJSON(map[string]string{"line": "P<UTO"})
	if err != nil || string(b) != `{"line":"P<UTO"}` {
		t.Errorf("%s, %v", b, err)
	}
}
