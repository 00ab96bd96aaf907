package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

var testStart = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// testClock is a clock that tests move.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.t }
func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

// each runs a test against both databases: the conformance suite of the store.
func each(t *testing.T, test func(t *testing.T, s *Store, c *testClock)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			c := &testClock{t: testStart}
			test(t, openTest(t, kind, c.Now), c)
		})
	}
}

func openTest(t testing.TB, kind string, now func() time.Time) *Store {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "store.db")
	if kind == "postgres" {
		dsn = testserver.Postgres(t).DSN
	}
	s, err := Open(context.Background(), dsn, WithClock(now))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var (
	ctx      = context.Background()
	client   = Actor{Client, "tok_1"}
	service  = Actor{Service, "key_1"}
	worker   = Actor{Worker, "w1"}
	reviewer = Actor{Reviewer, "acc_1"}
)

func newSession() New {
	return New{Tenant: "acme", PolicyName: "default", PolicyVersion: "1", PolicyHash: "abc", Actor: service}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func consent() Event {
	return Event{Kind: ConsentGiven, Actor: client, Consent: &Consent{TextHash: "c0ffee", Scope: []string{"document", "biometric"}}}
}

// toSubmitted takes a session that is not yet captured to submitted.
func toSubmitted(t testing.TB, s *Store, id string) *Session {
	t.Helper()
	ses := must[*Session](t)(s.Get(ctx, id))
	if ses.State == NeedsResubmission {
		must[*Session](t)(s.Apply(ctx, id, AnyVersion, Event{Kind: StartCapture, Actor: client}, nil))
	} else {
		must[*Session](t)(s.Apply(ctx, id, AnyVersion, consent(), nil))
	}
	for _, kind := range []string{"document_front", "selfie"} {
		must[*Session](t)(s.PutEvidence(ctx, client, Evidence{Session: id, Kind: kind, Object: "obj_" + kind, SHA256: "00", Size: 3}))
	}
	return must[*Session](t)(s.Apply(ctx, id, AnyVersion, Event{Kind: Submit, Actor: client}, nil))
}

func decision(o policy.Outcome, codes ...policy.Code) policy.Decision {
	return policy.Decision{Outcome: o, Codes: codes, Reasons: []policy.Reason{}, Policy: "default", PolicyVersion: "1", PolicyHash: "abc"}
}

func TestASessionGoesFromCreationToApprovalAndEveryStepIsAuditedAndAnnounced(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		end := must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://example.com/hook", Secrets: []byte("wrapped")}))
		must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "other", URL: "https://example.com/hook"}))
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		if ses.State != Initiated || ses.Version != 1 || ses.Attempt != 1 || ses.MaxAttempts != 3 || !ses.ExpiresAt.Equal(testStart.Add(24*time.Hour)) {
			t.Fatalf("created %+v", ses)
		}
		toSubmitted(t, s, ses.ID)
		pending := must[[]Outbox](t)(s.Pending(ctx, 100))
		verify := pending[slices.IndexFunc(pending, func(o Outbox) bool { return o.Kind == KindVerify })]
		if verify.Session != ses.ID || verify.Attempt != 1 || verify.State != Pending {
			t.Fatalf("verify row %+v", verify)
		}
		got := must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil))
		if got.State != Approved || got.Decision == nil || got.Decision.Outcome != policy.Approved || got.Decision.By != Worker {
			t.Fatalf("decided %+v", got)
		}
		again := must[*Session](t)(s.Get(ctx, ses.ID))
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(again)
		if string(a) != string(b) {
			t.Errorf("Apply returned\n%s\nstored is\n%s", a, b)
		}
		if row := must[Outbox](t)(s.OutboxRow(ctx, verify.ID)); row.State != Done {
			t.Errorf("verify row is %s after the decision", row.State)
		}
		var types []string
		sequences := map[int64]bool{}
		for _, d := range must[[]Delivery](t)(s.Deliveries(ctx, ses.ID)) {
			var n Notice
			ok(t, json.Unmarshal(d.Body, &n))
			types = append(types, n.Type)
			if n.Data.EventID != d.Event || sequences[n.Data.Sequence] || d.Endpoint.ID != end.ID || string(d.Endpoint.Secrets) != "wrapped" || d.Outbox == "" {
				t.Errorf("delivery %+v, body %s", d, d.Body)
			}
			sequences[n.Data.Sequence] = true
		}
		if want := []string{NoticeCreated, NoticeCaptureStarted, NoticeSubmitted, NoticeDecided}; !slices.Equal(types, want) {
			t.Errorf("announced %v, want %v", types, want)
		}
		var actions []string
		for _, e := range must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID)) {
			actions = append(actions, e.Action)
		}
		want := []string{"session.create", "session.consent_given", "session.evidence_added", "evidence.committed", "session.evidence_added", "evidence.committed", "session.submit", "session.approve"}
		if !slices.Equal(actions, want) {
			t.Errorf("audited %v", actions)
		}
	})
}

func TestALateOrRepeatedEventIsAnAuditedNoOp(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		id := ses.ID
		toSubmitted(t, s, id)
		reason := func(ev Event) Reason {
			t.Helper()
			before := must[*Session](t)(s.Get(ctx, id))
			entries := len(must[[]audit.Entry](t)(s.Timeline(ctx, id)))
			got, err := s.Apply(ctx, id, AnyVersion, ev, func(*Tx) error { t.Error("the function ran"); return nil })
			var none *NoTransitionError
			if !errors.As(err, &none) || !errors.Is(err, ErrNoTransition) {
				t.Fatalf("%s gave %v", ev.Kind, err)
			}
			if got.Version != before.Version || got.State != before.State {
				t.Errorf("%s changed the session", ev.Kind)
			}
			after := must[[]audit.Entry](t)(s.Timeline(ctx, id))
			if len(after) != entries+1 || after[entries].Outcome != "noop" || after[entries].Refs["reason"] != string(none.Reason) {
				t.Errorf("%s was not audited as a no-op", ev.Kind)
			}
			return none.Reason
		}
		for _, k := range []struct {
			ev   Event
			want Reason
		}{
			{Event{Kind: Submit, Actor: client}, Duplicate},
			{consent(), NotLegal},
			{Decided(worker, 2, decision(policy.Approved)), StaleAttempt},
			{Decided(reviewer, 1, decision(policy.Approved)), WrongActor},
			{Event{Kind: Expire, Actor: Actor{Role: System}}, NotLegal},
		} {
			if got := reason(k.ev); got != k.want {
				t.Errorf("%s: reason %s, want %s", k.ev.Kind, got, k.want)
			}
		}
		must[*Session](t)(s.Apply(ctx, id, AnyVersion, Decided(worker, 1, decision(policy.Rejected, "document.expired")), nil))
		for _, ev := range []Event{Decided(worker, 1, decision(policy.Approved)), Decided(worker, 1, decision(policy.Rejected)),
			{Kind: Submit, Actor: client}, {Kind: Cancel, Actor: service}, {Kind: ConsentWithdrawn, Actor: client}} {
			if got := reason(ev); got != AlreadyTerminal {
				t.Errorf("%s after the end: reason %s", ev.Kind, got)
			}
		}
		if n := len(must[[]Decision](t)(s.Decisions(ctx, id))); n != 1 {
			t.Errorf("%d decisions", n)
		}
	})
}

func TestResubmissionOpensTheNextAttemptUntilNoneIsLeft(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		n := newSession()
		n.MaxAttempts = 2
		ses := must[*Session](t)(s.Create(ctx, n))
		toSubmitted(t, s, ses.ID)
		c.add(23 * time.Hour)
		again := decision(policy.NeedsResubmission, "capture.blurred")
		again.Retake = []string{"document_front"}
		got := must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, again), nil))
		if got.State != NeedsResubmission || got.Attempt != 1 || !got.ExpiresAt.Equal(c.Now().Add(24*time.Hour)) {
			t.Fatalf("after the first attempt %+v", got)
		}
		got = must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: StartCapture, Actor: client}, nil))
		if got.State != CaptureInProgress || got.Attempt != 2 {
			t.Fatalf("second capture %+v", got)
		}
		must[*Session](t)(s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: "document_front", Object: "obj_2"}))
		ev := must[[]Evidence](t)(s.Evidence(ctx, ses.ID, 2))
		if len(ev) != 2 || ev[0].Object != "obj_2" || ev[0].Attempt != 2 || ev[1].Kind != "selfie" || ev[1].Attempt != 1 {
			t.Fatalf("evidence of attempt 2: %+v", ev)
		}
		if ev := must[[]Evidence](t)(s.Evidence(ctx, ses.ID, 1)); ev[0].Object != "obj_document_front" {
			t.Fatalf("evidence of attempt 1: %+v", ev)
		}
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil))
		// A late run of the first attempt decides nothing.
		if _, err := s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil); !errors.Is(err, ErrNoTransition) {
			t.Fatal(err)
		}
		got = must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 2, again), nil))
		if got.State != PendingReview || got.Decision.State != PendingReview {
			t.Fatalf("no attempt left: %+v", got)
		}
		got = must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(reviewer, 2, again), nil))
		if got.State != Rejected {
			t.Fatalf("reviewer without attempts: %+v", got)
		}
		if ds := must[[]Decision](t)(s.Decisions(ctx, ses.ID)); len(ds) != 3 || ds[2].By != Reviewer {
			t.Errorf("decisions %+v", ds)
		}
	})
}

func TestAnEventAfterItsTimeExpiresTheSession(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		a := must[*Session](t)(s.Create(ctx, newSession()))
		b := must[*Session](t)(s.Create(ctx, newSession()))
		safe := must[*Session](t)(s.Create(ctx, newSession()))
		toSubmitted(t, s, safe.ID)
		if n := must[int](t)(s.ExpireDue(ctx, 10)); n != 0 {
			t.Fatalf("%d expired early", n)
		}
		c.add(24 * time.Hour)
		got, err := s.Apply(ctx, a.ID, AnyVersion, consent(), nil)
		var none *NoTransitionError
		if !errors.As(err, &none) || none.Reason != TimeExpired || got.State != Expired {
			t.Fatalf("%v, %+v", err, got)
		}
		if n := must[int](t)(s.ExpireDue(ctx, 10)); n != 1 {
			t.Fatalf("%d expired", n)
		}
		if got := must[*Session](t)(s.Get(ctx, b.ID)); got.State != Expired {
			t.Fatalf("%+v", got)
		}
		// A person who was told "received" gets a decision, however late.
		if got := must[*Session](t)(s.Get(ctx, safe.ID)); got.State != Submitted {
			t.Fatalf("%+v", got)
		}
	})
}

func TestNothingIsSubmittedWithoutConsent(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: StartCapture, Actor: client}, nil))
		_, err := s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: "selfie", Object: "o"})
		var none *NoTransitionError
		if !errors.As(err, &none) || none.Guard != ConsentOnRecord {
			t.Fatal(err)
		}
		if _, err := s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil); !errors.Is(err, ErrNoTransition) {
			t.Fatal(err)
		}
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, consent(), nil))
		must[*Session](t)(s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: "selfie", Object: "o"}))
		got := must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: ConsentWithdrawn, Actor: client}, nil))
		rows := must[[]Outbox](t)(s.Pending(ctx, 10))
		if got.State != Expired || len(rows) != 1 || rows[0].Kind != KindErase {
			t.Fatalf("withdrawn: %+v, outbox %+v", got, rows)
		}
	})
}

func TestAStaleVersionIsAConflictAndChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		must[*Session](t)(s.Apply(ctx, ses.ID, ses.Version, consent(), nil))
		got, err := s.Apply(ctx, ses.ID, ses.Version, Event{Kind: Submit, Actor: client}, nil)
		var conflict *ConflictError
		if !errors.As(err, &conflict) || conflict.Actual != 2 || got.State != CaptureInProgress {
			t.Fatalf("%v, %+v", err, got)
		}
		if _, err := s.Apply(ctx, "ses_nowhere", AnyVersion, consent(), nil); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
	})
}

func TestAFailureInTheFunctionLeavesNothingBehind(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, consent(), nil))
		before := must[*audit.Frontier](t)(s.AuditHead(ctx)).Size()
		boom := errors.New("boom")
		for want, fail := range map[string]func(*Tx) error{
			"boom": func(tx *Tx) error { tx.PutEvidence(Evidence{Kind: "selfie", Object: "o"}); return boom },
			// A panic's text can quote a person's data; only its type is said.
			"panic of type string": func(tx *Tx) error { panic("secret") },
		} {
			_, err := s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, fail)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Fatal(err)
			}
		}
		if got := must[*Session](t)(s.Get(ctx, ses.ID)); got.State != CaptureInProgress || got.Version != 2 {
			t.Fatalf("%+v", got)
		}
		if ev := must[[]Evidence](t)(s.Evidence(ctx, ses.ID, 1)); len(ev) != 0 {
			t.Fatalf("%+v", ev)
		}
		if rows := must[[]Outbox](t)(s.Pending(ctx, 10)); len(rows) != 0 {
			t.Fatalf("%+v", rows)
		}
		if n := must[*audit.Frontier](t)(s.AuditHead(ctx)).Size(); n != before {
			t.Fatalf("audit grew from %d to %d", before, n)
		}
	})
}

func TestConcurrentWritersAndFailuresKeepEachOthersWork(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		const people, submits = 24, 4
		var wg sync.WaitGroup
		ids := make([]string, people)
		for i := range people {
			ids[i] = must[*Session](t)(s.Create(ctx, newSession())).ID
		}
		var mu sync.Mutex
		won := map[string]int{}
		for _, id := range ids {
			must[*Session](t)(s.Apply(ctx, id, AnyVersion, consent(), nil))
			for n := range submits {
				wg.Add(1)
				go func() {
					defer wg.Done()
					cancelled, cancel := context.WithCancel(ctx)
					defer cancel()
					if n == 0 {
						cancel()
					}
					_, err := s.Apply(cancelled, id, AnyVersion, Event{Kind: Submit, Actor: client}, func(tx *Tx) error {
						if n == 1 {
							return errors.New("deliberate")
						}
						return nil
					})
					mu.Lock()
					defer mu.Unlock()
					if err == nil {
						won[id]++
					} else if n > 1 && !errors.Is(err, ErrNoTransition) {
						t.Error(err)
					}
				}()
			}
		}
		wg.Wait()
		rows := must[[]Outbox](t)(s.Pending(ctx, 1000))
		for _, id := range ids {
			verify := 0
			for _, o := range rows {
				if o.Session == id && o.Kind == KindVerify {
					verify++
				}
			}
			if won[id] != 1 || verify != 1 {
				t.Errorf("session was submitted %d times with %d runs", won[id], verify)
			}
		}
		verifyLog(t, s)
	})
}

// verifyLog signs the log and verifies all of it.
func verifyLog(t testing.TB, s *Store) audit.Report {
	t.Helper()
	signer, verifier := testKey(t)
	if _, _, err := s.Checkpoint(ctx, signer); err != nil {
		t.Fatal(err)
	}
	r, err := s.VerifyAudit(ctx, verifier)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheVaultsRowsKeepTheContract(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			storagetest.RunIndex(t, func(t *testing.T) storage.Index {
				return openTest(t, kind, (&testClock{t: testStart}).Now)
			})
			storagetest.RunKeyIndex(t, func(t *testing.T) storage.KeyIndex {
				return openTest(t, kind, (&testClock{t: testStart}).Now)
			})
		})
	}
}

func TestACreateWithTheSameIdempotencyKeyGivesTheSameSession(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		n := newSession()
		n.IdempotencyKey = "k1"
		var wg sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			wg.Add(1)
			go func() {
				defer wg.Done()
				ses, err := s.Create(ctx, n)
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = ses.ID
			}()
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("ids %v", ids)
			}
		}
		n.Tenant = "other"
		if ses := must[*Session](t)(s.Create(ctx, n)); ses.ID == ids[0] {
			t.Error("another tenant got the session")
		}
		if e := must[[]audit.Entry](t)(s.Timeline(ctx, ids[0])); len(e) != 1 {
			t.Errorf("%d entries", len(e))
		}
	})
}

func TestListPagesThroughEverySessionOnceInOrder(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		var all, submitted []string
		for i := range 23 {
			n := newSession()
			n.ExternalRef = fmt.Sprint("ref", i%5)
			ses := must[*Session](t)(s.Create(ctx, n))
			all = append(all, ses.ID)
			if i%3 == 0 {
				toSubmitted(t, s, ses.ID)
				submitted = append(submitted, ses.ID)
			}
			c.add(time.Second)
		}
		walk := func(f Filter) []string {
			var got []string
			for {
				p := must[Page](t)(s.List(ctx, f))
				for _, ses := range p.Sessions {
					got = append(got, ses.ID)
				}
				if f.Cursor = p.Next; p.Next == "" {
					return got
				}
			}
		}
		newest := slices.Clone(all)
		slices.Reverse(newest)
		if got := walk(Filter{Tenant: "acme", Limit: 4}); !slices.Equal(got, newest) {
			t.Errorf("newest first: %v", got)
		}
		if got := walk(Filter{Tenant: "acme", Limit: 5, OldestFirst: true}); !slices.Equal(got, all) {
			t.Errorf("oldest first: %v", got)
		}
		if got := walk(Filter{Limit: 3, States: []State{Submitted}, OldestFirst: true}); !slices.Equal(got, submitted) {
			t.Errorf("submitted: %v", got)
		}
		if got := walk(Filter{Limit: 3, States: []State{Initiated, Submitted}, OldestFirst: true}); !slices.Equal(got, all) {
			t.Errorf("two states: %v", got)
		}
		if got := walk(Filter{Tenant: "acme", ExternalRef: "ref2"}); len(got) != 5 {
			t.Errorf("by reference: %v", got)
		}
		if got := walk(Filter{CreatedFrom: testStart.Add(3 * time.Second), CreatedBefore: testStart.Add(6 * time.Second), OldestFirst: true}); !slices.Equal(got, all[3:6]) {
			t.Errorf("by time: %v, want %v", got, all[3:6])
		}
		if got := walk(Filter{Tenant: "other"}); len(got) != 0 {
			t.Errorf("another tenant: %v", got)
		}
		if _, err := s.List(ctx, Filter{Cursor: "nonsense"}); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}
