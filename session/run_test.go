package session

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

func testKey(t testing.TB) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := audit.GenerateKey("proofline.test/audit")
	ok(t, err)
	signer, err := note.NewSigner(skey)
	ok(t, err)
	return signer, vkey
}

func TestAKilledWorkersRunIsTakenOverAfterItsLeaseAndNotBefore(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		if _, err := s.Claim(ctx, ses.ID, 1, "w1", time.Minute); !errors.Is(err, ErrNotRunnable) {
			t.Fatal(err)
		}
		toSubmitted(t, s, ses.ID)
		first := must[Lease](t)(s.Claim(ctx, ses.ID, 1, "w1", time.Minute))
		if _, err := s.Claim(ctx, ses.ID, 1, "w2", time.Minute); !errors.Is(err, ErrLeased) {
			t.Fatal(err)
		}
		c.add(50 * time.Second)
		first = must[Lease](t)(s.Heartbeat(ctx, first, time.Minute))
		c.add(50 * time.Second)
		if _, err := s.Claim(ctx, ses.ID, 1, "w2", time.Minute); !errors.Is(err, ErrLeased) {
			t.Fatal("taken in spite of a heartbeat")
		}
		c.add(10 * time.Second)
		second := must[Lease](t)(s.Claim(ctx, ses.ID, 1, "w2", time.Minute))
		if second.Fence <= first.Fence {
			t.Errorf("fence %d after %d", second.Fence, first.Fence)
		}
		if _, err := s.Heartbeat(ctx, first, time.Minute); !errors.Is(err, ErrLeaseLost) {
			t.Fatal(err)
		}
		ok(t, s.Release(ctx, first)) // must not free the other's
		if _, err := s.Claim(ctx, ses.ID, 1, "w3", time.Minute); !errors.Is(err, ErrLeased) {
			t.Fatal(err)
		}
		ok(t, s.Release(ctx, second))
		must[Lease](t)(s.Claim(ctx, ses.ID, 1, "w3", time.Minute))
		if _, err := s.Claim(ctx, ses.ID, 2, "w3", time.Minute); !errors.Is(err, ErrNotRunnable) {
			t.Fatal(err)
		}
		if _, err := s.Claim(ctx, "ses_x", 1, "w3", time.Minute); !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil))
		if _, err := s.Claim(ctx, ses.ID, 1, "w3", time.Minute); !errors.Is(err, ErrNotRunnable) {
			t.Fatal("a decided run was claimed")
		}
	})
}

func TestOfManyWorkersOneGetsTheRun(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		toSubmitted(t, s, ses.ID)
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := 0
		for i := range 16 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, err := s.Claim(ctx, ses.ID, 1, string(rune('a'+i)), time.Minute)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					got++
				} else if !errors.Is(err, ErrLeased) {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if got != 1 {
			t.Errorf("%d workers got it", got)
		}
	})
}

func TestAStageIsStoredOncePerInput(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		put := func(hash, body string) string {
			r := must[StageResult](t)(s.PutStage(ctx, StageResult{Session: "ses_a", Attempt: 1, Stage: "mrz", InputHash: hash, Body: json.RawMessage(body)}))
			return string(r.Body)
		}
		if got := put("h1", `{"n":1}`); got != `{"n":1}` {
			t.Error(got)
		}
		if got := put("h1", `{"n":2}`); got != `{"n":1}` {
			t.Errorf("the second worker got %s", got)
		}
		c.add(time.Second)
		put("h2", `{"n":3}`)
		rs := must[[]StageResult](t)(s.Stages(ctx, "ses_a", 1))
		if len(rs) != 2 || string(rs[1].Body) != `{"n":3}` || rs[0].InputHash != "h1" {
			t.Errorf("%+v", rs)
		}
		if _, err := s.PutStage(ctx, StageResult{Session: "ses_a", Attempt: 1, Stage: "mrz", InputHash: "h", Body: []byte("{")}); !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	})
}

func TestTheOutboxForgetsNothingAndTheReconcilerFindsWhatIsLost(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		toSubmitted(t, s, ses.ID)
		row := must[[]Outbox](t)(s.Pending(ctx, 10))[0]
		ok(t, s.MarkDispatched(ctx, row.ID))
		if rows := must[[]Outbox](t)(s.Pending(ctx, 10)); len(rows) != 0 {
			t.Fatalf("pending %+v", rows)
		}
		unfinished := func() int { return len(must[[]Outbox](t)(s.Unfinished(ctx, c.Now().Add(-time.Minute), 10))) }
		if unfinished() != 0 {
			t.Error("too early")
		}
		c.add(2 * time.Minute)
		if unfinished() != 1 {
			t.Error("a lost dispatch was not found")
		}
		lease := must[Lease](t)(s.Claim(ctx, ses.ID, 1, "w1", time.Minute))
		if unfinished() != 0 {
			t.Error("a running case counts as lost")
		}
		c.add(time.Minute)
		if unfinished() != 1 {
			t.Error("a killed worker's case was not found")
		}
		_ = lease
		ok(t, s.MarkDispatched(ctx, row.ID))
		if unfinished() != 0 {
			t.Error("handed over again, still unfinished")
		}
		ok(t, s.Requeue(ctx, row.ID, c.Now().Add(time.Minute), "engine_busy"))
		if rows := must[[]Outbox](t)(s.Pending(ctx, 10)); len(rows) != 0 {
			t.Error("requeued for later, pending now")
		}
		c.add(time.Minute)
		again := must[[]Outbox](t)(s.Pending(ctx, 10))
		if len(again) != 1 || again[0].TaskID() == row.TaskID() || again[0].Reason != "engine_busy" {
			t.Fatalf("requeued %+v", again)
		}
		ok(t, s.MarkDead(ctx, row.ID, "poison"))
		if dead := must[[]Outbox](t)(s.DeadLetters(ctx, "", 10)); len(dead) != 1 {
			t.Fatalf("dead %+v", dead)
		}
		if d := must[map[OutboxKind]int](t)(s.OutboxDepth(ctx)); d[KindVerify] != 0 {
			t.Errorf("depth %v", d)
		}
		if err := s.Drop(ctx, row.ID, Actor{Operator, "op"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a case was dropped: %v", err)
		}
		ok(t, s.Replay(ctx, row.ID, Actor{Operator, "op"}))
		if d := must[map[OutboxKind]int](t)(s.OutboxDepth(ctx)); d[KindVerify] != 1 {
			t.Errorf("depth %v", d)
		}
		ok(t, s.MarkDone(ctx, row.ID))
		ok(t, s.MarkDispatched(ctx, row.ID)) // a slow dispatcher
		if r := must[Outbox](t)(s.OutboxRow(ctx, row.ID)); r.State != Done {
			t.Errorf("done row became %s", r.State)
		}
		if err := s.Replay(ctx, row.ID, Actor{Operator, "op"}); !errors.Is(err, ErrNotFound) {
			t.Errorf("a finished run was replayed: %v", err)
		}
		if n := must[int](t)(s.Prune(ctx, c.Now(), 10)); n != 1 {
			t.Errorf("pruned %d", n)
		}
	})
}

func TestADeliveryIsRetriedDisabledOrDoneAsItsResultSays(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://a.example/h", Types: []string{NoticeCreated}}))
		must[*Session](t)(s.Create(ctx, newSession()))
		row := must[[]Outbox](t)(s.Pending(ctx, 10))[0]
		d := must[Delivery](t)(s.Delivery(ctx, row.Ref))
		ok(t, s.RecordDelivery(ctx, d, DeliveryResult{Status: 500, Reason: "status_500", RetryAt: c.Now().Add(5 * time.Second)}))
		if rows := must[[]Outbox](t)(s.Pending(ctx, 10)); len(rows) != 0 {
			t.Fatal("retry before its time")
		}
		c.add(5 * time.Second)
		again := must[[]Outbox](t)(s.Pending(ctx, 10))
		if len(again) != 1 || again[0].TaskID() == row.TaskID() {
			t.Fatalf("retry %+v", again)
		}
		after := must[Delivery](t)(s.Delivery(ctx, row.Ref))
		if after.Tries != 1 || after.Status != 500 || string(after.Body) != string(d.Body) || after.Event != d.Event {
			t.Fatalf("%+v", after)
		}
		ok(t, s.RecordDelivery(ctx, after, DeliveryResult{Delivered: true, Status: 204}))
		ok(t, s.RecordDelivery(ctx, after, DeliveryResult{Status: 500, RetryAt: c.Now()})) // a second worker, late
		if r := must[Outbox](t)(s.OutboxRow(ctx, row.ID)); r.State != Done {
			t.Errorf("row is %s", r.State)
		}
		ok(t, s.Replay(ctx, row.ID, Actor{Operator, "op"}))
		d = must[Delivery](t)(s.Delivery(ctx, row.Ref))
		ok(t, s.RecordDelivery(ctx, d, DeliveryResult{Status: 410, Reason: "gone", Disable: true}))
		if e := must[[]Endpoint](t)(s.Endpoints(ctx, "acme"))[0]; e.DisabledAt.IsZero() || e.DisabledReason != "gone" {
			t.Errorf("endpoint %+v", e)
		}
		must[*Session](t)(s.Create(ctx, newSession()))
		if rows := must[[]Outbox](t)(s.Pending(ctx, 10)); len(rows) != 0 {
			t.Errorf("a disabled endpoint gets %+v", rows)
		}
		ok(t, s.Drop(ctx, row.ID, Actor{Operator, "op"}))
		if dead := must[[]Outbox](t)(s.DeadLetters(ctx, "", 10)); len(dead) != 0 {
			t.Errorf("dropped, and still listed: %+v", dead)
		}
		told := must[[]audit.Entry](t)(s.Timeline(ctx, row.Session))
		if last := told[len(told)-1]; last.Action != "outbox.drop" || last.Refs["outbox"] != row.ID {
			t.Errorf("audited as %+v", last)
		}
		must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://a.example/h"}))
		must[*Session](t)(s.Create(ctx, newSession()))
		if rows := must[[]Outbox](t)(s.Pending(ctx, 10)); len(rows) != 1 {
			t.Errorf("an endpoint enabled again gets %+v", rows)
		}
	})
}

func TestKeysAndTokensAreKeptAsHashesAndEnd(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		k, secret, err := s.CreateAPIKey(ctx, Actor{Operator, "op"}, "acme", "shop", []string{"sessions:write"}, time.Hour)
		ok(t, err)
		got := must[APIKey](t)(s.APIKey(ctx, secret))
		if got.ID != k.ID || strings.Join(got.Scopes, " ") != "sessions:write" || got.Tenant != "acme" {
			t.Errorf("%+v", got)
		}
		if _, err := s.APIKey(ctx, newSecret(APIKeySecret)); !errors.Is(err, ErrTokenInvalid) {
			t.Error(err)
		}
		c.add(time.Hour)
		if _, err := s.APIKey(ctx, secret); !errors.Is(err, ErrTokenExpired) {
			t.Error(err)
		}
		k2, _, err := s.CreateAPIKey(ctx, Actor{Operator, "op"}, "acme", "cfg", []string{"a"}, 0)
		ok(t, err)
		ok(t, s.RevokeAPIKey(ctx, Actor{Operator, "op"}, k2.ID))
		ok(t, s.RevokeAPIKey(ctx, Actor{Operator, "op"}, k2.ID))
		if ks := must[[]APIKey](t)(s.APIKeys(ctx, "acme")); len(ks) != 2 || ks[1].RevokedAt.IsZero() {
			t.Errorf("%+v", ks)
		}

		ses := must[*Session](t)(s.Create(ctx, newSession()))
		_, token, err := s.IssueClientToken(ctx, service, ses.ID, "capture", time.Hour)
		ok(t, err)
		if tok := must[ClientToken](t)(s.ClientToken(ctx, token, "capture")); tok.Session != ses.ID {
			t.Errorf("%+v", tok)
		}
		if _, err := s.ClientToken(ctx, token, "review"); !errors.Is(err, ErrTokenInvalid) {
			t.Error("a token served another purpose")
		}
		if _, _, err := s.IssueClientToken(ctx, service, "ses_none", "capture", time.Hour); !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
		ok(t, s.RevokeClientTokens(ctx, service, ses.ID))
		if _, err := s.ClientToken(ctx, token, "capture"); !errors.Is(err, ErrTokenInvalid) {
			t.Error(err)
		}
		_, token, err = s.IssueClientToken(ctx, service, ses.ID, "capture", time.Hour)
		ok(t, err)
		c.add(time.Hour)
		if _, err := s.ClientToken(ctx, token, "capture"); !errors.Is(err, ErrTokenExpired) {
			t.Error(err)
		}
	})
}

func TestAnIdempotencyKeyReplaysConflictsAndExpires(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		begin := func(print string) (Idempotent, error) { return s.BeginIdempotent(ctx, "acme", "k", print, time.Hour) }
		i, err := begin("f1")
		ok(t, err)
		if _, err := begin("f1"); !errors.Is(err, ErrIdempotencyInFlight) {
			t.Error(err)
		}
		if _, err := begin("f2"); !errors.Is(err, ErrIdempotencyMismatch) {
			t.Error(err)
		}
		c.add(2 * idempotencyLock) // the server was killed
		second, err := begin("f1")
		ok(t, err)
		if second.Replay() {
			t.Error("replayed nothing")
		}
		ok(t, s.FinishIdempotent(ctx, i, 500, []byte("late"))) // the first one's answer no longer counts
		ok(t, s.FinishIdempotent(ctx, second, 201, []byte("body")))
		r, err := begin("f1")
		ok(t, err)
		if !r.Replay() || r.Status != 201 || string(r.Response) != "body" {
			t.Errorf("%+v", r)
		}
		c.add(time.Hour)
		i, err = begin("f3")
		ok(t, err)
		ok(t, s.AbandonIdempotent(ctx, i))
		i, err = begin("f4")
		ok(t, err)
		c.add(time.Hour)
		if n := must[int](t)(s.Prune(ctx, time.Time{}, 10)); n != 1 {
			t.Errorf("pruned %d", n)
		}
		_ = i
	})
}

func TestErasureForgetsDigestsTellsTheServiceAndCanBeAskedAgain(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://a.example/h", Types: []string{NoticeErased}}))
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		toSubmitted(t, s, ses.ID)
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil))
		ok(t, s.RequestErasure(ctx, ses.ID, service, "request"))
		rows := must[[]Outbox](t)(s.Pending(ctx, 10))
		if len(rows) != 1 || rows[0].Kind != KindErase {
			t.Fatalf("%+v", rows)
		}
		ok(t, s.EvidenceErased(ctx, rows[0].ID, ses.ID, Actor{System, "sweeper"}, map[string]string{"certificate": "crt_1"}, nil))
		for _, e := range must[[]Evidence](t)(s.Evidence(ctx, ses.ID, 1)) {
			if e.SHA256 != "" {
				t.Error("a digest outlived its photo")
			}
		}
		if got := must[*Session](t)(s.Get(ctx, ses.ID)); got.State != Approved {
			t.Errorf("%+v", got)
		}
		if ds := must[[]Delivery](t)(s.Deliveries(ctx, ses.ID)); len(ds) != 1 || ds[0].Type != NoticeErased {
			t.Errorf("%+v", ds)
		}
		ok(t, s.RequestErasure(ctx, ses.ID, service, "request"))
		rows = must[[]Outbox](t)(s.Pending(ctx, 10))
		if len(rows) != 2 {
			t.Errorf("%+v", rows)
		}
	})
}
