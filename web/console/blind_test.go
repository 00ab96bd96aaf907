package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

func TestWhoMayJudgeACaseBlindLearnsNowhereThatItWasJudged(t *testing.T) {
	o := newOffice(t, 0)
	service, client := session.Actor{Role: session.Service, ID: "key_1"}, session.Actor{Role: session.Client, ID: "tok_1"}
	p := o.active()
	ses, err := o.store.Create(ctx, session.New{Tenant: "default", PolicyName: p.Name, PolicyVersion: p.Version, PolicyHash: p.Hash(), Actor: service})
	if err != nil {
		t.Fatal(err)
	}
	decision := policy.Decision{Outcome: policy.PendingReview, Codes: []policy.Code{"biometric.match_uncertain"}, Policy: p.Name, PolicyVersion: p.Version, PolicyHash: p.Hash()}
	refer := session.Decided(session.Actor{Role: session.Worker, ID: "w"}, 1, decision)
	refer.Triage = &policy.Triage{Queue: "default", SLA: time.Hour, BusySLA: time.Hour, Second: 1}
	for _, ev := range []session.Event{
		{Kind: session.ConsentGiven, Actor: client, Consent: &session.Consent{TextHash: "h", Scope: []string{"document"}}},
		{Kind: session.Submit, Actor: client}, refer,
	} {
		if _, err := o.store.Apply(ctx, ses.ID, session.AnyVersion, ev, nil); err != nil {
			t.Fatal(ev.Kind, err)
		}
	}
	first := o.account("vera.example", access.Reviewer)
	o.account("max.example", access.Reviewer, access.Auditor)
	o.account("audrey.example", access.Auditor)
	if _, _, err := o.store.ClaimReview(ctx, first.ID, ses.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	decision.Outcome = policy.Rejected
	if _, settled, err := o.store.CastVote(ctx, session.Ballot{Vote: session.Vote{Session: ses.ID, Account: first.ID, Outcome: policy.Rejected, Codes: decision.Codes}, Version: session.AnyVersion, Decision: decision, Quorum: 1}); err != nil || settled {
		t.Fatal(settled, err)
	}
	seen := func(who, path string) bool {
		b := o.browser()
		b.enter(who)
		resp, page := b.send("GET", path, nil)
		if resp.StatusCode != 200 || !strings.Contains(page, "created the session") {
			t.Fatalf("%s on %s: %d %s", who, path, resp.StatusCode, page)
		}
		return strings.Contains(page, "verdict")
	}
	for _, path := range []string{"/console/sessions/" + ses.ID, "/console/audit?session=" + ses.ID} {
		if seen("max.example", path) {
			t.Errorf("%s tells a reviewer that the case was judged", path)
		}
		if !seen("audrey.example", path) {
			t.Errorf("%s keeps it from an auditor who does not review", path)
		}
	}
}
