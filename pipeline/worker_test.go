package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

// onBothQueues runs a test on the embedded queue and on a real Redis.
func onBothQueues(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("embedded", func(t *testing.T) { f(t, newWorld(t, "")) })
	t.Run("redis", func(t *testing.T) { f(t, newWorld(t, testserver.Redis(t).URL())) })
}

func TestASubmittedCaseIsDecidedOnce(t *testing.T) {
	onBothQueues(t, func(t *testing.T, w *world) {
		ss, runs := passing()
		w.start(w.config(), ss)
		var ids []string
		for range 20 {
			ids = append(ids, w.submit())
		}
		for _, id := range ids {
			if ses := w.decided(id, 20*time.Second); ses.State != session.Approved {
				t.Fatalf("state %s, decision %+v", ses.State, ses.Decision)
			}
		}
		if n := runs("mrz"); n != 20 {
			t.Fatalf("stage ran %d times for 20 cases", n)
		}
		eventually(t, 5*time.Second, "outbox rows are left", func() bool {
			n, err := w.store.OutboxDepth(ctx)
			return err == nil && n[session.KindVerify] == 0
		})
	})
}

func TestPersonalDataReachesNeitherQueueNorLog(t *testing.T) {
	s := testserver.Redis(t)
	w := newWorld(t, s.URL())
	id := w.submit()
	if _, err := w.vault.PutBytes(ctx, storage.Ref{Session: id, Class: storage.ExtractedFields, Kind: ClaimsKind},
		[]byte(`{"surname":"`+canary+`"}`), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	ss, _ := passing()
	ss[1].Run = func(context.Context, *run) ([]policy.Finding, error) { panic(canary) }
	ss[2].Run = func(_ context.Context, r *run) ([]policy.Finding, error) {
		r.fields = append(r.fields, Field{Name: "surname", Value: canary, Source: "mrz"})
		return nil, &stageError{"mrz", errors.New("failed on " + canary)}
	}
	ss[2].Save = saveFields("mrz")
	w.start(w.config(), ss)
	ses := w.decided(id, 20*time.Second)
	if ses.State != session.PendingReview {
		t.Fatalf("a case whose stages failed is %s", ses.State)
	}
	rows, err := w.store.Stages(ctx, id, 1)
	if err != nil || len(rows) != len(ss) {
		t.Fatalf("%d results, %v", len(rows), err)
	}
	seen, err := json.Marshal([]any{ses, rows})
	if err != nil {
		t.Fatal(err)
	}
	dump := string(seen) + w.log.String()
	keys, err := w.queue.redis.Keys(ctx, "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		v, _ := w.queue.redis.Dump(ctx, k).Result()
		dump += k + v
	}
	for _, part := range strings.Fields(canary) {
		if strings.Contains(dump, part) {
			t.Errorf("%q shows up", part)
		}
	}
}

func TestAFailingStoreCostsARetryOfOneStage(t *testing.T) {
	w := newWorld(t, "")
	ss, runs := passing()
	var failed atomic.Bool
	inner := ss[3].Run
	ss[3].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) {
		fs, err := inner(ctx, r)
		if failed.CompareAndSwap(false, true) {
			return nil, errors.New("the vault does not answer")
		}
		return fs, err
	}
	w.start(w.config(), ss)
	id := w.submit()
	if ses := w.decided(id, 20*time.Second); ses.State != session.Approved || ses.Attempt != 1 {
		t.Fatalf("state %s, attempt %d", ses.State, ses.Attempt)
	}
	for name, want := range map[string]int{"quality": 1, "mrz": 1, "face": 2, "liveness": 1} {
		if got := runs(name); got != want {
			t.Errorf("stage %s ran %d times, want %d", name, got, want)
		}
	}
}

func TestAStageThatKeepsKillingItsWorkerIsLeftToAPerson(t *testing.T) {
	w := newWorld(t, "")
	id := w.submit()
	ss, runs := passing()
	// What three workers leave that died in the third stage: the results of the
	// first two, and a lease that changed hands three times.
	ses, err := w.store.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewWorker(w.config())
	if err != nil {
		t.Fatal(err)
	}
	j := &job{w: k, ses: ses, attempt: 1, evidence: map[string]session.Evidence{}, r: newRun(&Engines{}, w.policy, Case{Documents: map[string][]byte{}, AsOf: ses.SubmittedAt})}
	es, err := w.store.Evidence(ctx, id, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		j.evidence[e.Kind] = e
	}
	hashes := map[string]string{}
	for _, s := range ss[:2] {
		hashes[s.Name] = j.inputHash(s, hashes)
		if _, err := j.stage(ctx, s, hashes[s.Name]); err != nil {
			t.Fatal(err)
		}
	}
	for range maxCrashes {
		if _, err := w.store.Claim(ctx, id, 1, "test-worker", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	w.start(w.config(), ss)
	done := w.decided(id, 20*time.Second)
	if done.State != session.PendingReview || runs("mrz") != 0 || runs("face") != 1 || runs("quality") != 1 {
		t.Fatalf("state %s, mrz ran %d times, face %d, quality %d", done.State, runs("mrz"), runs("face"), runs("quality"))
	}
	found := false
	for _, r := range done.Decision.Reasons {
		found = found || r.Code == "system.stage_failed" && r.Stage == "mrz"
	}
	if !found {
		t.Fatalf("reasons: %+v", done.Decision.Reasons)
	}
}

func TestShutdownPutsTheCaseBackForTheNextWorker(t *testing.T) {
	w := newWorld(t, "")
	ss, runs := passing()
	entered := make(chan struct{})
	ss[2].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	k, err := NewWorker(w.config())
	if err != nil {
		t.Fatal(err)
	}
	k.stages = ss
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	d := NewDispatcher(w.store, w.queue, w.logger())
	d.Start()
	id := w.submit()
	<-entered
	stop(t, k, d)
	again, runsAgain := passing()
	w.start(w.config(), again)
	if ses := w.decided(id, 10*time.Second); ses.State != session.Approved {
		t.Fatalf("state %s", ses.State)
	}
	if runs("quality") != 1 || runsAgain("quality") != 0 || runsAgain("mrz") != 1 {
		t.Fatalf("quality ran %d + %d times, mrz %d", runs("quality"), runsAgain("quality"), runsAgain("mrz"))
	}
}

func TestAWithdrawnCaseIsDroppedAndErased(t *testing.T) {
	w := newWorld(t, "")
	id := w.submit()
	w.apply(id, session.Event{Kind: session.ConsentWithdrawn, Actor: session.Actor{Role: session.Client, ID: "tok_1"}})
	ss, runs := passing()
	w.start(w.config(), ss)
	eventually(t, 10*time.Second, "outbox rows are left", func() bool {
		n, err := w.store.OutboxDepth(ctx)
		return err == nil && n[session.KindVerify] == 0 && n[session.KindErase] == 0
	})
	if runs("quality") != 0 {
		t.Error("a withdrawn case was run")
	}
	left, err := w.vault.Index().ListObjects(ctx, id, storage.CaptureImage)
	if err != nil || len(left) != 0 {
		t.Fatalf("%d photos are left, %v", len(left), err)
	}
	entries, err := w.store.Timeline(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	last := entries[len(entries)-1]
	if last.Action != "evidence.erased" || last.Hashes["certificate_capture_image"] == "" || last.Refs["certificate_capture_image"] == "" {
		t.Fatalf("last entry: %+v", last)
	}
}

func TestAWebhookArrivesSigned(t *testing.T) {
	w := newWorld(t, "")
	secret := webhook.NewSecret()
	key, err := webhook.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	events := map[string]session.Notice{}
	var refused atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := webhook.Verify(body, r.Header, time.Now(), key); err != nil {
			t.Error(err)
		}
		n, err := webhook.Parse(body)
		if err != nil {
			t.Error(err)
		}
		if n.Type == session.NoticeSubmitted && refused.Add(1) == 1 {
			rw.WriteHeader(http.StatusBadRequest) // is no delivery
			return
		}
		mu.Lock()
		defer mu.Unlock()
		events[n.Type] = n
	}))
	defer srv.Close()
	sealed, err := storage.SealSecret(ctx, w.keys, WebhookPurpose, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.PutEndpoint(ctx, session.Actor{Role: session.Operator, ID: "op"}, session.Endpoint{Tenant: "t1", URL: srv.URL, Secrets: sealed}); err != nil {
		t.Fatal(err)
	}
	ss, _ := passing()
	c := w.config()
	w.start(c, ss)
	t.Cleanup(c.Webhooks.Close)
	id := w.submit()
	w.decided(id, 10*time.Second)
	eventually(t, 15*time.Second, "events are missing", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return events[session.NoticeDecided].Data.SessionID == id && events[session.NoticeSubmitted].Data.SessionID == id
	})
}

func TestAPhotoThatIsGoneOrDamagedIsNoEndlessRetry(t *testing.T) {
	w := newWorld(t, "")
	id := w.submit()
	es, err := w.store.Evidence(ctx, id, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range es {
		o, err := w.vault.Index().GetObject(ctx, e.Object)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind == "selfie" {
			err = w.blobs.Delete(ctx, o.Key)
		} else {
			err = w.blobs.Put(ctx, o.Key, strings.NewReader("damaged"), 7)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.start(w.config(), nil) // the real stages
	ses := w.decided(id, 10*time.Second)
	codes := map[policy.Code]bool{}
	for _, r := range ses.Decision.Reasons {
		codes[r.Code] = true
	}
	if !codes["capture.evidence_missing"] || !codes["system.stage_failed"] || ses.State != session.NeedsResubmission {
		t.Fatalf("state %s, reasons %+v", ses.State, ses.Decision.Reasons)
	}
}
