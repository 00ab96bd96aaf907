package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// drawn has the policy decide a case by itself and draws it for a blind check.
func (s *server) drawn(outcome policy.Outcome) string {
	s.t.Helper()
	ctx := context.Background()
	made, c := s.begin(client.NewSession{DocumentType: "passport"})
	if _, err := c.GiveConsent(ctx, "1", "en"); err != nil {
		s.t.Fatal(err)
	}
	for i, kind := range []string{"document_front", "selfie"} {
		if _, err := c.Insist(ctx, kind, "passport", goodPhoto(s.t, uint64(i)), "image/jpeg"); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := c.Submit(ctx); err != nil {
		s.t.Fatal(err)
	}
	id := made.Session.ID
	if _, err := s.store.PutStage(ctx, session.StageResult{Session: id, Attempt: 1, Stage: "face", InputHash: "h",
		Body: []byte(`{"findings":[{"stage":"face","subject":"case","verdict":"pass","measures":[{"name":"face.similarity","value":0.6125}],"duration_ms":1}]}`)}); err != nil {
		s.t.Fatal(err)
	}
	d := policy.Decision{Outcome: outcome, Codes: []policy.Code{}, Reasons: []policy.Reason{}, Policy: "default", PolicyHash: policy.Default().Hash(), Attempt: 1}
	if outcome == policy.Rejected {
		d.Codes = []policy.Code{"biometric.face_mismatch"}
	}
	ev := session.Decided(session.Actor{Role: session.Worker, ID: "w"}, 1, d)
	ev.Triage = &policy.Triage{Queue: "default", Sample: 1, Within: time.Hour}
	if _, err := s.store.Apply(ctx, id, session.AnyVersion, ev, nil); err != nil {
		s.t.Fatal(err)
	}
	return id
}

func TestABlindCheckIsTakenOpenedJudgedAndMovesNothing(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	vera, account, secret := s.person("vera", access.Reviewer)
	max, _, _ := s.person("max", access.Reviewer)
	_, err := vera.NextCheck(ctx)
	wantCode(t, err, 404, client.CodeNothingWaits)
	id, other := s.drawn(policy.Rejected), s.drawn(policy.Approved)
	if w, err := vera.Checks(ctx); err != nil || w.Waiting != 2 || w.Late != 0 {
		t.Errorf("%+v, %v", w, err)
	}
	_, err = vera.Check(ctx, id)
	wantCode(t, err, 409, client.CodeNotClaimed)
	_, err = vera.Check(ctx, "ses_none")
	wantCode(t, err, 409, client.CodeNotClaimed)
	c, err := vera.NextCheck(ctx)
	if err != nil || c.Session != id || len(c.Evidence) != 2 || !c.HeldUntil.After(time.Now()) {
		t.Fatalf("%+v, %v", c, err)
	}
	if again, err := vera.NextCheck(ctx); err != nil || again.Session != id {
		t.Errorf("who has a case is given another: %+v, %v", again, err)
	}
	if theirs, err := max.NextCheck(ctx); err != nil || theirs.Session != other {
		t.Errorf("two people have the same case: %+v, %v", theirs, err)
	}
	if err := max.ReleaseCheck(ctx, other); err != nil {
		t.Error(err)
	}
	g, err := vera.AskGrant(ctx, client.AskGrant{Session: id, Purpose: "quality_check"})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := vera.OpenEvidence(ctx, g.ID, c.Evidence[0].Object); err != nil || len(b) == 0 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	no := client.CheckVerdict{Outcome: "rejected", Codes: []string{"document.expired"}, Note: "CANARY it ended in May"}
	_, err = max.JudgeCheck(ctx, id, c.Version, no)
	wantCode(t, err, 409, client.CodeNotClaimed)
	_, err = vera.JudgeCheck(ctx, id, c.Version-1, no)
	wantCode(t, err, 412, client.CodePreconditionFailed)
	_, err = vera.JudgeCheck(ctx, id, c.Version, client.CheckVerdict{Outcome: "rejected"})
	wantCode(t, err, 400, client.CodeInvalidRequest)
	for header, want := range map[string]int{"": 428, `W/"1"`: 412, "*": 412} {
		if resp, body := s.send("POST", "/v1/checks/"+id+"/verdict", secret, "application/json", `{"outcome":"approved"}`, map[string]string{"If-Match": header}); resp.StatusCode != want {
			t.Errorf("If-Match %q: %d %s", header, resp.StatusCode, body)
		}
	}
	before, err := s.store.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	done, err := vera.JudgeCheck(ctx, id, c.Version, no)
	if err != nil || done.Session != id || done.At.IsZero() {
		t.Fatalf("%+v, %v", done, err)
	}
	p, err := s.store.Sample(ctx, id)
	if err != nil || p.Said != policy.Rejected || p.Account != account.ID || p.Note == "" {
		t.Errorf("%+v, %v", p, err)
	}
	if after, err := s.store.Get(ctx, id); err != nil || after.State != before.State || after.Version != before.Version {
		t.Errorf("the verdict moved the session: %+v, %v", after, err)
	}
	_, err = vera.OpenEvidence(ctx, g.ID, c.Evidence[0].Object)
	wantCode(t, err, 403, client.CodeNoGrant)
	_, err = vera.JudgeCheck(ctx, id, c.Version, no)
	wantCode(t, err, 409, client.CodeNotClaimed)
	if strings.Contains(s.auditLog(), "CANARY") {
		t.Error("the audit log has the note's words")
	}
}

// Vera has every role: no route of the API may tell her what was decided of the
// case that she judges, and all of them do again as soon as she has judged it.
func TestNothingTellsWhoJudgesACaseBlindlyWhatWasDecided(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	vera, _, secret := s.person("vera", access.StaffRoles()...)
	for _, outcome := range []policy.Outcome{policy.Approved, policy.Rejected} {
		id := s.drawn(outcome)
		c, err := vera.NextCheck(ctx)
		if err != nil || c.Session != id {
			t.Fatalf("%+v, %v", c, err)
		}
		g, err := vera.AskGrant(ctx, client.AskGrant{Session: id, Purpose: "quality_check"})
		if err != nil {
			t.Fatal(err)
		}
		leaks := func(text string) bool {
			for _, w := range []string{"approved", "rejected", "decision.made", "face_mismatch", "similarity", "0.6125"} {
				if strings.Contains(text, w) {
					return true
				}
			}
			return false
		}
		for _, x := range [][2]string{
			{"GET", "/v1/checks/" + id}, {"POST", "/v1/checks/next"}, {"GET", "/v1/checks"}, {"GET", "/v1/reviews"}, {"GET", "/v1/reviews/" + id},
			{"POST", "/v1/reviews/" + id + "/claim"}, {"GET", "/v1/cases/" + id + "/timeline"}, {"POST", "/v1/cases/" + id + "/cancellation"},
			{"GET", "/v1/evidence/grants?session=" + id}, {"GET", "/v1/evidence/grants/" + g.ID + "/fields"}, {"GET", "/v1/holds?session=" + id},
			{"GET", "/v1/sessions/" + id},
		} {
			resp, body := s.send(x[0], x[1], secret, "", "", nil)
			if resp.StatusCode >= 500 || leaks(body) {
				t.Errorf("%s %s tells: %d %s", x[0], x[1], resp.StatusCode, body)
			}
		}
		_, err = vera.Review(ctx, id)
		wantCode(t, err, 409, client.CodeJudgingBlindly)
		_, err = vera.Timeline(ctx, id)
		wantCode(t, err, 409, client.CodeJudgingBlindly)
		done, err := vera.JudgeCheck(ctx, id, c.Version, client.CheckVerdict{Outcome: "needs_resubmission", Codes: []string{"capture.glare"}})
		if b, _ := json.Marshal(done); err != nil || leaks(string(b)) {
			t.Fatalf("%s, %v", b, err)
		}
		if tl, err := vera.Timeline(ctx, id); err != nil || len(tl.Entries) == 0 {
			t.Errorf("a judged case has no timeline: %+v, %v", tl, err)
		} else if b, _ := json.Marshal(tl); !leaks(string(b)) || strings.Contains(string(b), "sample.") {
			t.Errorf("the timeline of a judged case: %s", b)
		}
		if _, err := vera.Review(ctx, id); err != nil {
			t.Error(err)
		}
	}
	auditor, _, _ := s.person("ada", access.Auditor)
	var p *client.Problem
	if _, err := auditor.NextCheck(ctx); !errors.As(err, &p) || p.Status != http.StatusForbidden {
		t.Errorf("an auditor takes a check: %v", err)
	}
}
