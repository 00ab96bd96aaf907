package api_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// log is the whole audit log as text.
func (s *server) auditLog() string {
	s.t.Helper()
	var b strings.Builder
	for e, err := range s.store.AuditLog(context.Background(), 0, 0) {
		if err != nil {
			s.t.Fatal(err)
		}
		b.Write(e)
		b.WriteByte('\n')
	}
	return b.String()
}

func TestACaseInReviewIsClaimedOpenedUnderAGrantAndDecided(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	vera, _, _ := s.person("vera", access.Reviewer)
	max, _, _ := s.person("max", access.Reviewer)
	id := s.review(client.NewSession{DocumentType: "passport", Claims: map[string]string{"surname": "CANARYERICSON"}})

	page, err := vera.Reviews(ctx, client.ReviewFilter{Free: true, Code: "consistency.name_mismatch", DocumentType: "passport"})
	if err != nil || len(page.Reviews) != 1 || page.Reviews[0].Session != id || page.Reviews[0].Late || !page.Reviews[0].Due.After(time.Now()) {
		t.Fatalf("%+v, %v", page, err)
	}
	if page, err := vera.Reviews(ctx, client.ReviewFilter{Code: "document.expired"}); err != nil || len(page.Reviews) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	if page, err := vera.Reviews(ctx, client.ReviewFilter{Jurisdiction: "FR"}); err != nil || len(page.Reviews) != 0 {
		t.Errorf("%+v, %v", page, err)
	}
	c, err := vera.Review(ctx, id)
	if err != nil || c.State != "pending_review" || len(c.Evidence) != 2 || len(c.Reasons) != 1 || !slices.Equal(c.Sources, []string{"mrz", "visual"}) {
		t.Fatalf("%+v, %v", c, err)
	}
	i := slices.IndexFunc(c.Findings, func(f client.ReviewFinding) bool { return f.Stage == "liveness" })
	if i < 0 || len(c.Findings[i].Measures) != 1 || c.Findings[i].Measures[0].Threshold == nil || c.Findings[i].Verdict == "pass" {
		t.Errorf("scores are not held against the policy's thresholds: %+v", c.Findings)
	}
	if b, _ := json.Marshal(c); strings.Contains(string(b), "CANARY") {
		t.Error("a case shows what was read without a grant")
	}
	selfie := c.Evidence[slices.IndexFunc(c.Evidence, func(e client.Evidence) bool { return e.Kind == "selfie" })]

	// Evidence.
	_, err = vera.OpenEvidence(ctx, "grt_x", selfie.Object)
	wantCode(t, err, 403, client.CodeNoGrant)
	_, err = vera.AskGrant(ctx, client.AskGrant{Session: id, Purpose: "complaint"})
	wantCode(t, err, 400, client.CodeInvalidRequest)
	g, err := vera.AskGrant(ctx, client.AskGrant{Session: id, Purpose: "review", Text: "CANARY she called twice"})
	if err != nil || g.State != "active" || g.ExpiresAt == nil {
		t.Fatalf("%+v, %v", g, err)
	}
	b, err := vera.OpenEvidence(ctx, g.ID, selfie.Object)
	if err != nil || string(b) != string(goodPhoto(t, 1)) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	_, err = max.OpenEvidence(ctx, g.ID, selfie.Object)
	wantCode(t, err, 403, client.CodeNoGrant)
	other := s.review(client.NewSession{})
	oc, err := vera.Review(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	_, err = vera.OpenEvidence(ctx, g.ID, oc.Evidence[0].Object)
	wantCode(t, err, 404, client.CodeNotFound)
	fs, err := vera.Fields(ctx, g.ID)
	if err != nil || len(fs.Fields) != 5 || !slices.ContainsFunc(fs.Fields, func(f client.FieldValue) bool { return f.Source == "claims" && f.Value == "CANARYERICSON" }) {
		t.Errorf("%+v, %v", fs, err)
	}

	// Decision.
	yes := client.Verdict{Outcome: "approved", Override: true, Note: "CANARY the name is transliterated"}
	_, err = vera.Decide(ctx, id, c.Version, yes)
	wantCode(t, err, 409, client.CodeNotClaimed)
	if _, err := vera.Claim(ctx, id); err != nil {
		t.Fatal(err)
	}
	_, err = max.Claim(ctx, id)
	wantCode(t, err, 409, client.CodeClaimed)
	_, err = max.Decide(ctx, id, c.Version, yes)
	wantCode(t, err, 409, client.CodeNotClaimed)
	_, err = vera.Decide(ctx, id, c.Version-1, yes)
	wantCode(t, err, 412, client.CodePreconditionFailed)
	_, _, secret := s.person("bare", access.Reviewer)
	for header, want := range map[string]int{"": 428, `W/"1"`: 412, "*": 412, `"x"`: 412} {
		if resp, body := s.send("POST", "/v1/reviews/"+id+"/decision", secret, "application/json", `{"outcome":"approved"}`, map[string]string{"If-Match": header}); resp.StatusCode != want {
			t.Errorf("If-Match %q: %d %s", header, resp.StatusCode, body)
		}
	}
	for what, v := range map[string]client.Verdict{
		"approval against a failed check": {Outcome: "approved"},
		"override without a note":         {Outcome: "approved", Override: true},
		"rejection without a reason":      {Outcome: "rejected"},
		"unknown reason":                  {Outcome: "rejected", Codes: []string{"document.ugly"}},
		"technical reason":                {Outcome: "rejected", Codes: []string{"system.stage_failed"}},
		"photos for what no photo helps":  {Outcome: "needs_resubmission", Codes: []string{"biometric.face_mismatch"}},
		"unknown photo":                   {Outcome: "needs_resubmission", Codes: []string{"capture.glare"}, Retake: []string{"passport"}},
	} {
		if _, err := vera.Decide(ctx, id, c.Version, v); err == nil {
			t.Errorf("%s was accepted", what)
		} else {
			wantCode(t, err, 400, client.CodeInvalidRequest)
		}
	}
	done, err := vera.Decide(ctx, id, c.Version, yes)
	if err != nil || !done.Settled || done.State != "approved" || done.Version <= c.Version {
		t.Fatalf("%+v, %v", done, err)
	}
	ses, err := s.service.Get(ctx, id)
	if err != nil || ses.State != "approved" || ses.Decision.By != "reviewer" || ses.Evidence == nil || ses.Evidence.KeptUntil == nil {
		t.Errorf("%+v, %v", ses, err)
	}
	_, err = vera.OpenEvidence(ctx, g.ID, selfie.Object)
	wantCode(t, err, 403, client.CodeNoGrant)
	_, err = vera.Claim(ctx, id)
	wantCode(t, err, 409, client.CodeNotInReview)
	notes, err := s.store.ListObjects(ctx, id, storage.ReviewNote)
	if err != nil || len(notes) != 2 {
		t.Fatalf("%d notes are in the vault, %v", len(notes), err)
	}
	kinds := []string{notes[0].Kind, notes[1].Kind}
	if !slices.Contains(kinds, review.NoteKind) || !slices.Contains(kinds, review.PurposeKind) {
		t.Errorf("notes %v", kinds)
	}
	l := s.auditLog()
	for action, want := range map[string]int{"evidence.ask": 1, "evidence.open": 5, "review.claim": 1, "review.vote": 1, "session.approve": 1, "evidence.grant_over": 1} {
		if n := strings.Count(l, `"action":"`+action+`"`); n != want {
			t.Errorf("%s is logged %d times, not %d", action, n, want)
		}
	}
	if strings.Contains(l, "CANARY") || strings.Contains(s.log.String(), "CANARY") {
		t.Error("a log holds a note, a purpose or a name")
	}
}

func TestAReviewersCallForPhotosReachesThePerson(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	vera, _, _ := s.person("vera", access.Reviewer)
	id := s.review(client.NewSession{})
	c, err := vera.Review(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := vera.Claim(ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := vera.Release(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := vera.Claim(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := vera.Decide(ctx, id, c.Version, client.Verdict{Outcome: "needs_resubmission", Codes: []string{"capture.glare"}}); err != nil {
		t.Fatal(err)
	}
	link, err := s.service.NewLink(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	st, err := client.NewCapture(s.url, link.ClientToken, nil).Status(ctx)
	if err != nil || st.State != "needs_resubmission" || !slices.Equal(st.Accepted, []string{"selfie"}) || len(st.Hints) == 0 || st.Hints[0].Code != "capture.glare" {
		t.Errorf("%+v, %v", st, err)
	}
}

func TestWithFourEyesTheSecondReviewerIsBlind(t *testing.T) {
	s := newServer(t, staffed(func(c *review.Config) { c.Reviewers, c.SecondForEvidence = 2, true }))
	ctx := context.Background()
	vera, veraID, _ := s.person("vera", access.Reviewer)
	max, _, _ := s.person("max", access.Reviewer)
	id := s.review(client.NewSession{})
	decide := func(who *client.Staff) *client.Reviewed {
		c, err := who.Review(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Said) != 0 {
			t.Errorf("a vote is seen before one's own: %+v", c.Said)
		}
		if _, err := who.Claim(ctx, id); err != nil {
			t.Fatal(err)
		}
		r, err := who.Decide(ctx, id, c.Version, client.Verdict{Outcome: "rejected", Codes: []string{"consistency.name_mismatch"}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	g, err := vera.AskGrant(ctx, client.AskGrant{Session: id, Purpose: "review"})
	if err != nil || g.State != "pending" {
		t.Fatalf("%+v, %v", g, err)
	}
	_, err = vera.Fields(ctx, g.ID)
	wantCode(t, err, 403, client.CodeNoGrant)
	_, err = vera.ApproveGrant(ctx, g.ID)
	wantCode(t, err, 403, client.CodeSecondPerson)
	if g, err := max.ApproveGrant(ctx, g.ID); err != nil || g.State != "active" {
		t.Fatalf("%+v, %v", g, err)
	}
	if _, err := vera.Fields(ctx, g.ID); err != nil {
		t.Error(err)
	}
	if gs, err := max.Grants(ctx, id); err != nil || len(gs.Grants) != 1 || gs.Grants[0].Openings != 1 || gs.Grants[0].Account != veraID.ID {
		t.Errorf("%+v, %v", gs, err)
	}
	if r := decide(vera); r.Settled || r.State != "pending_review" {
		t.Errorf("%+v", r)
	}
	_, err = vera.Claim(ctx, id)
	wantCode(t, err, 409, client.CodeVoted)
	if r := decide(max); !r.Settled || r.State != "rejected" {
		t.Errorf("%+v", r)
	}
	c, err := vera.Review(ctx, id)
	if err != nil || len(c.Said) != 2 {
		t.Errorf("%+v, %v", c.Said, err)
	}
}

func TestARelyingServiceReadsTheFieldsThatThePolicyGrantsUntilTheyAreErased(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	vera, _, _ := s.person("vera", access.Reviewer)
	id := s.review(client.NewSession{Claims: map[string]string{"surname": "CLAIMED"}})
	_, err := s.service.Attributes(ctx, id)
	wantCode(t, err, 409, client.CodeConflict)
	c, _ := vera.Review(ctx, id)
	if _, err := vera.Claim(ctx, id); err != nil {
		t.Fatal(err)
	}
	if _, err := vera.Decide(ctx, id, c.Version, client.Verdict{Outcome: "approved", Override: true, Note: "fine"}); err != nil {
		t.Fatal(err)
	}
	got, err := s.service.Attributes(ctx, id)
	if err != nil || len(got.Attributes) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	// The surer reading of the name; the number that a check digit confirms.
	if a := got.Attributes[0]; a.Name != "surname" || a.Value != "CANARYERIKSSON" || a.Source != "mrz" {
		t.Errorf("%+v", a)
	}
	if a := got.Attributes[1]; a.Name != "document_number" || a.Value != "L898902C3" || !a.Verified {
		t.Errorf("%+v", a)
	}
	_, err = client.NewService(s.url, s.newKey("acme", api.ScopeSessionsRead, api.ScopeSessionsCreate), nil).Attributes(ctx, id)
	wantCode(t, err, 403, client.CodeForbidden)
	_, err = client.NewService(s.url, s.newKey("other", api.Scopes()...), nil).Attributes(ctx, id)
	wantCode(t, err, 404, client.CodeNotFound)
	if n := strings.Count(s.auditLog(), `"action":"attributes.read"`); n != 1 {
		t.Errorf("%d readings are logged", n)
	}
	// Under a legal hold a withdrawal erases nothing, yet nothing is handed out.
	dpo, _, _ := s.person("dpo", access.PrivacyOfficer)
	hold, err := dpo.PlaceHold(ctx, id, client.NewHold{Reason: "litigation"})
	if err != nil {
		t.Fatal(err)
	}
	if e, err := s.service.WithdrawConsent(ctx, id); err != nil || e.Status != "held" {
		t.Fatalf("%+v, %v", e, err)
	}
	_, err = s.service.Attributes(ctx, id)
	wantCode(t, err, 410, client.CodeWithdrawn)
	if ses, err := s.service.Get(ctx, id); err != nil || ses.WithdrawnAt == nil {
		t.Errorf("%+v, %v", ses, err)
	}
	if _, err := dpo.LiftHold(ctx, hold.ID, "settled"); err != nil {
		t.Fatal(err)
	}
	// What the worker does with the erasure's row.
	if err := s.service.EraseEvidence(ctx, id); err != nil {
		t.Fatal(err)
	}
	for _, class := range []storage.Class{storage.CaptureImage, storage.BiometricTemplate, storage.ExtractedFields, storage.ReviewNote} {
		if _, err := s.vault.Erase(ctx, id, class); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.store.EvidenceErased(ctx, "", id, session.Actor{Role: session.Worker, ID: "w"}, map[string]string{"certificate_extracted_fields": "obj_certificate"}, nil); err != nil {
		t.Fatal(err)
	}
	_, err = s.service.Attributes(ctx, id)
	if p := wantCode(t, err, 410, client.CodeErased); p.Certificate != "obj_certificate" {
		t.Errorf("%+v", p)
	}
	ses, err := s.service.Get(ctx, id)
	if err != nil || ses.Evidence == nil || ses.Evidence.KeptUntil != nil || ses.Evidence.ErasedAt == nil || ses.Evidence.Certificates["extracted_fields"] != "obj_certificate" {
		t.Errorf("%+v, %v", ses.Evidence, err)
	}
}

func TestConsentIsWithdrawnByThePersonTheServiceAndThePrivacyOfficer(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	dpo, _, _ := s.person("dpo", access.PrivacyOfficer)
	erasures := func(id string) int {
		rows, err := s.store.Pending(ctx, 500)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, r := range rows {
			if r.Kind == session.KindErase && r.Session == id {
				n++
			}
		}
		return n
	}
	made, person := s.begin(client.NewSession{})
	if _, err := person.GiveConsent(ctx, "1", "en"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice is once
		if e, err := person.WithdrawConsent(ctx); err != nil || e.Status != "accepted" {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	if ses, err := s.service.Get(ctx, made.Session.ID); err != nil || ses.State != "expired" || erasures(made.Session.ID) != 1 {
		t.Errorf("%s, %d erasures, %v", ses.State, erasures(made.Session.ID), err)
	}
	_, err := person.GiveConsent(ctx, "1", "en")
	wantCode(t, err, 409, client.CodeConflict)

	inReview := s.review(client.NewSession{})
	if _, err := s.service.WithdrawConsent(ctx, inReview); err != nil {
		t.Fatal(err)
	}
	if ses, err := s.service.Get(ctx, inReview); err != nil || ses.State != "expired" || erasures(inReview) != 1 {
		t.Errorf("%s, %v", ses.State, err)
	}
	third := s.review(client.NewSession{})
	h, err := dpo.PlaceHold(ctx, third, client.NewHold{Reason: "litigation", Matter: "court-17"})
	if err != nil || h.LiftedAt != nil {
		t.Fatalf("%+v, %v", h, err)
	}
	if e, err := dpo.WithdrawConsent(ctx, third); err != nil || e.Status != "held" {
		t.Errorf("%+v, %v", e, err)
	}
	if ses, err := s.service.Get(ctx, third); err != nil || !ses.Evidence.Held {
		t.Errorf("%+v, %v", ses.Evidence, err)
	}
	if page, err := dpo.Holds(ctx, third, true); err != nil || len(page.Holds) != 1 {
		t.Errorf("%+v, %v", page, err)
	}
	if h, err := dpo.LiftHold(ctx, h.ID, "settled"); err != nil || h.LiftedAt == nil {
		t.Errorf("%+v, %v", h, err)
	}
	if e, err := dpo.EraseEvidence(ctx, third); err != nil || e.Status != "accepted" {
		t.Errorf("%+v, %v", e, err)
	}
	line, err := dpo.Timeline(ctx, third)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range line.Entries {
		said = append(said, e.Action)
	}
	for _, want := range []string{"session.create", "hold.placed", "session.consent_withdrawn", "hold.lifted", "evidence.erasure_requested"} {
		if !slices.Contains(said, want) {
			t.Errorf("the timeline lacks %s: %v", want, said)
		}
	}
}

func TestAServiceCancelsWhatWaitsForThePerson(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	made, person := s.begin(client.NewSession{})
	for range 2 {
		if ses, err := s.service.Cancel(ctx, made.Session.ID); err != nil || ses.State != "expired" {
			t.Fatalf("%+v, %v", ses, err)
		}
	}
	_, err := person.GiveConsent(ctx, "1", "en")
	wantCode(t, err, 409, client.CodeConflict)
	_, err = s.service.Cancel(ctx, s.review(client.NewSession{}))
	wantCode(t, err, 409, client.CodeConflict)
}

func TestConsentToDocumentsOnlyIsRecordedAsSuch(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	made, _ := s.begin(client.NewSession{})
	for body, want := range map[string]int{
		`{"accepted":true,"text_version":"7","scope":["biometric"]}`:              400,
		`{"accepted":true,"text_version":"7","scope":["everything"]}`:             400,
		`{"accepted":true,"text_version":"7","locale":"de","scope":["document"]}`: 200,
	} {
		if resp, text := s.send("POST", "/v1/capture/consent", made.ClientToken, "application/json", body, nil); resp.StatusCode != want {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
		}
	}
	ses, err := s.store.Get(ctx, made.Session.ID)
	if err != nil || !slices.Equal(ses.Consent.Scope, []string{"document"}) || ses.Consent.Locale != "de" || len(ses.Consent.TextHash) != 64 || ses.Consent.At.IsZero() {
		t.Errorf("%+v, %v", ses.Consent, err)
	}
}
