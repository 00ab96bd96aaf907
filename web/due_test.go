package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// In each language: a session in review says by when a person will have looked, or
// that it takes longer; a sandbox's session says that it is one, and others do not.
func TestThePageSaysWhenAnAnswerComesAndThatASandboxIsOne(t *testing.T) {
	ctx, bg := browser(t, nil, noCamera), context.Background()
	s := newSite(t)
	_, secret, err := s.store.CreateAPIKey(bg, session.Actor{Role: session.Operator, ID: "test"}, session.TestTenant("acme"), "sandbox", api.Scopes(), 0)
	if err != nil {
		t.Fatal(err)
	}
	sandbox := client.NewService(s.url, secret, nil)
	for lang, says := range map[string][3]string{
		"en": {"answer by", "longer than usual", "Test mode"}, "de": {"bis", "länger als sonst", "Testbetrieb"}, "fr": {"d’ici le", "plus de temps", "Mode test"},
		"es": {"antes del", "más de lo habitual", "Modo de prueba"}, "ar": {"قبل", "أطول من المعتاد", "وضع الاختبار"}, "hi": {"तक उत्तर", "अधिक समय", "परीक्षण मोड"},
	} {
		dir := map[bool]string{true: "rtl", false: "ltr"}[lang == "ar"]
		made, err := sandbox.CreateSession(bg, client.NewSession{Locale: lang, DocumentType: "passport"}, "")
		if err != nil {
			t.Fatal(err)
		}
		w := walk(t, ctx, "about:blank")
		w.do("open the sandbox's link", chromedp.Navigate(made.CaptureURL))
		w.at("consent", "sandbox-"+lang)
		w.fits(lang, dir, "consent of a sandbox")
		if text := w.text("body"); !strings.Contains(text, says[2]) {
			t.Errorf("%s: no banner in test mode", lang)
		}
		for i, sla := range []time.Duration{26 * time.Hour, time.Millisecond} {
			if i == 1 && lang != "en" && lang != "ar" {
				continue
			}
			if made, err = s.service.CreateSession(bg, client.NewSession{Locale: lang, DocumentType: "passport"}, ""); err != nil {
				t.Fatal(err)
			}
			s.refer(made, policy.Triage{Queue: "default", SLA: sla, BusySLA: sla})
			w.do("open the link", chromedp.Navigate("about:blank"))
			w.do("open the link", chromedp.Navigate(made.CaptureURL))
			w.at("pending_review", fmt.Sprintf("due-%d-%s", i, lang))
			w.fits(lang, dir, "pending_review")
			if text := w.text(".due"); !strings.Contains(text, says[i]) {
				t.Errorf("%s, due in %v: %q", lang, sla, text)
			}
			if text := w.text("body"); strings.Contains(text, says[2]) {
				t.Errorf("%s: a real session is called a test", lang)
			}
		}
	}
}

// text is what an element shows.
func (w *walker) text(at string) string {
	w.t.Helper()
	got, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", at)))
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// refer brings a session to review.
func (s *site) refer(made *client.Created, t policy.Triage) {
	s.t.Helper()
	ctx, by, id := context.Background(), session.Actor{Role: session.Client, ID: "c"}, made.Session.ID
	if _, err := client.NewCapture(s.url, made.ClientToken, nil).GiveConsent(ctx, "1", "en"); err != nil {
		s.t.Fatal(err)
	}
	for _, kind := range []string{"document_front", "selfie"} {
		if _, err := s.store.PutEvidence(ctx, by, session.Evidence{Session: id, Kind: kind, Object: "obj_" + kind, SHA256: "00", Size: 3}); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := s.store.Apply(ctx, id, session.AnyVersion, session.Event{Kind: session.Submit, Actor: by}, nil); err != nil {
		s.t.Fatal(err)
	}
	ev := session.Decided(session.Actor{Role: session.Worker, ID: "w"}, 1, policy.Decision{Outcome: policy.PendingReview, Codes: []policy.Code{"document.screen_recapture"}, Attempt: 1})
	ev.Triage = &t
	if _, err := s.store.Apply(ctx, id, session.AnyVersion, ev, nil); err != nil {
		s.t.Fatal(err)
	}
}
