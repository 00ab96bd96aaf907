package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// decided has the machine decide a case by itself, drawn for a blind check.
func (o *office) decided(outcome policy.Outcome) string {
	o.t.Helper()
	_, secret, err := o.store.CreateAPIKey(ctx, cli, "acme", "test", api.Scopes(), 0)
	if err != nil {
		o.t.Fatal(err)
	}
	o.service = client.NewService(o.url, secret, nil)
	made, err := o.service.CreateSession(ctx, client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		o.t.Fatal(err)
	}
	c := client.NewCapture(o.url, made.ClientToken, nil)
	if _, err := c.GiveConsent(ctx, "1", "en"); err != nil {
		o.t.Fatal(err)
	}
	for kind, b := range jpegs {
		if _, err := c.Upload(ctx, kind, "passport", b, "image/jpeg"); err != nil {
			o.t.Fatal(err)
		}
	}
	if _, err := c.Submit(ctx); err != nil {
		o.t.Fatal(err)
	}
	id := made.Session.ID
	if _, err := o.store.PutStage(ctx, session.StageResult{Session: id, Attempt: 1, Stage: "face", InputHash: "h",
		Body: []byte(`{"findings":[{"stage":"face","subject":"case","measures":[{"name":"face.similarity","value":0.6125}]}]}`)}); err != nil {
		o.t.Fatal(err)
	}
	d := policy.Decision{Outcome: outcome, Codes: []policy.Code{}, Reasons: []policy.Reason{}, Policy: "default", PolicyHash: o.active().Hash(), Attempt: 1}
	ev := session.Decided(session.Actor{Role: session.Worker, ID: "w"}, 1, d)
	ev.Triage = &policy.Triage{Queue: "default", Sample: 1, Within: time.Hour}
	if _, err := o.store.Apply(ctx, id, session.AnyVersion, ev, nil); err != nil {
		o.t.Fatal(err)
	}
	return id
}

func TestABlindCheckShowsNothingOfWhatWasDecided(t *testing.T) {
	o := newOffice(t, 0)
	vera := o.account("vera", access.Reviewer, access.Operator, access.Auditor)
	id := o.decided(policy.Approved)
	b := o.browser()
	b.enter("vera")
	get := func(path string) string { _, text := b.send("GET", path, nil); return text }
	if body := get("/console/reviews"); !strings.Contains(body, "1 decided case waits for a blind check") {
		t.Error("the queue does not tell of the sample")
	}
	_, page := b.send("POST", "/console/reviews/blind/next", url.Values{})
	if !strings.Contains(page, "Blind check") || !strings.Contains(page, "2 pictures") {
		t.Fatalf("%.300s", page)
	}
	for _, leak := range []string{">approved<", "similarity", "scores against", "0.61", "default 4"} {
		if strings.Contains(strings.ToLower(page), leak) {
			t.Errorf("the page says %q", leak)
		}
	}
	for _, other := range []string{"/console/reviews/" + id, "/console/sessions/" + id} {
		if body := get(other); !strings.Contains(body, "without knowing what was decided") || strings.Contains(body, "In short") {
			t.Errorf("%s shows the case to who judges it", other)
		}
	}
	for _, list := range []string{"/console/sessions", "/console/sessions?state=approved", "/console/webhooks", "/console/audit", "/console/audit?session=" + id} {
		if body := get(list); strings.Contains(body, "/console/sessions/"+id) {
			t.Errorf("%s lists the case to who judges it", list)
		}
	}
	if _, body := b.send("POST", "/console/sessions/"+id+"/cancel", url.Values{}); !strings.Contains(body, "without knowing what was decided") {
		t.Error("who judges the case is told that it can not be cancelled")
	}
	b.send("POST", "/console/reviews/blind/"+id+"/decision", url.Values{"outcome": {"rejected"}, "codes-rejected": {"biometric.face_mismatch"}})
	p, err := o.store.Sample(ctx, id)
	if err != nil || !p.Disagrees() || p.Account != vera.ID {
		t.Fatalf("%+v, %v", p, err)
	}
	if ses, err := o.store.Get(ctx, id); err != nil || ses.State != session.Approved {
		t.Errorf("%+v, %v", ses, err)
	}
	for _, list := range []string{"/console/sessions", "/console/audit?session=" + id} {
		if body := get(list); !strings.Contains(body, "/console/sessions/"+id) {
			t.Errorf("%s does not list the case that was judged", list)
		}
	}
	if body := get("/console/checks"); !strings.Contains(body, "Portrait and selfie show different people") {
		t.Error("the disagreement is not listed")
	}
}
