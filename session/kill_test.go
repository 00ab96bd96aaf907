package session

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/internal/testserver"
)

// childDSN tells the test binary to be the process that gets killed.
const childDSN = "PROOFLINE_TEST_KILL_DSN"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(childDSN); dsn != "" {
		childSubmits(dsn)
		return
	}
	os.Exit(m.Run())
}

// childSubmits submits cases for ever and says on standard output, after each,
// that it was received.
func childSubmits(dsn string) {
	s, err := Open(ctx, dsn)
	if err != nil {
		panic(err)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				ses, err := s.Create(ctx, newSession())
				if err != nil {
					panic(err)
				}
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, consent(), nil); err != nil {
					panic(err)
				}
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil); err != nil {
					panic(err)
				}
				mu.Lock()
				os.Stdout.WriteString(ses.ID + "\n")
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
}

func TestWhatWasReceivedSurvivesKillMinusNine(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			dsn := "sqlite:" + filepath.Join(t.TempDir(), "store.db")
			if kind == "postgres" {
				dsn = testserver.Postgres(t).DSN
			}
			received := map[string]bool{}
			for round := range 3 {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), childDSN+"="+dsn)
				out, err := cmd.StdoutPipe()
				ok(t, err)
				ok(t, cmd.Start())
				lines := bufio.NewScanner(out)
				var timer *time.Timer
				for lines.Scan() {
					if timer == nil { // it works: kill it somewhere in the middle
						timer = time.AfterFunc(time.Duration(50+70*round)*time.Millisecond, func() { cmd.Process.Kill() })
					}
					if id := lines.Text(); strings.HasPrefix(id, SessionPrefix) && len(id) == len(SessionPrefix)+idLen {
						received[id] = true
					}
				}
				cmd.Wait()
				if timer == nil {
					t.Fatal("the child did nothing")
				}
			}
			s, err := Open(ctx, dsn)
			ok(t, err)
			defer s.Close()
			runs := map[string]int{}
			after := ""
			for {
				rows, err := s.outboxRows(ctx, "WHERE id > ? ORDER BY id LIMIT 500", after)
				ok(t, err)
				if len(rows) == 0 {
					break
				}
				for _, o := range rows {
					runs[o.Session]++
					after = o.ID
				}
			}
			for id := range received {
				if ses, err := s.Get(ctx, id); err != nil || ses.State != Submitted || runs[id] != 1 {
					t.Errorf("a received session is %v with %d runs: %v", ses, runs[id], err)
				}
			}
			r := verifyLog(t, s)
			t.Logf("%d received, %d runs, %d audit entries", len(received), len(runs), r.Entries)
		})
	}
}

func TestChangingTheDatabaseBehindTheStoreIsDetected(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		for range 5 {
			toSubmitted(t, s, must[*Session](t)(s.Create(ctx, newSession())).ID)
		}
		signer, verifier := testKey(t)
		_, _, err := s.Checkpoint(ctx, signer)
		ok(t, err)
		must[*Session](t)(s.Create(ctx, newSession()))
		r := must[audit.Report](t)(s.VerifyAudit(ctx, verifier))
		if r.Entries != r.Signed+1 {
			t.Errorf("%+v", r)
		}
		entry := func(seq int64) []audit.Entry { return []audit.Entry{must[audit.Entry](t)(s.AuditEntry(ctx, seq))} }
		p := must[audit.Proof](t)(s.ProveAudit(ctx, entry(3)))
		if got, err := p.Check(verifier); err != nil || got.Entries[0].Seq != 3 {
			t.Errorf("%+v %v", got, err)
		}
		if _, err := s.ProveAudit(ctx, entry(r.Signed)); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unsigned entry was proved: %v", err)
		}
		var body []byte
		ok(t, s.queryRow(ctx, "SELECT body FROM audit_entries WHERE seq = 4").Scan(&body))
		for _, forged := range []string{strings.Replace(string(body), "client", "worker", 1), "{}", ""} {
			ok(t, s.writeApart(ctx, "forge", func(tx *Tx) error {
				_, err := tx.exec("UPDATE audit_entries SET body = ? WHERE seq = 4", []byte(forged))
				return err
			}))
			var te *audit.TamperError
			if _, err := s.VerifyAudit(ctx, verifier); !errors.As(err, &te) {
				t.Errorf("forged as %q: %v", forged, err)
			}
		}
		ok(t, s.writeApart(ctx, "restore", func(tx *Tx) error {
			_, err := tx.exec("UPDATE audit_entries SET body = ? WHERE seq = 4", body)
			return err
		}))
		must[audit.Report](t)(s.VerifyAudit(ctx, verifier))
		ok(t, s.writeApart(ctx, "truncate", func(tx *Tx) error {
			_, err := tx.exec("DELETE FROM audit_entries WHERE seq >= ?", r.Signed)
			return err
		}))
		var te *audit.TamperError
		if _, err := s.VerifyAudit(ctx, verifier); !errors.As(err, &te) || te.Kind != audit.Truncated {
			t.Errorf("truncated: %v", err)
		}
	})
}
