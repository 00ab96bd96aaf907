package api_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

func upload(t *testing.T, c *client.Capture, kind, documentType string, seed uint64) *client.Photo {
	t.Helper()
	p, err := c.Upload(context.Background(), kind, documentType, goodPhoto(t, seed), "image/jpeg")
	if err != nil {
		t.Fatal(err)
	}
	if !p.Accepted {
		t.Fatalf("%s was refused: %v", kind, p.Codes)
	}
	return p
}

func TestACaseIsCapturedFromConsentToSubmission(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	made, c := s.begin(client.NewSession{Claims: map[string]string{"surname": "ERIKSSON"}})
	st, err := c.Status(ctx)
	if err != nil || !st.Consent || st.State != "capture_in_progress" || len(st.Documents) != 4 || len(st.Accepted) != 0 || st.RetainDays != 30 {
		t.Fatalf("status %+v, %v", st, err)
	}
	upload(t, c, "document_front", "id_card", 1)
	_, err = c.Submit(ctx)
	p := wantCode(t, err, 409, client.CodeEvidenceMissing)
	if !strings.Contains(p.Detail, "document_back, selfie") {
		t.Errorf("detail %q", p.Detail)
	}
	upload(t, c, "document_back", "id_card", 2)
	upload(t, c, "selfie", "id_card", 3)
	st, err = c.Submit(ctx)
	if err != nil || st.State != "submitted" || st.DocumentType != "id_card" {
		t.Fatalf("submitted: %+v, %v", st, err)
	}
	if again, err := c.Submit(ctx); err != nil || again.State != "submitted" {
		t.Errorf("submitted again: %+v, %v", again, err)
	}
	rows, err := s.store.Pending(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	runs := 0
	for _, r := range rows {
		if r.Kind == session.KindVerify && r.Session == made.Session.ID {
			runs++
		}
	}
	if runs != 1 {
		t.Errorf("%d runs are queued", runs)
	}
	objects, err := s.store.ListObjects(ctx, made.Session.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, o := range objects {
		kinds = append(kinds, string(o.Class)+"/"+o.Kind)
	}
	slices.Sort(kinds)
	if got := strings.Join(kinds, " "); got != "capture_image/document_back capture_image/document_front capture_image/selfie extracted_fields/claims" {
		t.Errorf("vault holds %s", got)
	}
	_, err = c.Upload(ctx, "selfie", "", goodPhoto(t, 4), "image/jpeg")
	wantCode(t, err, 409, client.CodeConflict)
}

func TestAPhotoIsRefusedBeforeConsent(t *testing.T) {
	s := newServer(t, nil)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{}, "")
	if err != nil {
		t.Fatal(err)
	}
	c := client.NewCapture(s.url, made.ClientToken, nil)
	_, err = c.Upload(context.Background(), "selfie", "", goodPhoto(t, 1), "image/jpeg")
	wantCode(t, err, 409, client.CodeConsentMissing)
}

func TestAPhotoSentTwiceIsKeptOnce(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	made, c := s.begin(client.NewSession{})
	first := upload(t, c, "selfie", "passport", 1)
	again := upload(t, c, "selfie", "passport", 1)
	if len(first.Measures) == 0 || len(again.Measures) != len(first.Measures) {
		t.Errorf("%d measures, then %d", len(first.Measures), len(again.Measures))
	}
	objects, err := s.store.ListObjects(ctx, made.Session.ID, "capture_image")
	if err != nil || len(objects) != 1 {
		t.Errorf("%d objects, %v", len(objects), err)
	}
	upload(t, c, "selfie", "passport", 2)
	evidence, err := s.store.Evidence(ctx, made.Session.ID, 1)
	if err != nil || len(evidence) != 1 {
		t.Errorf("%d photos are judged, %v", len(evidence), err)
	}
}

func TestARefusedPhotoIsNotKept(t *testing.T) {
	s := newServer(t, nil)
	made, c := s.begin(client.NewSession{})
	p, err := c.Upload(context.Background(), "selfie", "", []byte("<html>no photo</html>"), "image/jpeg")
	if err != nil || p.Accepted || p.Hint == nil || p.Hint.Code != "capture.not_an_image" || p.Hint.Text == "" {
		t.Fatalf("answer %+v, %v", p, err)
	}
	objects, err := s.store.ListObjects(context.Background(), made.Session.ID, "")
	if err != nil || len(objects) != 0 {
		t.Errorf("%d objects, %v", len(objects), err)
	}
}

// decide gives the session the decision of a worker.
func (s *server) decide(id string, attempt int, outcome policy.Outcome, code policy.Code, subject string, retake ...string) {
	s.t.Helper()
	info, _ := code.Info()
	d := policy.Decision{
		Outcome: outcome, Codes: []policy.Code{code}, Policy: "default", PolicyVersion: "1", PolicyHash: "x", Attempt: attempt, Retake: retake,
		Reasons: []policy.Reason{{Code: code, Subject: subject, Stage: "quality", Action: info.Action}},
		Hint:    &policy.Hint{Code: code, Text: info.Hint, Subject: subject},
	}
	if _, err := s.store.Apply(context.Background(), id, session.AnyVersion, session.Decided(session.Actor{Role: session.Worker, ID: "w"}, attempt, d), nil); err != nil {
		s.t.Fatal(err)
	}
}

func TestOnlyWhatTheDecisionAskedForIsTakenAgain(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	made, c := s.begin(client.NewSession{DocumentType: "passport"})
	upload(t, c, "document_front", "", 1)
	upload(t, c, "selfie", "", 2)
	if _, err := c.Submit(ctx); err != nil {
		t.Fatal(err)
	}
	s.decide(made.Session.ID, 1, policy.NeedsResubmission, "capture.blurred", "document_front", "document_front")
	st, err := c.Status(ctx)
	if err != nil || st.State != "needs_resubmission" || strings.Join(st.Accepted, " ") != "selfie" || st.AttemptsLeft != 3 {
		t.Fatalf("status %+v, %v", st, err)
	}
	if len(st.Hints) != 1 || st.Hints[0].Code != "capture.blurred" || st.Hints[0].Kind != "document_front" {
		t.Errorf("hints %+v", st.Hints)
	}
	upload(t, c, "document_front", "", 3)
	if st, err = c.Status(ctx); err != nil || st.State != "capture_in_progress" || st.Attempt != 2 || strings.Join(st.Accepted, " ") != "document_front selfie" {
		t.Fatalf("status %+v, %v", st, err)
	}
	if st, err = c.Submit(ctx); err != nil || st.State != "submitted" {
		t.Fatalf("status %+v, %v", st, err)
	}
}

func TestARejectedPersonIsNotToldHowToPass(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	made, c := s.begin(client.NewSession{DocumentType: "passport"})
	upload(t, c, "document_front", "", 1)
	upload(t, c, "selfie", "", 2)
	if _, err := c.Submit(ctx); err != nil {
		t.Fatal(err)
	}
	s.decide(made.Session.ID, 1, policy.Rejected, "biometric.face_mismatch", "case")
	st, err := c.Status(ctx)
	if err != nil || st.State != "rejected" || len(st.Hints) != 0 {
		t.Errorf("status %+v, %v", st, err)
	}
	ses, err := s.service.Wait(ctx, made.Session.ID)
	if err != nil || ses.Decision == nil || ses.Decision.Outcome != "rejected" || len(ses.Decision.Codes) != 1 || ses.Decision.Codes[0] != "biometric.face_mismatch" {
		t.Errorf("service sees %+v, %v", ses, err)
	}
}

func TestATokenActsForItsOwnSessionAndOnlyInItsTime(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	a, ca := s.begin(client.NewSession{})
	b, cb := s.begin(client.NewSession{})
	sa, err := ca.Status(ctx)
	if err != nil || sa.Session != a.Session.ID {
		t.Errorf("%+v, %v", sa, err)
	}
	sb, err := cb.Status(ctx)
	if err != nil || sb.Session != b.Session.ID {
		t.Errorf("%+v, %v", sb, err)
	}
	_, secret, err := s.store.IssueClientToken(ctx, session.Actor{Role: session.Service, ID: "k"}, a.Session.ID, "capture", time.Microsecond)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Millisecond)
	_, err = client.NewCapture(s.url, secret, nil).Status(ctx)
	wantCode(t, err, 401, client.CodeTokenExpired)
	_, other, err := s.store.IssueClientToken(ctx, session.Actor{Role: session.Service, ID: "k"}, a.Session.ID, "review", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.NewCapture(s.url, other, nil).Status(ctx)
	wantCode(t, err, 401, client.CodeUnauthorized)
	l, err := s.service.NewLink(ctx, a.Session.ID)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := client.NewCapture(s.url, l.ClientToken, nil).Status(ctx); err != nil || st.Session != a.Session.ID {
		t.Errorf("new link: %+v, %v", st, err)
	}
}

func TestADocumentTypeThatTheServiceFixedStays(t *testing.T) {
	s := newServer(t, nil)
	_, c := s.begin(client.NewSession{DocumentType: "passport"})
	st, err := c.Status(context.Background())
	if err != nil || len(st.Documents) != 1 || strings.Join(st.Documents[0].Needs, " ") != "document_front selfie" {
		t.Errorf("status %+v, %v", st, err)
	}
	_, err = c.Upload(context.Background(), "document_front", "id_card", goodPhoto(t, 1), "image/jpeg")
	wantCode(t, err, 409, client.CodeConflict)
}

func TestEveryAnswerCarriesSecurityHeadersAndARequestID(t *testing.T) {
	s := newServer(t, nil)
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/capture", "/nowhere", "/capture", "/problems/busy"} {
		resp, body := s.send("GET", path, "", "", "", nil)
		for _, h := range []string{"X-Content-Type-Options", "Referrer-Policy", "Content-Security-Policy", "X-Request-Id"} {
			if resp.Header.Get(h) == "" {
				t.Errorf("%s lacks %s", path, h)
			}
		}
		want := http.StatusOK
		switch path {
		case "/v1/capture":
			want = 401
		case "/nowhere":
			want = 404
		}
		if resp.StatusCode != want {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	resp, _ := s.send("GET", "/healthz", "", "", "", map[string]string{"X-Request-Id": "caller-chosen-id"})
	if resp.Header.Get("X-Request-Id") != "caller-chosen-id" {
		t.Error("a proper request id is not kept")
	}
	resp, _ = s.send("GET", "/healthz", "", "", "", map[string]string{"X-Request-Id": "a b; injected"})
	if strings.Contains(resp.Header.Get("X-Request-Id"), "injected") {
		t.Error("an improper request id is kept")
	}
}
