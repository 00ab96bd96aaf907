package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/proofline/proofline/session"
)

// said runs the program and returns its exit status and what it said.
func said(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := program(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return exitCode(cmd.Run()), out.String(), errs.String()
}

// logged makes a data directory with a log of n sessions, of which the first are
// signed and published in several steps.
func logged(t *testing.T, n int) (dir string, ids []string) {
	t.Helper()
	ctx := context.Background()
	dir = filepath.Join(t.TempDir(), "data")
	node, err := openNode(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	p := newPublisher(node.blobs, node.signer, auditSettings{Publish: time.Nanosecond, Keep: time.Hour})
	for i := range n {
		ses, err := node.store.Create(ctx, session.New{Tenant: "acme", PolicyName: "default", PolicyVersion: "1", PolicyHash: "abc",
			Actor: session.Actor{Role: session.Service, ID: "key_1"}})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, ses.ID)
		if i%5 == 4 {
			c, msg, err := node.store.Checkpoint(ctx, node.signer)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.publish(ctx, c, msg, false); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir, ids
}

func behindTheStore(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "proofline.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVerifyTellsWhatItCheckedAndWhatItDidNot(t *testing.T) {
	dir, _ := logged(t, 12)
	code, out, _ := said(t, "audit", "verify", "--data-dir", dir)
	for _, want := range []string{"intact: 12 entries", "the session store: 2 signed checkpoints agree, the newest of 10", "published copies: 2 signed", "the last 2 entries are not signed yet"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q in:\n%s", code, want, out)
		}
	}
	if strings.Contains(out, "no copy kept elsewhere") {
		t.Errorf("published copies were compared, but:\n%s", out)
	}
	_, out, _ = said(t, "audit", "verify", "--data-dir", dir, "--checkpoints", "none")
	if !strings.Contains(out, "not checked: whether the log was cut back") {
		t.Errorf("nothing on what is not checked:\n%s", out)
	}
	_, out, _ = said(t, "audit", "verify", "--data-dir", dir, "--json")
	var r struct {
		Intact bool
		Report struct {
			Entries, Signed int
			Sources         []struct{ Checkpoints int }
		}
		NotChecked []string `json:"not_checked"`
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || !r.Intact || r.Report.Entries != 12 || r.Report.Signed != 10 || len(r.Report.Sources) != 2 || len(r.NotChecked) != 1 {
		t.Errorf("%v: %s", err, out)
	}
	if code, _, stderr := said(t, "audit", "verify", "--data-dir", filepath.Join(dir, "nowhere")); code == 0 {
		t.Errorf("a log that is not there is intact: %s", stderr)
	}
}

func TestALogThatWasCutBackWithItsCheckpointsIsFoundByThePublishedOnes(t *testing.T) {
	dir, _ := logged(t, 5)
	before := t.TempDir()
	if err := os.CopyFS(before, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	// The same data directory goes on for another ten entries …
	more := func() {
		t.Helper()
		n, err := openNode(t, dir)
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		stop := n.signEvery(time.Hour, newPublisher(n.blobs, n.signer, auditSettings{Publish: time.Hour, Keep: time.Hour}))
		for range 10 {
			if _, err := n.store.Create(context.Background(), session.New{Tenant: "acme", PolicyName: "default", PolicyVersion: "1", PolicyHash: "abc", Actor: operator}); err != nil {
				t.Fatal(err)
			}
		}
		stop() // signs and publishes
	}
	more()
	if code, out, _ := said(t, "audit", "verify", "--data-dir", dir); code != 0 || !strings.Contains(out, "intact: 15 entries") {
		t.Fatalf("exit %d: %s", code, out)
	}
	// … and is then put back to its earlier state: database, own checkpoints, all.
	for _, name := range []string{"proofline.db", "proofline.db-wal", "proofline.db-shm"} {
		_ = os.Remove(filepath.Join(dir, name))
		if b, err := os.ReadFile(filepath.Join(before, name)); err == nil {
			if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code, out, _ := said(t, "audit", "verify", "--data-dir", dir, "--checkpoints", "none"); code != 0 {
		t.Errorf("alone it should look intact: %s", out)
	}
	if code, out, _ := said(t, "audit", "verify", "--data-dir", dir); code != 3 || !strings.Contains(out, "entries 5 to 14 were there once and are gone (checkpoint of: published copies)") {
		t.Errorf("exit %d: %s", code, out)
	}
	// Going on makes it a fork; the log says itself that something is wrong.
	more()
	if code, out, _ := said(t, "audit", "verify", "--data-dir", dir); code != 3 || !strings.Contains(out, "published copies") {
		t.Errorf("exit %d: %s", code, out)
	}
	export := filepath.Join(t.TempDir(), "log.jsonl")
	if code, _, stderr := said(t, "audit", "export", export, "--data-dir", dir); code != 0 {
		t.Fatal(stderr)
	}
	if b, _ := os.ReadFile(export); !bytes.Contains(b, []byte(`"action":"audit.behind_published","refs":{"entries":"5","published":"15"}`)) {
		t.Errorf("the log does not tell that it is behind:\n%s", b)
	}
	// The export against copies that an auditor keeps as files.
	key := filepath.Join(dir, "audit.key.pub")
	if code, _, stderr := said(t, "audit", "verify", export, "--key", key); code != 0 {
		t.Errorf("exit %d: %s", code, stderr)
	}
	copies := filepath.Join(dir, "blobs")
	if code, out, _ := said(t, "audit", "verify", export, "--key", key, "--checkpoints", copies); code != 3 {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestAChangedRowIsFoundWhereverItIs(t *testing.T) {
	for what, do := range map[string]string{
		"a rewritten entry":             "UPDATE audit_entries SET body = replace(body, 'key_1', 'key_2') WHERE seq = 3",
		"an entry cut out":              "DELETE FROM audit_entries WHERE seq = 7",
		"the newest entries":            "DELETE FROM audit_entries WHERE seq >= 11",
		"signed entries":                "DELETE FROM audit_entries WHERE seq >= 8",
		"an altered checkpoint":         "UPDATE checkpoints SET note = replace(note, '10', '11') WHERE size = 10",
		"two entries exchanged":         "UPDATE audit_entries SET seq = CASE seq WHEN 2 THEN -4 ELSE -2 END WHERE seq IN (2, 4)",
		"an unsigned entry, rewritten":  "UPDATE audit_entries SET body = replace(body, 'key_1', 'key_2') WHERE seq = 11",
		"an entry added behind the end": "INSERT INTO audit_entries (seq, session, at, body) VALUES (12, '', 0, '{}')",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir, _ := logged(t, 12)
			behindTheStore(t, dir, do, "UPDATE audit_entries SET seq = -seq WHERE seq < 0")
			code, out, _ := said(t, "audit", "verify", "--data-dir", dir)
			if strings.HasPrefix(what, "an entry added") { // beyond the head nothing is the log's
				if code != 0 {
					t.Errorf("exit %d: %s", code, out)
				}
				return
			}
			if code != 3 || !strings.HasPrefix(out, "CHANGED: ") {
				t.Errorf("exit %d: %s", code, out)
			}
		})
	}
}

func TestAProofFileIsCheckedWithThePublicKeyAlone(t *testing.T) {
	dir, ids := logged(t, 12)
	file := filepath.Join(t.TempDir(), "proof.json")
	if code, _, stderr := said(t, "audit", "prove", "--data-dir", dir, "--session", ids[3], "--entry", "7", "--since", "5", "--out", file); code != 0 {
		t.Fatal(stderr)
	}
	key, err := os.ReadFile(filepath.Join(dir, "audit.key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	check := func() (int, string, string) {
		return said(t, "audit", "prove", "--verify", file, "--key", strings.TrimSpace(string(key)))
	}
	code, out, stderr := check()
	for _, want := range []string{"checkpoint of 10 entries", "entry 3 is in the log", "entry 7 is in the log", "extends its state of 5 entries"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q in:\n%s%s", code, want, out, stderr)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(b, []byte("session.create"), []byte("session.cancel"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := check(); code != 3 {
		t.Errorf("a changed proof: exit %d: %s%s", code, out, stderr)
	}
	for _, args := range [][]string{{"--entry", "11"}, {"--entry", "99"}, {"--session", "ses_none"}, {"--since", "6", "--entry", "1"}} {
		if code, _, stderr := said(t, append([]string{"audit", "prove", "--data-dir", dir}, args...)...); code != 1 || !strings.Contains(stderr, "not signed yet") {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
	}
	if code, _, _ := said(t, "audit", "prove", "--data-dir", dir); code != 2 {
		t.Errorf("nothing to prove: exit %d", code)
	}
}

func TestTheCommandsOnASessionSayWhatIsNotThere(t *testing.T) {
	dir, ids := logged(t, 1)
	for _, tt := range []struct {
		want int
		says string
		args []string
	}{
		{0, "The session was created; the person has not begun.", []string{"explain", ids[0], "--data-dir", dir}},
		{0, `"view":"auditor"`, []string{"explain", ids[0], "--for", "auditor", "--json", "--data-dir", dir}},
		{2, "must be one of", []string{"explain", ids[0], "--for", "press", "--data-dir", dir}},
		{2, "not a session's id", []string{"explain", "ses_x", "--data-dir", dir}},
		{3, "no such session", []string{"explain", "ses_00000000000000000000000000", "--data-dir", dir}},
		{3, "there is no decision", []string{"replay", ids[0], "--data-dir", dir}},
		{0, "0 identical", []string{"replay", "--all", "--data-dir", dir}},
		{2, "either a session's id or --all", []string{"replay", "--data-dir", dir}},
		{3, "there is no decision", []string{"receipt", ids[0], "--data-dir", dir}},
		{1, "", []string{"receipt", "verify", filepath.Join(dir, "nowhere"), "--data-dir", dir}},
		{3, "does not hold", []string{"receipt", "verify", filepath.Join(dir, "audit.key.pub"), "--data-dir", dir}},
		{1, "nowhere", []string{"explain", ids[0], "--data-dir", filepath.Join(dir, "nowhere")}},
	} {
		code, out, stderr := said(t, tt.args...)
		if code != tt.want || !strings.Contains(out+stderr, tt.says) {
			t.Errorf("%v: exit %d, want %d and %q: %s%s", tt.args, code, tt.want, tt.says, out, stderr)
		}
	}
}
