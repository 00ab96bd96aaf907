package pipeline

import (
	"database/sql"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// testCase makes and submits a session of a sandbox, without any photo.
func (w *world) testCase(ref string) string {
	w.t.Helper()
	ses, err := w.store.Create(ctx, session.New{Tenant: session.TestTenant("t1"), PolicyName: w.policy.Name, PolicyVersion: w.policy.Version, PolicyHash: w.policy.Hash(),
		ExternalRef: ref, MaxAttempts: 3, Actor: session.Actor{Role: session.Service, ID: "key_1"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(ses.ID, session.Event{Kind: session.ConsentGiven, Actor: person, Consent: &session.Consent{TextHash: "h", Scope: []string{"document", "biometric"}}})
	w.apply(ses.ID, session.Event{Kind: session.Submit, Actor: person})
	return ses.ID
}

var person = session.Actor{Role: session.Client, ID: "tok_1"}

func (w *world) settled(id string, states ...session.State) *session.Session {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		ses, err := w.store.Get(ctx, id)
		if err != nil {
			w.t.Fatal(err)
		}
		if slices.Contains(states, ses.State) {
			return ses
		}
		if time.Now().After(end) {
			w.t.Fatalf("session %s (%s) stays %s", id, ses.ExternalRef, ses.State)
		}
	}
}

var decided = []session.State{session.Approved, session.Rejected, session.PendingReview, session.NeedsResubmission}

// The whole catalogue, through the real queue, worker, policy and store.
func TestTheSandboxReachesEveryReasonCodeAndEveryState(t *testing.T) {
	w := newWorld(t, "")
	registry := prometheus.NewRegistry()
	c := w.config()
	c.Metrics = NewMetrics(registry)
	w.start(c, stages)

	ids := map[policy.Code]string{}
	for _, code := range policy.Codes() {
		ids[code.Code] = w.testCase("test:" + string(code.Code))
	}
	want := map[policy.Action]session.State{policy.Note: session.Approved, policy.Review: session.PendingReview, policy.Reject: session.Rejected, policy.Resubmit: session.NeedsResubmission}
	cell := w.policy.Cell(policy.Context{})
	reached := map[session.State]bool{session.Initiated: true, session.CaptureInProgress: true, session.Submitted: true}
	for _, info := range policy.Codes() {
		ses := w.settled(ids[info.Code], decided...)
		reached[ses.State] = true
		action := info.Action
		if a, ok := cell.Actions[info.Code]; ok {
			action = a
		}
		raised := slices.ContainsFunc(ses.Decision.Reasons, func(r policy.Reason) bool { return r.Code == info.Code })
		if !raised || ses.State != want[action] || action != policy.Note && !slices.Equal(ses.Decision.Codes, []policy.Code{info.Code}) {
			t.Errorf("%s (%s) came to %s with %v", info.Code, action, ses.State, ses.Decision.Codes)
		}
		if action == policy.Resubmit && (ses.Decision.Hint == nil || ses.Decision.Hint.Code != info.Code || len(ses.Decision.Retake) == 0) {
			t.Errorf("%s asks for another photo without saying which: %+v", info.Code, ses.Decision)
		}
	}
	expired := w.testCase("test:submitted")
	w.apply(expired, session.Event{Kind: session.ConsentWithdrawn, Actor: person})
	reached[w.settled(expired, session.Expired).State] = true
	for _, s := range session.States() {
		if !reached[s] {
			t.Errorf("the state %s was not reached", s)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "proofline_case") || strings.HasPrefix(f.GetName(), "proofline_stage") {
			t.Errorf("the live metric %s counted test cases: %v", f.GetName(), f)
		}
	}
}

func TestASandboxCaseGoesOnAsItsReferenceSays(t *testing.T) {
	w := newWorld(t, "")
	w.start(w.config(), stages)
	again := func(id string) {
		w.apply(id, session.Event{Kind: session.StartCapture, Actor: person})
		w.apply(id, session.Event{Kind: session.Submit, Actor: person})
	}
	once, always := w.testCase("test:capture.blurred"), w.testCase("test:always:capture.blurred")
	for _, id := range []string{once, always} {
		w.settled(id, session.NeedsResubmission)
		again(id)
	}
	w.settled(once, session.Approved)
	w.settled(always, session.NeedsResubmission)
	again(always)
	w.settled(always, session.PendingReview) // no attempt is left, so a person would look

	for ref, want := range map[string]session.State{
		"order-4711": session.Approved, "": session.Approved, "test:approved": session.Approved,
		"test:document.expired,capture.blurred": session.NeedsResubmission,
		"test:review=approved":                  session.Approved,
		"test:review=rejected":                  session.Rejected,
		"test:review=needs_resubmission":        session.NeedsResubmission,
	} {
		id := w.testCase(ref)
		ses := w.settled(id, want)
		if by, review := ses.Decision.By, strings.Contains(ref, "review="); (by == session.Reviewer) != review {
			t.Errorf("%q was decided by %s", ref, by)
		}
	}
	slow := w.testCase("test:submitted")
	// A worker had it, and put it off until its minute is over.
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		row := w.verifyRow(slow)
		if row.Reason == "sandbox" && row.Tries > 0 {
			if until := row.AvailableAt.Sub(w.settled(slow, session.Submitted).SubmittedAt); until < sandboxWait-time.Second || until > sandboxWait+time.Second {
				t.Errorf("it is decided %v after the submission", until)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no worker has looked at it: %+v", row)
		}
	}
	w.settled(slow, session.Submitted)
}

// verifyRow is the promise to decide the session.
func (w *world) verifyRow(id string) session.Outbox {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "store.db"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	var row string
	if err := db.QueryRowContext(ctx, "SELECT id FROM outbox WHERE kind = 'verify' AND session = ?", id).Scan(&row); err != nil {
		w.t.Fatal(err)
	}
	o, err := w.store.OutboxRow(ctx, row)
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// A worker that dies between the referral and the verdict leaves a case that is
// decided all the same. The cut is one that the database makes.
func TestATestReviewThatIsCutInTheMiddleIsDecidedLater(t *testing.T) {
	w := newWorld(t, "")
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "store.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do := func(q string) {
		t.Helper()
		if _, err := db.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE TRIGGER cut BEFORE INSERT ON decisions WHEN NEW.decider = 'reviewer' BEGIN SELECT RAISE(ABORT, 'cut'); END")
	id := w.testCase("test:review=approved")
	row := w.verifyRow(id)
	work, err := NewWorker(w.config())
	if err != nil {
		t.Fatal(err)
	}
	run := func() error {
		lease, err := w.store.Claim(ctx, id, 1, "test-worker", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		ses, err := w.store.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		return errors.Join(work.runTest(ctx, row, lease, ses), w.store.Release(ctx, lease))
	}
	if err := run(); err == nil {
		t.Error("the cut went unnoticed")
	}
	ses, err := w.store.Get(ctx, id)
	if err != nil || ses.State != session.Submitted || w.verifyRow(id).State == session.Done {
		t.Errorf("after the cut the case is %s, its work %s, %v", ses.State, w.verifyRow(id).State, err)
	}
	do("DROP TRIGGER cut")
	w.start(w.config(), stages)
	if ses := w.settled(id, session.Approved); ses.Decision.By != session.Reviewer {
		t.Errorf("it was decided by %s", ses.Decision.By)
	}
	ds, err := w.store.Decisions(ctx, id)
	if err != nil || len(ds) != 2 || ds[0].State != session.PendingReview {
		t.Errorf("%+v, %v", ds, err)
	}
}

func TestALiveCaseIsNeverDecidedByItsReference(t *testing.T) {
	w := newWorld(t, "")
	w.start(w.config(), stages)
	id := w.submit(func(n *session.New) { n.ExternalRef = "test:approved" })
	ses := w.settled(id, decided...)
	if ses.State == session.Approved || slices.Contains(ses.Decision.Codes, "") {
		t.Errorf("a live case without a usable photo came to %s", ses.State)
	}
	page, err := w.store.List(ctx, session.Filter{})
	if err != nil || len(page.Sessions) != 1 {
		t.Fatalf("%d sessions, %v", len(page.Sessions), err)
	}
	w.testCase("test:pending_review"[:5] + "biometric.presentation_attack")
	page, err = w.store.List(ctx, session.Filter{})
	if err != nil || len(page.Sessions) != 1 || page.Sessions[0].Test() {
		t.Errorf("a list of all tenants shows %d sessions, %v", len(page.Sessions), err)
	}
}

func FuzzParseSandbox(f *testing.F) {
	f.Add("test:always:capture.blurred,document.expired")
	f.Add("test:review=approved")
	f.Fuzz(func(t *testing.T, ref string) {
		s, err := session.ParseSandbox(ref)
		if err != nil {
			return
		}
		for _, st := range sandboxStages(s, 1) {
			if _, err := st.Run(ctx, &run{cell: policy.Default().Cell(policy.Context{})}); err != nil {
				t.Error(err)
			}
		}
	})
}
