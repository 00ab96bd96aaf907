package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

// The failure modes that every document verification meets, each through the
// real API, queue, worker and webhook. What the queue itself can do to a case
// is in queue_test.go and kill_test.go, everything at once in chaos_test.go.
func TestFailureModes(t *testing.T) {
	for _, m := range []struct {
		name string
		test func(*testing.T)
	}{
		{"expired session: nothing is taken any more and the service is told", expiredSession},
		{"duplicate callback: the same id and the same bytes, and one submission", duplicateCallback},
		{"network interruption: a repeated request changes nothing", networkInterruption},
		{"partial upload: nothing is kept and the person is told", partialUpload},
		{"invalid document: taken again, then looked at, never approved", invalidDocument},
		{"unsupported country: a person looks", unsupportedCountry},
		{"delayed response: tried again under the same id, and no case waits", delayedResponse},
	} {
		t.Run(m.name, func(t *testing.T) { t.Parallel(); m.test(t) })
	}
}

// front is an API on a world, as a relying service and a person see it.
type front struct {
	*world
	url     string
	service *client.Service
}

func newFront(t *testing.T, w *world, change func(*api.Deps)) *front {
	t.Helper()
	f := &front{world: w}
	d := api.Deps{Store: w.store, Vault: w.vault, Policy: w.policy, PublicURL: "http://x", Log: w.logger(),
		Gate: func(ctx context.Context, c policy.Cell, kind string, b []byte) (policy.GateAnswer, error) {
			return GateIn(ctx, &Engines{}, c, kind, b)
		}}
	if change != nil {
		change(&d)
	}
	srv := httptest.NewServer(api.New(d))
	t.Cleanup(srv.Close)
	f.url = srv.URL
	_, key, err := w.store.CreateAPIKey(ctx, session.Actor{Role: session.Operator, ID: "op"}, "t1", "test", api.Scopes(), 0)
	if err != nil {
		t.Fatal(err)
	}
	f.service = client.NewService(srv.URL, key, srv.Client())
	return f
}

// begin creates a session up to its consent.
func (f *front) begin(n client.NewSession) (*client.Created, *client.Capture) {
	f.t.Helper()
	n.DocumentType = "passport"
	created, err := f.service.CreateSession(ctx, n, "")
	if err != nil {
		f.t.Fatal(err)
	}
	c := client.NewCapture(f.url, created.ClientToken, nil)
	if _, err := c.GiveConsent(ctx, "1", "en"); err != nil {
		f.t.Fatal(err)
	}
	return created, c
}

// capture sends both photos and submits.
func (f *front) capture(c *client.Capture) {
	f.t.Helper()
	for _, kind := range []string{"document_front", "selfie"} {
		if p, err := c.Insist(ctx, kind, "", picture(f.t), "image/jpeg"); err != nil || !p.Kept {
			f.t.Fatalf("%+v, %v", p, err)
		}
	}
	if _, err := c.Submit(ctx); err != nil {
		f.t.Fatal(err)
	}
}

// picture is a photo of nothing in particular.
func picture(t testing.TB) []byte {
	m := image.NewGray(image.Rect(0, 0, 1024, 768))
	for i := range m.Pix {
		m.Pix[i] = byte(i/1024/3 + i%1024/8 + rand.IntN(9))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// endpoint registers a relying service's receiver; handle gets each verified
// delivery and how many of its event came before.
func (w *world) endpoint(handle func(rw http.ResponseWriter, id string, body []byte, n session.Notice, before int)) {
	w.t.Helper()
	secret := webhook.NewSecret()
	key, err := webhook.ParseKey(secret)
	if err != nil {
		w.t.Fatal(err)
	}
	var mu sync.Mutex
	times := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := webhook.Verify(body, r.Header, time.Now(), key); err != nil {
			w.t.Error(err)
		}
		n, err := webhook.Parse(body)
		if err != nil {
			w.t.Error(err)
		}
		id := r.Header.Get("webhook-id")
		mu.Lock()
		before := times[id]
		times[id]++
		mu.Unlock()
		handle(rw, id, body, n, before)
	}))
	w.t.Cleanup(srv.Close)
	sealed, err := storage.SealSecret(ctx, w.keys, WebhookPurpose, []byte(secret))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.PutEndpoint(ctx, session.Actor{Role: session.Operator, ID: "op"}, session.Endpoint{Tenant: "t1", URL: srv.URL, Secrets: sealed}); err != nil {
		w.t.Fatal(err)
	}
}

func hasCode(err error, code string) bool { return errors.Is(err, &client.Problem{Code: code}) }

func expiredSession(t *testing.T) {
	w := newWorld(t, "")
	told := make(chan session.Notice, 10)
	w.endpoint(func(_ http.ResponseWriter, _ string, _ []byte, n session.Notice, _ int) {
		if n.Type == session.NoticeExpired {
			told <- n
		}
	})
	f := newFront(t, w, nil)
	created, _ := f.begin(client.NewSession{})
	late := func() time.Time { return created.Session.ExpiresAt.Add(time.Second) }
	store, err := session.Open(ctx, "sqlite:"+filepath.Join(w.dir, "store.db"), session.WithClock(late))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	lateAPI := newFront(t, w, func(d *api.Deps) { d.Store, d.Now = store, late })
	// The person's token lives as long as the session and ends with it; a link
	// that is made now does not bring the session back.
	for _, token := range []string{created.ClientToken, relink(t, store, created.Session.ID)} {
		c := client.NewCapture(lateAPI.url, token, nil)
		if _, err := c.Upload(ctx, "selfie", "", picture(t), "image/jpeg"); !hasCode(err, client.CodeConflict) && !hasCode(err, client.CodeTokenExpired) {
			t.Errorf("upload: %v", err)
		}
		if _, err := c.Submit(ctx); err == nil {
			t.Error("an expired session was submitted")
		}
	}
	s := NewSweeper(store, w.vault, w.logger())
	s.Start()
	defer stop(t, s)
	eventually(t, 5*time.Second, "the session is still open", func() bool {
		ses, err := store.Get(ctx, created.Session.ID)
		return err == nil && ses.State == session.Expired
	})
	if o, err := w.vault.Index().ListObjects(ctx, created.Session.ID, storage.CaptureImage); err != nil || len(o) != 0 {
		t.Errorf("photos were kept: %+v, %v", o, err)
	}
	c := w.config()
	c.Store = store // whose clock says that the delivery is due
	k, err := NewWorker(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Start(); err != nil {
		t.Fatal(err)
	}
	d := NewDispatcher(store, w.queue, w.logger())
	d.Start()
	defer stop(t, d, k)
	defer c.Webhooks.Close()
	select {
	case n := <-told:
		if n.Data.SessionID != created.Session.ID || n.Data.State != session.Expired {
			t.Errorf("told %+v", n)
		}
	case <-time.After(time.Minute):
		t.Error("the service was not told")
	}
}

func relink(t *testing.T, store *session.Store, id string) string {
	t.Helper()
	_, secret, err := store.IssueClientToken(ctx, session.Actor{Role: session.Service, ID: "key_1"}, id, "capture", time.Hour)
	if errors.Is(err, session.ErrNoTransition) || errors.Is(err, session.ErrInvalid) {
		return "plc_none"
	}
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

func duplicateCallback(t *testing.T) {
	w := newWorld(t, "")
	var mu sync.Mutex
	bodies := map[string][][]byte{} // by webhook-id
	w.endpoint(func(rw http.ResponseWriter, id string, body []byte, n session.Notice, before int) {
		mu.Lock()
		bodies[id] = append(bodies[id], body)
		mu.Unlock()
		if n.Type == session.NoticeDecided && before == 0 {
			panic(http.ErrAbortHandler) // done, and the answer is lost
		}
	})
	f := newFront(t, w, nil)
	ss, _ := passing()
	c := w.config()
	w.start(c, ss)
	t.Cleanup(c.Webhooks.Close)
	created, person := f.begin(client.NewSession{})
	f.capture(person)
	id := created.Session.ID
	ses := w.decided(id, 20*time.Second)
	// The person's page repeats its submission, a worker its decision: neither
	// moves the case.
	_, _ = person.Submit(ctx)
	_, err := w.store.Apply(ctx, id, session.AnyVersion, session.Decided(session.Actor{Role: session.Worker, ID: "late"}, 1, ses.Decision.Decision), nil)
	if !errors.Is(err, session.ErrNoTransition) {
		t.Errorf("a repeated decision: %v", err)
	}
	eventually(t, 20*time.Second, "the lost answer was not followed by a second try", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.ContainsFunc(slices.Collect(valuesOf(bodies)), func(b [][]byte) bool { return len(b) == 2 && bytes.Equal(b[0], b[1]) })
	})
	if again, err := w.store.Get(ctx, id); err != nil || again.Version != ses.Version {
		t.Errorf("version %d, then %+v, %v", ses.Version, again, err)
	}
	ds, err := w.store.Deliveries(ctx, id)
	if err != nil || len(ds) != 4 { // created, started, submitted, decided
		t.Errorf("%d events, %v", len(ds), err)
	}
}

func valuesOf[K comparable, V any](m map[K]V) func(func(V) bool) {
	return func(yield func(V) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

// cutUpload sends the first n bytes of a photo and hangs up.
func (f *front) cutUpload(token string, photo []byte, n int) {
	f.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		f.t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /v1/capture/evidence/selfie HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", token, len(photo))
	_, _ = conn.Write(photo[:n])
	conn.Close()
}

func networkInterruption(t *testing.T) {
	w := newWorld(t, "")
	f := newFront(t, w, nil)
	ss, runs := passing()
	w.start(w.config(), ss)
	created, c := f.begin(client.NewSession{})
	photo := picture(t)
	for _, n := range []int{0, 1, len(photo) / 2, len(photo) - 1} {
		f.cutUpload(created.ClientToken, photo, n)
	}
	for range 3 { // the first answers were lost
		for _, kind := range []string{"document_front", "selfie"} {
			if p, err := c.Insist(ctx, kind, "", photo, "image/jpeg"); err != nil || !p.Kept {
				t.Fatalf("%+v, %v", p, err)
			}
		}
	}
	for range 3 {
		if _, err := c.Submit(ctx); err != nil && !hasCode(err, client.CodeConflict) {
			t.Fatal(err)
		}
	}
	w.decided(created.Session.ID, 20*time.Second)
	if o, err := w.vault.Index().ListObjects(ctx, created.Session.ID, storage.CaptureImage); err != nil || len(o) != 2 {
		t.Errorf("%d photos were kept, %v", len(o), err)
	}
	if n := runs("quality"); n != 1 {
		t.Errorf("the case ran %d times", n)
	}
}

func partialUpload(t *testing.T) {
	w := newWorld(t, "")
	f := newFront(t, w, nil)
	created, c := f.begin(client.NewSession{})
	photo := picture(t)
	f.cutUpload(created.ClientToken, photo, len(photo)/2)
	// The half that arrived, sent as if it were the whole.
	p, err := c.Insist(ctx, "selfie", "", photo[:len(photo)/2], "image/jpeg")
	if err != nil || p.Kept || p.Accepted || p.Hint == nil || !slices.Contains(p.Codes, "capture.image_truncated") {
		t.Errorf("%+v, %v", p, err)
	}
	if o, err := w.vault.Index().ListObjects(ctx, created.Session.ID, ""); err != nil || len(o) != 0 {
		t.Errorf("kept %+v, %v", o, err)
	}
	if _, err := c.Submit(ctx); !hasCode(err, client.CodeEvidenceMissing) {
		t.Errorf("submitted without photos: %v", err)
	}
}

func invalidDocument(t *testing.T) {
	w := newWorld(t, "")
	f := newFront(t, w, nil)
	_, c := f.begin(client.NewSession{})
	p, err := c.Insist(ctx, "document_front", "", []byte("%PDF-1.7 no photo"), "image/jpeg")
	if err != nil || p.Kept || p.Hint == nil {
		t.Errorf("%+v, %v", p, err)
	}
	// The same behind the gate, with the real stages.
	w.start(w.config(), nil)
	id := w.submit()
	for attempt := 1; ; attempt++ {
		eventually(t, 20*time.Second, "no decision", func() bool {
			ses, err := w.store.Get(ctx, id)
			return err == nil && ses.State != session.Submitted
		})
		ses, err := w.store.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if attempt == ses.MaxAttempts {
			if ses.State != session.PendingReview {
				t.Errorf("after the last attempt the case is %s", ses.State)
			}
			break
		}
		if ses.State != session.NeedsResubmission || !slices.Contains(ses.Decision.Codes, "capture.not_an_image") || len(ses.Decision.Retake) != 2 {
			t.Fatalf("attempt %d: %s %+v", attempt, ses.State, ses.Decision)
		}
		person := session.Actor{Role: session.Client, ID: "tok_1"}
		w.apply(id, session.Event{Kind: session.StartCapture, Actor: person})
		w.photo(id, "document_front", "again no picture")
		w.photo(id, "selfie", "again no picture")
		w.apply(id, session.Event{Kind: session.Submit, Actor: person})
	}
}

func unsupportedCountry(t *testing.T) {
	w := newWorld(t, "")
	p := *w.policy
	w.policy = &p
	w.policy.Cells = append(slices.Clone(w.policy.Cells), policy.Cell{Name: "germany", Match: policy.Match{Jurisdiction: "DEU"}})
	f := newFront(t, w, nil)
	ss, _ := counted("quality", "document", "mrz", "face", "liveness")
	ss[2].Run = func(_ context.Context, r *run) ([]policy.Finding, error) {
		r.fields = []Field{zoneField("surname", "ERIKSSON")}
		return []policy.Finding{{Subject: "case"}}, nil
	}
	ss = append(ss, stage{Name: "consistency", Timeout: time.Minute, Run: runConsistency})
	w.start(w.config(), ss)
	for country, want := range map[string]bool{"DEU": false, "PRK": true} {
		created, c := f.begin(client.NewSession{Jurisdiction: country})
		f.capture(c)
		ses := w.decided(created.Session.ID, 20*time.Second)
		got := slices.Contains(ses.Decision.Codes, "compliance.jurisdiction_unsupported")
		if got != want || want && ses.State != session.PendingReview {
			t.Errorf("%s: %s %+v", country, ses.State, ses.Decision)
		}
	}
}

func delayedResponse(t *testing.T) {
	w := newWorld(t, "")
	arrived := make(chan string, 100)
	w.endpoint(func(_ http.ResponseWriter, id string, _ []byte, n session.Notice, before int) {
		if n.Type != session.NoticeSubmitted {
			return
		}
		if before == 0 {
			time.Sleep(3 * time.Second) // longer than it is waited for
		}
		arrived <- id
	})
	f := newFront(t, w, nil)
	ss, _ := passing()
	c := w.config()
	c.Webhooks = webhook.New(webhook.Options{AllowHTTP: true, AllowPrivate: true, Timeout: 1500 * time.Millisecond})
	w.start(c, ss)
	t.Cleanup(c.Webhooks.Close)
	created, person := f.begin(client.NewSession{})
	f.capture(person)
	w.decided(created.Session.ID, 5*time.Second)
	first := <-arrived
	select {
	case again := <-arrived:
		if again != first {
			t.Errorf("tried again as %s, first as %s", again, first)
		}
	case <-time.After(time.Minute):
		t.Fatal("a late answer counted as delivered")
	}
	eventually(t, 10*time.Second, "the event is not recorded as delivered", func() bool {
		ds, err := w.store.Deliveries(ctx, created.Session.ID)
		return err == nil && !slices.ContainsFunc(ds, func(d session.Delivery) bool { return d.Delivered.IsZero() })
	})
}
