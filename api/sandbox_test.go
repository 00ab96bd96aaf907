package api_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// seen keeps the mode that answers name.
type seen struct{ modes map[string]string }

func (s *seen) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		s.modes[r.Method+" "+r.URL.Path] = resp.Header.Get("Proofline-Mode")
	}
	return resp, err
}

func TestATestKeyLivesInASandboxThatNoLiveKeySees(t *testing.T) {
	w := newServer(t, nil)
	ctx := context.Background()
	by := session.Actor{Role: session.Operator, ID: "cli"}
	_, secret, err := w.store.CreateAPIKey(ctx, by, session.TestTenant("acme"), "sandbox", api.Scopes(), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, liveSecret, err := w.store.CreateAPIKey(ctx, by, "acme", "live", api.Scopes(), 0)
	if err != nil {
		t.Fatal(err)
	}
	saw := &seen{map[string]string{}}
	test := client.NewService(w.url, secret, &http.Client{Transport: saw})
	live := client.NewService(w.url, liveSecret, nil)

	created, err := test.CreateSession(ctx, client.NewSession{ExternalRef: "test:biometric.face_mismatch"}, "k1")
	if err != nil || !created.Session.Test {
		t.Fatalf("%+v, %v", created, err)
	}
	person := client.NewCapture(w.url, created.ClientToken, &http.Client{Transport: saw})
	if st, err := person.GiveConsent(ctx, "1", "en"); err != nil || !st.Test {
		t.Errorf("%+v, %v", st, err)
	}
	if st, err := person.Submit(ctx); err != nil || st.State != "submitted" {
		t.Errorf("without photos: %+v, %v", st, err)
	}
	for route, mode := range saw.modes {
		if mode != "test" {
			t.Errorf("%s answers in mode %q", route, mode)
		}
	}
	// Neither side sees the other's sessions or idempotency keys.
	if _, err := live.Get(ctx, created.Session.ID); !errors.Is(err, &client.Problem{Code: client.CodeNotFound}) {
		t.Errorf("a live key reads a test session: %v", err)
	}
	mine, err := live.CreateSession(ctx, client.NewSession{ExternalRef: "test:approved"}, "k1")
	if err != nil || mine.Session.Test || mine.Session.ID == created.Session.ID {
		t.Fatalf("%+v, %v", mine, err)
	}
	if _, err := test.Get(ctx, mine.Session.ID); !errors.Is(err, &client.Problem{Code: client.CodeNotFound}) {
		t.Errorf("a test key reads a live session: %v", err)
	}
	for who, s := range map[string]*client.Service{"live": live, "test": test} {
		page, err := s.List(ctx, client.Filter{})
		if err != nil || len(page.Sessions) != 1 || page.Sessions[0].Test != (who == "test") {
			t.Errorf("the %s key lists %+v, %v", who, page, err)
		}
	}
	// A live session wants its photos whatever its reference says.
	real := client.NewCapture(w.url, mine.ClientToken, nil)
	if _, err := real.GiveConsent(ctx, "1", "en"); err != nil {
		t.Fatal(err)
	}
	if _, err := real.Submit(ctx); !errors.Is(err, &client.Problem{Code: client.CodeEvidenceMissing}) {
		t.Errorf("a live session was submitted without photos: %v", err)
	}
	if _, err := test.CreateSession(ctx, client.NewSession{ExternalRef: "test:aproved"}, ""); !errors.Is(err, &client.Problem{Code: client.CodeInvalidRequest}) {
		t.Errorf("a misspelt reference: %v", err)
	}
	gone, err := test.CreateSession(ctx, client.NewSession{ExternalRef: "test:expired"}, "")
	if err == nil {
		var s *client.Session
		if s, err = test.Get(ctx, gone.Session.ID); err == nil && s.State != "expired" {
			t.Errorf("it is %s", s.State)
		}
	}
	if err != nil {
		t.Error(err)
	}
}

// dying is a server that is killed at one step of making a session.
type dying struct {
	api.Store
	apply, finish bool
}

var errKilled = errors.New("killed")

func (d *dying) Apply(ctx context.Context, id string, version int64, ev session.Event, fn func(*session.Tx) error) (*session.Session, error) {
	if d.apply {
		d.apply = false
		return nil, errKilled
	}
	return d.Store.Apply(ctx, id, version, ev, fn)
}

// FinishIdempotent leaves the key free, as it is a minute after a server was killed.
func (d *dying) FinishIdempotent(ctx context.Context, i session.Idempotent, status int, response []byte) error {
	if d.finish {
		d.finish = false
		return errors.Join(errKilled, d.AbandonIdempotent(ctx, i))
	}
	return d.Store.FinishIdempotent(ctx, i, status, response)
}

func TestATestSessionThatIsToExpireSurvivesACrashAtAnyStep(t *testing.T) {
	for name, kill := range map[string]dying{"before it expires": {apply: true}, "before it is answered": {finish: true}} {
		t.Run(name, func(t *testing.T) {
			d := &kill
			w := newServer(t, func(deps *api.Deps) { d.Store = deps.Store; deps.Store = d })
			ctx := context.Background()
			_, secret, err := w.store.CreateAPIKey(ctx, session.Actor{Role: session.Operator, ID: "cli"}, session.TestTenant("acme"), "sandbox", api.Scopes(), 0)
			if err != nil {
				t.Fatal(err)
			}
			body, head := `{"external_ref":"test:expired"}`, map[string]string{"Idempotency-Key": "k1"}
			if resp, text := w.send("POST", "/v1/sessions", secret, "application/json", body, head); resp.StatusCode != 500 {
				t.Fatalf("the crash went unnoticed: %d %s", resp.StatusCode, text)
			}
			resp, text := w.send("POST", "/v1/sessions", secret, "application/json", body, head)
			if resp.StatusCode != 201 {
				t.Fatalf("repeated: %d %s", resp.StatusCode, text)
			}
			page, err := client.NewService(w.url, secret, nil).List(ctx, client.Filter{})
			if err != nil || len(page.Sessions) != 1 || page.Sessions[0].State != "expired" {
				t.Errorf("%+v, %v", page, err)
			}
		})
	}
}

func TestATestKeyIsNotGivenTheCanarysPolicy(t *testing.T) {
	trial := *policy.Default()
	trial.Version = "canary"
	asked := 0
	w := newServer(t, func(d *api.Deps) {
		d.PolicyOf = func(context.Context, string) (*policy.Policy, error) { return policy.Default(), nil }
		d.Choose = func(string) *policy.Policy { asked++; return &trial }
	})
	ctx := context.Background()
	for tenant, want := range map[string]string{"acme": "canary", session.TestTenant("acme"): policy.Default().Version} {
		_, secret, err := w.store.CreateAPIKey(ctx, session.Actor{Role: session.Operator, ID: "cli"}, tenant, "key", api.Scopes(), 0)
		if err != nil {
			t.Fatal(err)
		}
		made, err := client.NewService(w.url, secret, nil).CreateSession(ctx, client.NewSession{ExternalRef: "test:approved"}, "")
		if err != nil {
			t.Fatal(err)
		}
		ses, err := w.store.Get(ctx, made.Session.ID)
		if err != nil || ses.PolicyVersion != want {
			t.Errorf("a session of %s begins under version %s, want %s (%v)", tenant, ses.PolicyVersion, want, err)
		}
	}
	if asked != 1 {
		t.Errorf("the canary was asked %d times, want once for the live session", asked)
	}
}
