package pipeline

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

// twoSecrets is an endpoint that keeps what it was sent, and by which of the two
// secrets it was signed.
type twoSecrets struct {
	mu      sync.Mutex
	live    webhook.Key
	test    webhook.Key
	notices []session.Notice
	signed  []string
}

func (r *twoSecrets) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	n, perr := webhook.Parse(body)
	if err != nil || perr != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	by := ""
	if webhook.Verify(body, req.Header, time.Now(), r.live) == nil {
		by += "live"
	}
	if webhook.Verify(body, req.Header, time.Now(), r.test) == nil {
		by += "test"
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices, r.signed = append(r.notices, n), append(r.signed, by)
}

func (r *twoSecrets) got(id, kind string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.notices, func(n session.Notice) bool { return n.Data.SessionID == id && n.Type == kind })
}

// Who holds a test key chooses what its events say: nothing of a sandbox may be
// signed as the live receiver expects, nor reach it.
func TestEventsOfASandboxAreSignedWithTheTestSecretAlone(t *testing.T) {
	w := newWorld(t, "")
	secrets := map[string]string{"t1": webhook.NewSecret(), session.TestTenant("t1"): webhook.NewSecret()}
	keys, ends := map[string]webhook.Key{}, map[string]*twoSecrets{}
	for tenant, secret := range secrets {
		k, err := webhook.ParseKey(secret)
		if err != nil {
			t.Fatal(err)
		}
		keys[tenant] = k
	}
	for tenant, secret := range secrets {
		r := &twoSecrets{live: keys["t1"], test: keys[session.TestTenant("t1")]}
		srv := httptest.NewServer(r)
		defer srv.Close()
		sealed, err := storage.SealSecret(ctx, w.keys, WebhookPurpose, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.store.PutEndpoint(ctx, session.Actor{Role: session.Operator, ID: "op"}, session.Endpoint{Tenant: tenant, URL: srv.URL, Secrets: sealed}); err != nil {
			t.Fatal(err)
		}
		ends[tenant] = r
	}
	ss, _ := passing()
	c := w.config()
	w.start(c, ss)
	t.Cleanup(c.Webhooks.Close)
	live, test := w.submit(), w.testCase("test:review=rejected")
	w.settled(live, decided...)
	w.settled(test, session.Rejected)
	tests := ends[session.TestTenant("t1")]
	eventually(t, time.Minute, "events are missing", func() bool {
		depth, err := w.store.OutboxDepth(ctx)
		return err == nil && depth[session.KindWebhook] == 0 && ends["t1"].got(live, session.NoticeDecided) && tests.got(test, session.NoticeDecided)
	})
	for tenant, want := range map[string]struct{ id, signed string }{"t1": {live, "live"}, session.TestTenant("t1"): {test, "test"}} {
		r := ends[tenant]
		r.mu.Lock()
		for i, n := range r.notices {
			if n.Data.SessionID != want.id || n.Data.Test != (want.signed == "test") || r.signed[i] != want.signed {
				t.Errorf("the endpoint of %s got %s of %s (test: %v), signed with the secret %q", tenant, n.Type, n.Data.SessionID, n.Data.Test, r.signed[i])
			}
		}
		r.mu.Unlock()
	}
}
