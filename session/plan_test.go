package session

import (
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

// What is asked every minute, or of a table that only grows, must not read all of it.
func TestWhatIsAskedOfGrowingTablesReadsTheirIndexes(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := openTest(t, kind, time.Now)
			for name, x := range map[string]struct {
				q     string
				whole string // what may be read whole: it is small
				args  []any
			}{
				"Prune keys":    {pruneKeys, "", []any{int64(0), 9}},
				"Prune tokens":  {pruneTokens, "", []any{"tok_1", int64(0), 9}},
				"Prune outbox":  {pruneOutbox, "", []any{"obx_1", int64(0), 9}},
				"StaleUploads":  {staleUploads, "upload_parts", []any{int64(0), 9}},
				"BlindPairs":    {blindPairs, "", []any{"rev_1", int64(0), 0}},
				"Overrides":     {overridesQuery, "", []any{"rev_1", int64(0), int64(0), 0}},
				"ReviewerPairs": {reviewerPairs, "", []any{"rev_1", 0, 9}},
			} {
				for line := range strings.Lines(plan(t, s, x.q, x.args...)) {
					_, table, scans := strings.Cut(line, "SCAN ")
					if !scans {
						_, table, scans = strings.Cut(line, "Seq Scan on ")
					}
					if table, _, _ = strings.Cut(strings.TrimSpace(table), " "); scans && table != x.whole && table != "p" {
						t.Errorf("%s reads %s whole", name, table)
					}
				}
			}
		})
	}
}

func TestPruneTakesWhatIsOverAndLeavesTheRest(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		token := func(life time.Duration) string {
			_, secret, err := s.IssueClientToken(ctx, service, ses.ID, "capture", life)
			ok(t, err)
			return secret
		}
		short, long := token(time.Hour), token(72*time.Hour)
		toSubmitted(t, s, ses.ID)
		waits := must[*Session](t)(s.Create(ctx, newSession()))
		toSubmitted(t, s, waits.ID)
		c.add(2 * time.Hour)
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil))
		if n := must[int](t)(s.Prune(ctx, c.Now().Add(-30*time.Minute), 10)); n != 1 {
			t.Errorf("pruned %d, want the token that is over", n)
		}
		if _, err := s.ClientToken(ctx, short, "capture"); err == nil {
			t.Error("a token that is over works")
		}
		if n := must[int](t)(s.Prune(ctx, c.Now(), 10)); n != 1 {
			t.Errorf("pruned %d, want the run that is done", n)
		}
		if _, err := s.ClientToken(ctx, long, "capture"); err != nil {
			t.Errorf("a token that holds was pruned: %v", err)
		}
		if d := must[map[OutboxKind]int](t)(s.OutboxDepth(ctx)); d[KindVerify] != 1 {
			t.Errorf("depth %v, want the run that waits", d)
		}
	})
}

func TestTheDepthOfTheOutboxIsReadFromOneIndex(t *testing.T) {
	s := openTest(t, "sqlite", time.Now)
	if p := plan(t, s, outboxCounts); !strings.Contains(p, "COVERING INDEX outbox_undone") {
		t.Error(p)
	}
}

// Writes of several callers share a transaction.
func TestAnEntryThatTheLogCanNotHoldFailsItsOwnWriteOnly(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := openTest(t, kind, time.Now)
			tx, err := s.begin()
			ok(t, err)
			write := func(actor string) (refused, broken error) {
				return tx.run(&job{ctx: ctx, fn: func(tx *Tx) error {
					tx.Audit(audit.Entry{Actor: actor, Action: "some.action"})
					return nil
				}})
			}
			if refused, broken := write("service:key_1"); refused != nil || broken != nil {
				t.Error(refused, broken)
			}
			if _, broken := write("service:\xff"); broken == nil {
				t.Error("an entry that is no text is found at the commit only, when nobody knows whose it is")
			}
			ok(t, tx.commit())
			if h := must[*audit.Frontier](t)(s.AuditHead(ctx)); h.Size() != 1 {
				t.Errorf("%d entries in the log", h.Size())
			}
		})
	}
}
