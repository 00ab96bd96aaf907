package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// installation is a data directory, with databases in it or on a PostgreSQL
// server, that can be backed up and restored.
type installation struct {
	t       *testing.T
	dir     string
	args    []string
	session string            // the database of the sessions: a file, or a postgres DSN
	keys    string            // that of the data keys; empty: the same
	copies  map[string]string // DSN → name of the database that is its backup
}

func onSQLite(t *testing.T) *installation {
	dir := filepath.Join(t.TempDir(), "data")
	return &installation{t: t, dir: dir, session: filepath.Join(dir, "proofline.db"), keys: filepath.Join(dir, "keystore", "keys.db"), copies: map[string]string{}}
}

func onPostgres(t *testing.T, apart bool) *installation {
	i := &installation{t: t, dir: filepath.Join(t.TempDir(), "data"), session: testserver.Postgres(t).DSN, copies: map[string]string{}}
	i.args = []string{"--store.dsn", i.session}
	if apart {
		i.keys = testserver.Postgres(t).DSN
		i.args = append(i.args, "--keys.store", i.keys)
	}
	return i
}

func (i *installation) open() *node {
	i.t.Helper()
	c, err := parseArgs(i.t, append([]string{"up", "--data-dir", i.dir}, i.args...)...)
	if err != nil {
		i.t.Fatal(err)
	}
	n, err := c.Up.open(context.Background())
	if err != nil {
		i.t.Fatal(err)
	}
	return n
}

func (i *installation) run(args ...string) (int, string, string) {
	i.t.Helper()
	return said(i.t, append(append(args, "--data-dir", i.dir), i.args...)...)
}

// psql runs a statement on the server of a DSN, in its maintenance database.
func psql(t *testing.T, dsn, statement string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/postgres"
	c, err := pgx.Connect(context.Background(), u.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func database(dsn string) string { u, _ := url.Parse(dsn); return strings.TrimPrefix(u.Path, "/") }

// backup copies a database; nobody is connected to it.
func (i *installation) backup(db string) {
	i.t.Helper()
	if !strings.HasPrefix(db, "postgres") {
		b, err := os.ReadFile(db)
		if err == nil {
			err = os.WriteFile(db+".backup", b, 0o600)
		}
		if err != nil {
			i.t.Fatal(err)
		}
		return
	}
	name := database(db) + "_backup"
	psql(i.t, db, "CREATE DATABASE "+name+" TEMPLATE "+database(db))
	i.t.Cleanup(func() { psql(i.t, db, "DROP DATABASE IF EXISTS "+name) })
}

func (i *installation) restore(db string) {
	i.t.Helper()
	if !strings.HasPrefix(db, "postgres") {
		b, err := os.ReadFile(db + ".backup")
		if err == nil {
			err = os.WriteFile(db, b, 0o600)
		}
		if err != nil {
			i.t.Fatal(err)
		}
		for _, f := range []string{"-wal", "-shm"} {
			os.Remove(db + f)
		}
		return
	}
	psql(i.t, db, "DROP DATABASE "+database(db)+" WITH (FORCE)")
	psql(i.t, db, "CREATE DATABASE "+database(db)+" TEMPLATE "+database(db)+"_backup")
}

// subject is a person whose photo is stored.
type subject struct {
	session string
	photo   storage.Object
}

func store(t *testing.T, n *node, text string) subject {
	t.Helper()
	ses, err := n.store.Create(context.Background(), session.New{Tenant: defaultTenant, PolicyName: "default", PolicyVersion: "1", PolicyHash: "abc", Actor: operator})
	if err != nil {
		t.Fatal(err)
	}
	o, err := n.vault.PutBytes(context.Background(), storage.Ref{Session: ses.ID, Class: storage.CaptureImage, Kind: "selfie"}, []byte(text), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return subject{ses.ID, o}
}

func (s subject) read(n *node) (string, error) {
	b, err := n.vault.Read(context.Background(), s.photo, 1000)
	return string(b), err
}

// erase carries out a request to erase, as a worker does.
func erase(t *testing.T, n *node, s subject) []storage.Certificate {
	t.Helper()
	ctx := context.Background()
	if err := n.store.RequestErasure(ctx, s.session, operator, "art17"); err != nil {
		t.Fatal(err)
	}
	rows, err := n.store.Pending(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Kind == session.KindErase {
			certs, err := pipeline.EraseEvidence(ctx, n.store, n.vault, operator, r)
			if err != nil {
				t.Fatal(err)
			}
			return certs
		}
	}
	t.Fatal("nothing asks for the erasure")
	return nil
}

// restoredAfterErasure makes an installation with two people, backs it up, erases one of them
// and restores databases and objects.
func restoredAfterErasure(t *testing.T, i *installation, keysToo bool) (erased, other subject, certs []storage.Certificate, public, export string) {
	t.Helper()
	n := i.open()
	erased, other = store(t, n, "the passport"), store(t, n, "somebody else's")
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	// What the runbook backs up: the sessions' database and the objects.
	i.backup(i.session)
	if keysToo {
		i.backup(i.keys)
	}
	blobs := t.TempDir()
	if err := os.CopyFS(blobs, os.DirFS(filepath.Join(i.dir, "blobs"))); err != nil {
		t.Fatal(err)
	}

	n = i.open()
	certs = erase(t, n, erased)
	if _, err := erased.read(n); !errors.Is(err, storage.ErrErased) {
		t.Fatalf("after the erasure: %v", err)
	}
	stop := n.signEvery(time.Hour, newPublisher(n.blobs, n.signer, auditSettings{Publish: time.Hour, Keep: time.Hour}))
	stop() // signs and publishes, as a server does that ends
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	export = filepath.Join(t.TempDir(), "log.jsonl")
	if code, _, stderr := i.run("audit", "export", export); code != 0 {
		t.Fatal(stderr)
	}
	b, err := os.ReadFile(filepath.Join(i.dir, auditKeyName+".pub"))
	if err != nil {
		t.Fatal(err)
	}
	public = strings.TrimSpace(string(b))

	i.restore(i.session)
	if keysToo {
		i.restore(i.keys)
	}
	// A restore writes back what the backup has; it deletes nothing newer.
	err = filepath.WalkDir(blobs, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(blobs, p)
		to := filepath.Join(i.dir, "blobs", rel)
		data, err := os.ReadFile(p)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o700)
		}
		if err == nil {
			err = os.WriteFile(to, data, 0o600)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return erased, other, certs, public, export
}

func TestARestoredBackupBringsNoErasedPersonBack(t *testing.T) {
	for name, fresh := range map[string]func(*testing.T) *installation{
		"sqlite":   onSQLite,
		"postgres": func(t *testing.T) *installation { return onPostgres(t, true) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			i := fresh(t)
			erased, other, certs, public, _ := restoredAfterErasure(t, i, false)

			n := i.open()
			defer n.Close()
			if row, err := n.store.GetObject(ctx, erased.photo.ID); err != nil || !row.DeletedAt.IsZero() {
				t.Fatalf("the test is about a database that has forgotten the erasure: %+v, %v", row, err)
			}
			if _, err := n.blobs.Stat(ctx, erased.photo.Key); err != nil {
				t.Fatalf("the test is about bytes that came back: %v", err)
			}
			if text, err := erased.read(n); !errors.Is(err, storage.ErrErased) {
				t.Fatalf("evidence %q, %v", text, err)
			}
			if text, err := other.read(n); err != nil || text != "somebody else's" {
				t.Fatalf("evidence of another person: %q, %v", text, err)
			}
			v, err := note.NewVerifier(public)
			if err != nil {
				t.Fatal(err)
			}
			if len(certs) == 0 {
				t.Fatal("no certificates")
			}
			for _, c := range certs {
				if err := c.Verify(v); err != nil {
					t.Errorf("certificate of %s: %v", c.Class, err)
				}
			}
			// The restored bytes are swept, and the restored log tells of it.
			rep, err := pipeline.SweepEvidence(ctx, n.store, n.vault, time.Now().Add(15*time.Minute), 100)
			if err != nil || rep.Deleted != 1 || len(rep.Certificates) == 0 {
				t.Fatalf("%+v, %v", rep, err)
			}
			entries, err := n.store.Timeline(ctx, erased.session)
			if err != nil {
				t.Fatal(err)
			}
			var actions []string
			for _, e := range entries {
				actions = append(actions, e.Action)
			}
			if !strings.Contains(strings.Join(actions, " "), "evidence.erased_again") {
				t.Errorf("timeline: %v", actions)
			}
		})
	}
}

// The rule was broken, or cannot be kept: the data keys were restored, too.
func TestARestoreOfTheDataKeysNeedsTheNewerLog(t *testing.T) {
	for name, fresh := range map[string]func(*testing.T) *installation{
		"sqlite, keys restored as well":       onSQLite,
		"postgres, keys in the same database": func(t *testing.T) *installation { return onPostgres(t, false) },
	} {
		t.Run(name, func(t *testing.T) {
			i := fresh(t)
			erased, other, _, _, export := restoredAfterErasure(t, i, i.keys != "")
			n := i.open()
			text, err := erased.read(n)
			n.Close()
			if err != nil || text != "the passport" {
				t.Fatalf("docs/security.md says that this comes back: %q, %v", text, err)
			}
			code, out, stderr := i.run("storage", "restore-check", "--json")
			var r restored
			if err := json.Unmarshal([]byte(out), &r); err != nil || code != 3 || !r.OldCopy || !strings.Contains(stderr, "--log") {
				t.Fatalf("exit %d, %v: %s %s", code, err, out, stderr)
			}
			changed := filepath.Join(t.TempDir(), "changed.jsonl")
			b, err := os.ReadFile(export)
			if err == nil {
				err = os.WriteFile(changed, []byte(strings.Replace(string(b), `"reason":"art17"`, `"reason":"art18"`, 1)), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			if code, _, stderr := i.run("storage", "restore-check", "--log", changed); code == 0 || !strings.Contains(stderr, "not to be trusted") {
				t.Fatalf("a changed log: exit %d, %s", code, stderr)
			}
			// What the old copy exports is signed, and lacks the erasure as it does.
			n = i.open()
			_, _, err = n.store.Checkpoint(t.Context(), n.signer)
			n.Close()
			if err != nil {
				t.Fatal(err)
			}
			old := filepath.Join(t.TempDir(), "old.jsonl")
			if code, _, stderr := i.run("audit", "export", old); code != 0 {
				t.Fatal(stderr)
			}
			if code, _, stderr := i.run("storage", "restore-check", "--log", old); code != 3 || !strings.Contains(stderr, "too old") {
				t.Fatalf("a log that ends before the erasure: exit %d, %s", code, stderr)
			}
			code, out, stderr = i.run("storage", "restore-check", "--json", "--log", export)
			if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Again != 1 {
				t.Fatalf("exit %d, %v: %s %s", code, err, out, stderr)
			}
			n = i.open()
			defer n.Close()
			if text, err := erased.read(n); !errors.Is(err, storage.ErrErased) {
				t.Fatalf("evidence %q, %v", text, err)
			}
			if _, err := other.read(n); err != nil {
				t.Fatal(err)
			}
		})
	}
}
