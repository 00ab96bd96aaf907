package session

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
)

// boss is who changes policies.
var boss = Actor{Role: Operator, ID: "usr_2"}

// total adds all groups of a span up.
func total(t testing.TB, s *Store, span time.Duration) (f Figures) {
	t.Helper()
	for _, g := range must[[]FigureGroup](t)(s.Figures(ctx, FigureFilter{Before: testStart.Add(100 * Day), Span: span})) {
		f.Add(&g.Figures)
	}
	return f
}

func TestFiguresFollowWhatBecomesOfSessions(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://a.example/h"}))
		make_ := func(country string) string {
			n := newSession()
			n.Jurisdiction, n.DocumentType = country, "passport"
			return must[*Session](t)(s.Create(ctx, n)).ID
		}
		approved, left, reviewed := make_("ES"), make_("ES"), make_("DE")
		_ = left
		toSubmitted(t, s, approved)
		toSubmitted(t, s, reviewed)
		c.add(3 * time.Second)
		must[*Session](t)(s.Apply(ctx, approved, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil))
		doubt := decision(policy.PendingReview, "biometric.liveness_uncertain")
		doubt.Reasons = []policy.Reason{{Code: "biometric.liveness_uncertain", Action: policy.Review}, {Code: "capture.several_documents", Action: policy.Note}}
		must[*Session](t)(s.Apply(ctx, reviewed, AnyVersion, Decided(worker, 1, doubt), nil))
		if n := must[int](t)(s.CountFigures(ctx)); n == 0 { // the neighbour of a change near the hour is counted, too
			t.Errorf("%d hours counted", n)
		}
		for _, span := range []time.Duration{Hour, Day} {
			f := total(t, s, span)
			if f[Created] != 3 || f[Consented] != 2 || f[SentIn] != 2 || f[Judged] != 2 || f[ToReview] != 1 || f[EndApproved] != 1 || f[HooksDue] == 0 {
				t.Errorf("after %v: %v", span, encodeFigures(&f, nil))
			}
			if d, ok := f.Quantile(DecideTime, .5); !ok || d < 2*time.Second || d > 4*time.Second {
				t.Errorf("median time to decision: %v %v", d, ok)
			}
		}
		days := must[[]FigureGroup](t)(s.Figures(ctx, FigureFilter{Before: testStart.Add(100 * Day), Span: Day}))
		causes := Causes{}
		for _, g := range days {
			causes.Add(g.Causes)
		}
		if causes["biometric"] != 1 || causes["biometric.liveness_uncertain"] != 1 || len(causes) != 2 {
			t.Errorf("causes %v", causes)
		}
		c.add(25 * time.Hour) // the one who left expires; the review ends
		must[int](t)(s.ExpireDue(ctx, 10))
		must[*Session](t)(s.Apply(ctx, reviewed, AnyVersion, Decided(Actor{Role: Reviewer, ID: "usr_1"}, 1, decision(policy.Rejected, "biometric.presentation_attack")), nil))
		if n := must[int](t)(s.CountFigures(ctx)); n == 0 { // the neighbour of a change near the hour is counted, too
			t.Errorf("%d hours counted again", n)
		}
		f := total(t, s, Day)
		if f[Created] != 3 || f[EndExpired] != 1 || f[LeftAtStart] != 1 || f[EndRejected] != 1 {
			t.Errorf("at the end: %v", encodeFigures(&f, nil))
		}
		only := must[[]FigureGroup](t)(s.Figures(ctx, FigureFilter{Before: testStart.Add(100 * Day), Span: Day, Jurisdiction: "DE"}))
		if len(only) != 1 || only[0].Figures[Created] != 1 {
			t.Errorf("DE: %v", only)
		}
		c.add(time.Hour)
		must[int](t)(s.CountFigures(ctx))
		if n := must[int](t)(s.CountFigures(ctx)); n != 0 {
			t.Errorf("%d hours counted though nothing changed", n)
		}
	})
}

func TestScoresCarryOnlyVerdictsThatAreAboutTheMeasure(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		person := Actor{Role: Reviewer, ID: "usr_1"}
		run := func(score float64, verdict policy.Outcome, code policy.Code) string {
			id := must[*Session](t)(s.Create(ctx, newSession())).ID
			toSubmitted(t, s, id)
			body, err := json.Marshal(map[string]any{"findings": []policy.Finding{{Stage: "face", Subject: "case", Measures: []policy.Measure{{Name: "face.similarity", Value: score}}}}})
			ok(t, err)
			must[StageResult](t)(s.PutStage(ctx, StageResult{Session: id, Attempt: 1, Stage: "face", InputHash: "h", Body: body}))
			must[*Session](t)(s.Apply(ctx, id, AnyVersion, Decided(worker, 1, decision(policy.PendingReview, "biometric.face_match_uncertain")), nil))
			if verdict != "" {
				must[*Session](t)(s.Apply(ctx, id, AnyVersion, Decided(person, 1, decision(verdict, code)), nil))
			}
			return id
		}
		want := map[string]CaseScore{}
		for _, c := range []CaseScore{
			{Session: run(0.7, policy.Approved, ""), Score: 0.7, Known: true, Genuine: true},
			{Session: run(0.2, policy.Rejected, "biometric.face_mismatch"), Score: 0.2, Known: true},
			{Session: run(0.6, policy.Rejected, "document.expired"), Score: 0.6},
			{Session: run(0.4, "", ""), Score: 0.4},
		} {
			c.Attempt, c.Automatic = 1, policy.PendingReview
			want[c.Session] = c
		}
		for range 2 { // again changes nothing
			must[int](t)(s.CountFigures(ctx))
			got := must[[]CaseScore](t)(s.Scores(ctx, "face.similarity", testStart.Add(-time.Hour), 100))
			if len(got) != len(want) {
				t.Fatalf("%d scores", len(got))
			}
			for _, c := range got {
				if c != want[c.Session] {
					t.Errorf("%+v, want %+v", c, want[c.Session])
				}
			}
		}
		if got := must[[]CaseScore](t)(s.Scores(ctx, "face.similarity", testStart.Add(-time.Hour), 2)); len(got) != 2 || got[1].Score != 0.4 {
			t.Errorf("the newest two: %v", got)
		}
	})
}

func TestOfTwoPolicyChangesOnTheSameBaseOneComesTooLate(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		config := Actor{Role: System, ID: "config"}
		rules := func(hash string) Rules {
			return Rules{Hash: hash, Kind: PolicyRules, Name: "acme", Version: hash, Text: []byte("text of " + hash)}
		}
		ok(t, s.PutRules(ctx, config, rules("v1")))
		if c := must[PolicyChange](t)(s.ConfigurePolicy(ctx, config, rules("v1"), true)); c.Hash != "v1" {
			t.Fatalf("%+v", c)
		}
		one := must[PolicyChange](t)(s.ProposePolicy(ctx, boss, rules("v2"), "v1", "stricter"))
		two := must[PolicyChange](t)(s.ProposePolicy(ctx, boss, rules("v3"), "v1", "milder"))
		must[PolicyChange](t)(s.ActivatePolicy(ctx, boss, one.ID, false))
		if _, err := s.ActivatePolicy(ctx, boss, two.ID, false); !errors.Is(err, ErrPolicyMoved) {
			t.Errorf("the second is activated: %v", err)
		}
		if _, err := s.ActivatePolicy(ctx, boss, one.ID, false); err == nil {
			t.Error("activated twice")
		}
		if _, err := s.ProposePolicy(ctx, boss, rules("v4"), "v1", ""); !errors.Is(err, ErrPolicyMoved) {
			t.Errorf("proposed on an old base: %v", err)
		}
		must[PolicyChange](t)(s.WithdrawPolicy(ctx, boss, two.ID))
		// A restart with the same file keeps what people activated, another file wins.
		if c := must[PolicyChange](t)(s.ConfigurePolicy(ctx, config, rules("v1"), true)); c.Hash != "v2" {
			t.Errorf("a restart brought %s back", c.Hash)
		}
		ok(t, s.PutRules(ctx, config, rules("v5")))
		if c := must[PolicyChange](t)(s.ConfigurePolicy(ctx, config, rules("v5"), false)); c.Hash != "v2" {
			t.Errorf("an upgrade of the shipped policy replaced it by %s", c.Hash)
		}
		if c := must[PolicyChange](t)(s.ConfigurePolicy(ctx, config, rules("v5"), true)); c.Hash != "v5" || c.Base != "v2" {
			t.Errorf("%+v", c)
		}
		states := map[string]string{}
		for _, c := range must[[]PolicyChange](t)(s.PolicyChanges(ctx, "", 10)) {
			states[c.Hash] = c.State
		}
		if states["v1"] != PolicyPast || states["v2"] != PolicyPast || states["v3"] != PolicyWithdrawn || states["v5"] != PolicyActive {
			t.Errorf("%v", states)
		}
		verifyLog(t, s)
	})
}

func TestTheAuditLogIsSearchedBackwards(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		var ids []string
		for range 5 {
			id := must[*Session](t)(s.Create(ctx, newSession())).ID
			toSubmitted(t, s, id)
			ids = append(ids, id)
		}
		found := must[AuditFound](t)(s.SearchAudit(ctx, AuditFilter{Action: "session.create", Limit: 2}))
		if len(found.Entries) != 2 || found.Entries[0].Session != ids[4] || found.Next == 0 {
			t.Fatalf("%+v", found)
		}
		found = must[AuditFound](t)(s.SearchAudit(ctx, AuditFilter{Action: "session.create", Limit: 5, Before: found.Next}))
		if len(found.Entries) != 3 || found.Next != 0 {
			t.Errorf("the rest: %+v", found)
		}
		found = must[AuditFound](t)(s.SearchAudit(ctx, AuditFilter{Session: ids[1], Actor: "client", Limit: 50}))
		for _, e := range found.Entries {
			if e.Session != ids[1] {
				t.Errorf("%+v", e)
			}
		}
		if len(found.Entries) == 0 {
			t.Error("nothing of the session")
		}
	})
}
