package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
)

func TestSeveralProcessesShareOneStore(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			dsn := "sqlite:" + filepath.Join(t.TempDir(), "store.db")
			if kind == "postgres" {
				dsn = testserver.Postgres(t).DSN
			}
			stores := make([]*Store, 3)
			var wg sync.WaitGroup
			for i := range stores { // they start, and so migrate, together
				wg.Add(1)
				go func() {
					defer wg.Done()
					s, err := Open(ctx, dsn)
					if err != nil {
						t.Error(err)
						return
					}
					stores[i] = s
				}()
			}
			wg.Wait()
			if t.Failed() {
				return
			}
			ids := make([]string, 12)
			for i := range ids {
				ids[i] = must[*Session](t)(stores[0].Create(ctx, newSession())).ID
				toSubmitted(t, stores[0], ids[i])
			}
			var decided atomic.Int64
			for _, s := range stores {
				for _, id := range ids {
					wg.Add(1)
					go func() {
						defer wg.Done()
						_, err := s.Apply(ctx, id, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil)
						if err == nil {
							decided.Add(1)
						} else if !errors.Is(err, ErrNoTransition) {
							t.Error(err)
						}
					}()
				}
			}
			wg.Wait()
			if decided.Load() != int64(len(ids)) {
				t.Errorf("%d decisions for %d sessions", decided.Load(), len(ids))
			}
			verifyLog(t, stores[1])
			for _, s := range stores {
				ok(t, s.Close())
			}
		})
	}
}

func TestABrokenConnectionCostsAnErrorAtMostAndNeverARecord(t *testing.T) {
	pg := testserver.Postgres(t)
	s, err := Open(ctx, pg.DSN)
	ok(t, err)
	defer s.Close()
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	received := map[string]bool{}
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for stop.Err() == nil {
				ses, err := s.Create(ctx, newSession())
				if err != nil {
					continue
				}
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, consent(), nil); err != nil {
					continue
				}
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil); err == nil {
					mu.Lock()
					received[ses.ID] = true
					mu.Unlock()
				}
			}
		}()
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(received)
	}
	// Each time connections are broken while all are at work, and things go on.
	for i := range 5 {
		had := count()
		for end := time.Now().Add(time.Minute); count() == had; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				cancel()
				wg.Wait()
				t.Fatalf("nothing is received after %d breaks", i)
			}
		}
		if i < 4 {
			pg.Disconnect()
		}
	}
	cancel()
	wg.Wait()
	for id := range received {
		if ses, err := s.Get(ctx, id); err != nil || ses.State != Submitted {
			t.Errorf("received, and now %v %v", ses, err)
		}
	}
	verifyLog(t, s)
}

// TestAMillionSessionsPageQuickly fills a store with 1 M sessions (PROOFLINE_LONG).
func TestAMillionSessionsPageQuickly(t *testing.T) {
	if os.Getenv("PROOFLINE_LONG") == "" {
		t.Skip("PROOFLINE_LONG is not set")
	}
	each(t, func(t *testing.T, s *Store, c *testClock) {
		const total, page = 1_000_000, 50
		series := "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT"
		id := "'ses_0' || substr('0000000000000000000000000' || i, -24) || '0'"
		if s.postgres {
			series, id = "SELECT", "'ses_0' || lpad(i::text, 24, '0') || '0'"
		}
		from := " FROM n"
		if s.postgres {
			from = " FROM generate_series(0, ?::bigint) i"
		}
		ok(t, s.writeApart(ctx, "fill", func(tx *Tx) error {
			_, err := tx.exec(`INSERT INTO sessions (`+sessionColumns+`) `+series+` `+id+`, 'acme',
				CASE WHEN i % 10 = 0 THEN 'pending_review' ELSE 'approved' END, 1, 1, 3, 'default', '1', 'abc', '', '', '', '', 'ref' || (i % 1000), '', '', '',
				0, 0, 0, 0, 0`+from, total-1)
			return err
		}))
		if s.postgres {
			ok(t, s.writeApart(ctx, "analyze", func(tx *Tx) error { _, err := tx.exec("ANALYZE sessions"); return err }))
		}
		at := func(f Filter, n int) time.Duration {
			f.Limit = page
			if n > 1 { // the cursor that page n-1 would have given: newest first
				last := must[Page](t)(s.List(ctx, Filter{Tenant: f.Tenant, Limit: 1}))
				var num int64
				for _, d := range last.Sessions[0].ID[5:29] {
					num = num*10 + int64(d-'0')
				}
				step := int64(1)
				if len(f.States) > 0 {
					step = 10
				}
				f.Cursor = cursor(fmt.Sprintf("ses_0%024d0", num-int64(n-1)*page*step))
			}
			start := time.Now()
			p := must[Page](t)(s.List(ctx, f))
			if len(p.Sessions) != page {
				t.Fatalf("page %d has %d sessions", n, len(p.Sessions))
			}
			return time.Since(start)
		}
		for name, f := range map[string]Filter{
			"tenant": {Tenant: "acme"}, "tenant and state": {Tenant: "acme", States: []State{PendingReview}},
			"two states": {Tenant: "acme", States: []State{PendingReview, Approved}}, "all": {},
			"reference": {Tenant: "acme", ExternalRef: "ref7"}, "policy": {Tenant: "acme", PolicyName: "default"},
		} {
			deep := 10_000
			if len(f.States) > 0 {
				deep = 1500
			}
			first, last := at(f, 1), time.Duration(0)
			if f.ExternalRef == "" && len(f.States) != 2 {
				last = at(f, deep)
			}
			t.Logf("%s: page 1 in %v, page %d in %v", name, first, deep, last)
			if first > 50*time.Millisecond || last > 50*time.Millisecond {
				t.Errorf("%s: slower than 50 ms", name)
			}
		}
	})
}
