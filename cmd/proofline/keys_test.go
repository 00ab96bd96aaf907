package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

func keyList(t *testing.T, dir string) map[string]keyRow {
	t.Helper()
	code, out, stderr := said(t, "keys", "list", "--json", "--data-dir", dir)
	var l struct{ Keys []keyRow }
	if err := json.Unmarshal([]byte(out), &l); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	rows := map[string]keyRow{}
	for _, r := range l.Keys {
		rows[r.ID] = r
	}
	return rows
}

func TestKeysAreRotatedWhileAServerWorksAndTheOldOneIsRetired(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	n, err := openNode(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	old := n.keys.Primary()
	sealed, err := storage.SealSecret(ctx, n.keys, pipeline.WebhookPurpose, []byte("whsec_x"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.store.PutEndpoint(ctx, operator, session.Endpoint{Tenant: defaultTenant, URL: "https://a.example/h", Secrets: sealed}); err != nil {
		t.Fatal(err)
	}
	// So does an account's second factor, which would lock it out.
	account, err := n.store.CreateAccount(ctx, operator, session.NewAccount{Name: "eva", Roles: []access.Role{access.Reviewer}})
	if err != nil {
		t.Fatal(err)
	}
	factor, err := storage.SealSecret(ctx, n.keys, login.TOTPPurpose(account.ID), []byte("JBSWY3DPEHPK3PXP"))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.store.SetTOTP(ctx, operator, account.ID, factor); err != nil {
		t.Fatal(err)
	}
	stopAnnouncing := n.announceKeys(200 * time.Millisecond)
	var people []subject
	for range 20 {
		people = append(people, store(t, n, "photo"))
	}

	// The server goes on storing and reading all the while.
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			p := store(t, n, "photo")
			for _, s := range []subject{p, people[0], people[19]} {
				if text, err := s.read(n); err != nil || text != "photo" {
					t.Errorf("during the rotation: %q, %v", text, err)
					return
				}
			}
		}
	})
	code, out, stderr := said(t, "keys", "rotate", "--json", "--batch", "3", "--wait", "2m", "--data-dir", dir)
	close(stop)
	wg.Wait()
	var r struct {
		Primary        string
		Moved, Secrets int
		Unused, Behind []string
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Primary == old || r.Moved < 20 || r.Secrets != 2 || len(r.Behind) != 0 {
		t.Fatalf("exit %d, %v: %s %s", code, err, out, stderr)
	}
	if n.keys.Primary() != r.Primary {
		t.Fatalf("the server still wraps with %s", n.keys.Primary())
	}
	ends, err := n.store.Endpoints(ctx, defaultTenant)
	if err != nil {
		t.Fatal(err)
	}
	if secret, err := storage.OpenSecret(ctx, n.keys, pipeline.WebhookPurpose, ends[0].Secrets); err != nil || string(secret) != "whsec_x" {
		t.Fatalf("%q, %v", secret, err)
	}
	rows := keyList(t, dir)
	if rows[old].DataKeys != 0 || !rows[r.Primary].Primary || rows[r.Primary].DataKeys < 20 || rows[r.Primary].Secrets != 2 || rows[r.Primary].Holders != 1 {
		t.Fatalf("%+v", rows)
	}
	if code, _, stderr := said(t, "keys", "retire", r.Primary, "--data-dir", dir); code != 3 || !strings.Contains(stderr, "still wraps") {
		t.Fatalf("retire the key in use: exit %d, %s", code, stderr)
	}
	if code, _, stderr := said(t, "keys", "retire", old, "--data-dir", dir); code != 0 {
		t.Fatal(stderr)
	}
	stopAnnouncing()
	_, secrets, err := n.store.AccountByName(ctx, "eva")
	if err != nil {
		t.Fatal(err)
	}
	if f, err := storage.OpenSecret(ctx, n.keys, login.TOTPPurpose(account.ID), secrets.TOTP); err != nil || string(f) != "JBSWY3DPEHPK3PXP" {
		t.Fatalf("the second factor was lost: %v", err)
	}
	for _, s := range people {
		if text, err := s.read(n); err != nil || text != "photo" {
			t.Fatalf("%q, %v", text, err)
		}
	}
}

func TestARotationWaitsForProcessesThatDoNotHoldTheKeyAndGivesUp(t *testing.T) {
	ctx, dir := context.Background(), used(t)
	n, err := openNode(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	before := n.keys.Primary()
	if err := n.store.HoldsKeys(ctx, "machine-2:17", before, []string{before}); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := said(t, "keys", "rotate", "--wait", "100ms", "--data-dir", dir)
	if code != 1 || !strings.Contains(stderr, "machine-2:17") || !strings.Contains(stderr, "keys rotate --to k") {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	rows := keyList(t, dir)
	if len(rows) != 2 || !rows[before].Primary || rows[before].DataKeys != 2 {
		t.Fatalf("%+v", rows)
	}
	var added string
	for id := range rows {
		if id != before {
			added = id
		}
	}
	if err := n.store.HoldsKeys(ctx, "machine-2:17", before, []string{before, added}); err != nil {
		t.Fatal(err)
	}
	// It holds the key but has the old file: named, and the rest is done.
	code, out, stderr := said(t, "keys", "rotate", "--to", added, "--wait", "100ms", "--data-dir", dir)
	if code != 0 || !strings.Contains(out, "machine-2:17") || !strings.Contains(out, added+" is the primary key; 2 data keys") {
		t.Fatalf("exit %d: %s %s", code, out, stderr)
	}
	if code, _, stderr := said(t, "keys", "retire", before, "--data-dir", dir); code != 3 || !strings.Contains(stderr, "machine-2:17 still wraps") {
		t.Fatalf("exit %d: %s", code, stderr)
	}
}

func TestAKeyringThatDoesNotFitSaysWhichKeyIsMissing(t *testing.T) {
	dir := used(t)
	path := filepath.Join(dir, "keyring")
	keys, err := storage.LoadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	id := keys.Primary()
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"another keyring":   {"other " + strings.Repeat("A", 43) + "=\n", `key "` + id + `", which wraps 2 data keys, is not in the keyring`},
		"same id, new key":  {id + " " + strings.Repeat("A", 43) + "=\n", `is in the keyring with the same id, but is another key`},
		"sealed by service": {id + " kms:" + strings.Repeat("A", 44) + "\n", "set keys.kms-key"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			n, err := openNode(t, dir)
			if err == nil {
				n.Close()
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), strings.Repeat("A", 20)) {
				t.Fatalf("error %v, want one with %q", err, tt.want)
			}
		})
	}
	// From the environment, in place of the file.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(good)), "\n")
	c, err := parseArgs(t, "up", "--data-dir", dir, "--keys.secret", "spare "+strings.Repeat("B", 42)+"A=,"+lines[len(lines)-1])
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Up.open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if n.keys.Primary() != id {
		t.Fatal(n.keys.Primary())
	}
}

func TestHoldsArePlacedListedAndLiftedOnTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	n, err := openNode(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	p := store(t, n, "photo")
	if code, _, stderr := said(t, "retention", "hold", "add", p.session, "--reason", "No Code", "--data-dir", dir); code == 0 {
		t.Fatalf("a free text was taken: %s", stderr)
	}
	code, out, stderr := said(t, "retention", "hold", "add", p.session, "--reason", "litigation", "--matter", "7/2026", "--json", "--data-dir", dir)
	var h session.Hold
	if err := json.Unmarshal([]byte(out), &h); err != nil || code != 0 {
		t.Fatalf("exit %d, %v: %s", code, err, stderr)
	}
	if rep, err := pipeline.SweepEvidence(context.Background(), n.store, n.vault, time.Now().Add(48*time.Hour), 10); err != nil || rep.Deleted != 0 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if code, out, _ := said(t, "retention", "hold", "list", "--data-dir", dir); code != 0 || !strings.Contains(out, h.ID) || !strings.Contains(out, "7/2026") {
		t.Fatalf("exit %d: %s", code, out)
	}
	if code, _, stderr := said(t, "retention", "hold", "lift", h.ID, "--reason", "settled", "--data-dir", dir); code != 0 {
		t.Fatal(stderr)
	}
	if rep, err := pipeline.SweepEvidence(context.Background(), n.store, n.vault, time.Now().Add(48*time.Hour), 10); err != nil || rep.Deleted != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
}

func TestRegionsAreCheckedAtStart(t *testing.T) {
	for text, want := range map[string]string{
		"eu":                             "want NAME=URL",
		"EU=file:///x":                   "want NAME=URL",
		"eu=file://x":                    "file:///DIRECTORY",
		"eu=ftp://x":                     "want s3://",
		"eu=s3://b?endpoint=h&x=1":       "unknown parameter x",
		"eu=s3://b":                      "an endpoint",
		"eu=s3://u:p@b?endpoint=h":       "want s3://",
		"eu=file:///a,eu=file:///b":      "there twice",
		"eu=s3://b?endpoint=h&profile=p": "",
		"eu=file:///tmp/x":               "",
	} {
		c, err := parseArgs(t, "up", "--storage.regions", text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Up.regions()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	c, err := parseArgs(t, "up", "--data-dir", t.TempDir(), "--storage.regions", "eu=file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.Up.open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if !n.vault.HasRegion("eu") || n.vault.HasRegion("us") {
		t.Fatal("wrong regions")
	}
}
