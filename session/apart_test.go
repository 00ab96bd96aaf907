package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

// referred makes a session of a tenant and refers it to a person.
func referred(ctx context.Context, t *testing.T, s *Store, tenant string, above int) *Session {
	t.Helper()
	n := newSession()
	n.Tenant = tenant
	ses := must[*Session](t)(s.Create(ctx, n))
	must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, consent(), nil))
	for _, kind := range []string{"document_front", "selfie"} {
		must[*Session](t)(s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: kind, Object: "obj_" + kind, SHA256: "00", Size: 3}))
	}
	must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil))
	ev := Decided(worker, 1, decision(policy.PendingReview))
	ev.Triage = &policy.Triage{Queue: "default", SLA: time.Hour, BusySLA: 2 * time.Hour, Above: above, Second: 1}
	return must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, ev, nil))
}

func TestTestAndSimulatedCasesAreNoWorkAndOverloadNoQueue(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		test := referred(ctx, t, s, TestTenant("acme"), 1)
		ok(t, s.Simulate(ctx, func(ctx context.Context, _ *Simulation) error {
			referred(ctx, t, s, "acme", 1)
			referred(ctx, t, s, "acme", 1)
			return nil
		}))
		if qs := must[[]QueueState](t)(s.ReviewQueues(ctx)); len(qs) != 0 {
			t.Errorf("%+v waits, and nothing is real", qs)
		}
		if ws := must[[]Waiting](t)(s.Reviews(ctx, ReviewFilter{Limit: 10})); len(ws) != 2 {
			t.Errorf("a demo shows %d cases in review", len(ws))
		}
		if n := must[int64](t)(s.CountInReview(ctx)); n != 2 {
			t.Errorf("a demo counts %d cases in review", n)
		}
		own := referred(ctx, t, s, "acme", 1)
		if p := must[Place](t)(s.ReviewPlace(ctx, own.ID)); p.Overloaded {
			t.Error("the first real case finds the queue overloaded")
		}
		if qs := must[[]QueueState](t)(s.ReviewQueues(ctx)); len(qs) != 1 || qs[0].Waiting != 1 || qs[0].Overloaded {
			t.Errorf("%+v, want the real case alone", qs)
		}
		if n := must[int64](t)(s.CountInReview(ctx)); n != 1 {
			t.Errorf("%d real cases in review", n)
		}
		if ses := must[*Session](t)(s.Get(ctx, test.ID)); ses.State != PendingReview {
			t.Errorf("the test case is %s", ses.State)
		}
		ws := must[[]Waiting](t)(s.Reviews(ctx, ReviewFilter{Tenant: TestTenant("acme"), Limit: 10}))
		if len(ws) != 0 {
			t.Errorf("%d test cases are in the queue", len(ws))
		}
	})
}

func TestALiveTenantWhoseNameLooksLikeASandboxIsSeen(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		for _, tenant := range []string{"acme:TEST", "t", "test", ":tes", "ätest"} {
			referred(ctx, t, s, tenant, 0)
		}
		referred(ctx, t, s, "acme:test", 0)
		if n := must[int64](t)(s.CountInReview(ctx)); n != 5 {
			t.Errorf("%d of 5 live cases are counted", n)
		}
		if ws := must[[]Waiting](t)(s.Reviews(ctx, ReviewFilter{Limit: 10})); len(ws) != 5 {
			t.Errorf("%d of 5 live cases are in the queue", len(ws))
		}
		must[int](t)(s.CountFigures(ctx))
		seen := int64(0)
		for _, h := range must[[]FigureGroup](t)(s.Figures(ctx, FigureFilter{From: testStart.Add(-Day), Before: testStart.Add(Day), Span: Hour})) {
			seen += h.Figures[Created]
		}
		if seen != 5 {
			t.Errorf("the figures count %d of 5", seen)
		}
	})
}

func TestOnlyRealCasesSteerACanary(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		approve := func(ctx context.Context, tenant string) {
			n := newSession()
			n.Tenant = tenant
			ses := must[*Session](t)(s.Create(ctx, n))
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, consent(), nil))
			for _, kind := range []string{"document_front", "selfie"} {
				must[*Session](t)(s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: kind, Object: "obj_" + kind, SHA256: "00", Size: 3}))
			}
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil))
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil))
		}
		approve(ctx, TestTenant("acme"))
		ok(t, s.Simulate(ctx, func(ctx context.Context, _ *Simulation) error { approve(ctx, "acme"); return nil }))
		if at := must[time.Time](t)(s.FirstUnder(ctx, "abc")); !at.IsZero() {
			t.Errorf("the canary began with a test at %v", at)
		}
		c.add(time.Hour)
		approve(ctx, "acme")
		if at := must[time.Time](t)(s.FirstUnder(ctx, "abc")); !at.Equal(testStart.Add(time.Hour)) {
			t.Errorf("the canary began at %v", at)
		}
		if a := must[policy.Arm](t)(s.Arm(ctx, "abc", time.Time{})); a.Approved != 1 || a.Cases() != 1 {
			t.Errorf("%+v, want one real case", a)
		}
	})
}

// The watch asks every half minute on every server.
func TestWatchingACanaryReadsIndexesOnly(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			s := openTest(t, kind, time.Now)
			for name, x := range map[string]struct {
				q, index string
				args     []any
			}{
				"Arm":        {armQuery, "decisions_at", []any{int64(0), "abc"}},
				"FirstUnder": {firstUnderQuery, "sessions_under_policy", []any{"abc"}},
			} {
				p := plan(t, s, x.q, x.args...)
				if !strings.Contains(p, x.index) || strings.Contains(p, "Seq Scan") || strings.Contains(p, "SCAN s") || strings.Contains(p, "SCAN d") {
					t.Errorf("%s does not use %s:\n%s", name, x.index, p)
				}
			}
		})
	}
}

// The console's page of blind checks counts those of some weeks among all. Which
// side of the join PostgreSQL begins with hangs on statistics that an empty table
// has none of.
func TestCountingBlindChecksReadsThoseOfTheTimeOnly(t *testing.T) {
	p := plan(t, openTest(t, "sqlite", time.Now), sampleCountsQuery, int64(1), 0)
	if !strings.Contains(p, "review_samples_entered") || strings.Contains(p, "SCAN") {
		t.Error(p)
	}
}

// plan is how the database would answer a query. PostgreSQL reads small tables
// whole, so that is made dear.
func plan(t *testing.T, s *Store, q string, args ...any) string {
	t.Helper()
	tx, err := s.read.BeginTx(ctx, nil)
	ok(t, err)
	defer tx.Rollback() //nolint:errcheck // nothing was written
	head := "EXPLAIN QUERY PLAN "
	if s.postgres {
		head = "EXPLAIN "
		_, err := tx.ExecContext(ctx, "SET LOCAL enable_seqscan = off")
		ok(t, err)
	}
	rows, err := tx.QueryContext(ctx, s.bind(head+q), args...)
	ok(t, err)
	defer rows.Close()
	columns := must[[]string](t)(rows.Columns())
	var out strings.Builder
	for rows.Next() {
		line := make([]any, len(columns))
		for i := range line {
			line[i] = new(any)
		}
		ok(t, rows.Scan(line...))
		fmt.Fprintln(&out, *line[len(line)-1].(*any))
	}
	ok(t, rows.Err())
	return out.String()
}

func TestPairsOfReviewersAreTheTwoBlindVerdicts(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		vote := func(id, account string, o policy.Outcome) {
			t.Helper()
			must[Claim](t)(claimOnly(s.ClaimReview(ctx, account, id, time.Hour)))
			c.add(time.Second)
			_, _, err := s.CastVote(ctx, Ballot{Vote: Vote{Session: id, Account: account, Outcome: o}, Decision: decision(o), Quorum: 1})
			ok(t, err)
		}
		pairs := func() string {
			a, b, err := s.ReviewerPairs(ctx, time.Time{}, 100)
			ok(t, err)
			return fmt.Sprint(a, b)
		}
		var sim *Session
		ok(t, s.Simulate(ctx, func(ctx context.Context, _ *Simulation) error {
			sim = referred(ctx, t, s, "acme", 0)
			return nil
		}))
		vote(sim.ID, "usr_a", policy.Rejected)
		vote(sim.ID, "usr_b", policy.Rejected)
		if got := pairs(); got != "[rejected] [rejected]" {
			t.Errorf("a demo has the pairs %s", got)
		}
		ses := referred(ctx, t, s, "acme", 0)
		vote(ses.ID, "usr_a", policy.Approved)
		vote(ses.ID, "usr_b", policy.Rejected)
		vote(ses.ID, "usr_c", policy.Rejected) // settles, and knows why it was asked
		open := refer(t, s, policy.Triage{Queue: "default", SLA: time.Hour, BusySLA: time.Hour})
		for _, account := range []string{"usr_a", "usr_b"} { // two by quorum, not blind
			must[Claim](t)(claimOnly(s.ClaimReview(ctx, account, open.ID, time.Hour)))
			c.add(time.Second)
			_, _, err := s.CastVote(ctx, Ballot{Vote: Vote{Session: open.ID, Account: account, Outcome: policy.Approved}, Decision: decision(policy.Approved), Quorum: 2})
			ok(t, err)
		}
		if got := pairs(); got != "[approved] [rejected]" {
			t.Errorf("the pairs are %s", got)
		}
	})
}

func TestRemovingSimulatedCasesTakesTheirFiguresAndScoresAlong(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		scored := func(ctx context.Context, score float64) string {
			n := newSession()
			ses := must[*Session](t)(s.Create(ctx, n))
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, consent(), nil))
			must[*Session](t)(s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: "selfie", Object: "none", Size: 1}))
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil))
			body := fmt.Sprintf(`{"findings":[{"stage":"face","subject":"case","measures":[{"name":"face.similarity","value":%g}]}]}`, score)
			_, err := s.PutStage(ctx, StageResult{Session: ses.ID, Attempt: 1, Stage: "face", InputHash: "h", Body: []byte(body)})
			ok(t, err)
			must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil))
			return ses.ID
		}
		figures := func(span time.Duration) (n int64) {
			t.Helper()
			for _, h := range must[[]FigureGroup](t)(s.Figures(ctx, FigureFilter{From: testStart.Add(-Day).Truncate(Day), Before: testStart.Add(2 * Day).Truncate(Day), Span: span})) {
				n += h.Figures[Created]
			}
			return n
		}
		advice := func() int {
			t.Helper()
			return len(must[[]CaseScore](t)(s.Scores(ctx, "face.similarity", testStart.Add(-Day), 10)))
		}
		var sim []string
		ok(t, s.Simulate(ctx, func(ctx context.Context, _ *Simulation) error {
			sim = append(sim, scored(ctx, 0.4), scored(ctx, 0.5))
			return nil
		}))
		must[int](t)(s.CountFigures(ctx))
		if n := advice(); n != 2 {
			t.Errorf("a demo has %d scores to show", n)
		}
		own := scored(ctx, 0.6)
		must[int](t)(s.CountFigures(ctx))
		got := must[[]CaseScore](t)(s.Scores(ctx, "face.similarity", testStart.Add(-Day), 10))
		if len(got) != 1 || got[0].Session != own {
			t.Errorf("advice for a real installation is made of %+v", got)
		}
		if h, d := figures(Hour), figures(Day); h != 3 || d != 3 {
			t.Errorf("%d and %d sessions in the figures", h, d)
		}
		c.add(3 * time.Hour) // so that nothing of that hour has changed lately
		must[int](t)(s.CountFigures(ctx))
		for n := -1; n != 0; {
			var err error
			n, err = s.RemoveSimulated(ctx, service, 10)
			ok(t, err)
		}
		if h, d := figures(Hour), figures(Day); h != 1 || d != 1 {
			t.Errorf("%d and %d sessions are left in the figures", h, d)
		}
		if n := must[int64](t)(s.number(ctx, "count", "SELECT COUNT(*) FROM case_scores")); n != 1 {
			t.Errorf("%d scores are left", n)
		}
		if n := must[int64](t)(s.number(ctx, "count", "SELECT COUNT(*) FROM vault_state WHERE name LIKE 'figures_again%'")); n != 0 {
			t.Errorf("%d hours are still to be counted again", n)
		}
		if es := must[[]audit.Entry](t)(s.Timeline(ctx, sim[0])); len(es) == 0 {
			t.Error("the log forgot")
		}
	})
}

// Whoever adds a table decides what removal does with it.
func TestRemovalKnowsEveryTableThatNamesASession(t *testing.T) {
	s := openTest(t, "sqlite", time.Now)
	tables := must[[]string](t)(list(ctx, s, "list tables", scanString,
		"SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'session' ORDER BY m.name"))
	if len(tables) < 15 {
		t.Fatalf("%v", tables)
	}
	// The log is append-only. What the vault has of a case keeps the case itself
	// from being removed until it is erased, and certifies the erasure afterwards.
	kept := []string{"audit_entries", "objects", "erasures", "data_keys", "erased_keys"}
	for _, name := range tables {
		if slices.Contains(simulatedTables, name) == slices.Contains(kept, name) {
			t.Errorf("is %s removed or kept?", name)
		}
	}
}

func TestTwoEventsOfOneCommitAreBothThereOrNeither(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		toSubmitted(t, s, ses.ID)
		cut := fmt.Errorf("cut")
		both := func(after error) error {
			_, err := s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.PendingReview)), func(tx *Tx) error {
				if err := tx.Then(Decided(reviewer, 1, decision(policy.Approved))); err != nil {
					return err
				}
				return after
			})
			return err
		}
		if err := both(cut); err == nil {
			t.Fatal("the cut went unnoticed")
		}
		if got := must[*Session](t)(s.Get(ctx, ses.ID)); got.State != Submitted {
			t.Errorf("after the cut it is %s", got.State)
		}
		ok(t, both(nil))
		if got := must[*Session](t)(s.Get(ctx, ses.ID)); got.State != Approved || len(must[[]Decision](t)(s.Decisions(ctx, ses.ID))) != 2 {
			t.Errorf("%+v", got)
		}
		if err := both(nil); err == nil {
			t.Error("it was decided twice")
		}
		verifyLog(t, s)
	})
}
