package web_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/proofline/proofline/client"
)

// What the page costs, as docs/capture.md has it: bytes over the line until the
// first step is there, and the time of a scripted case with files, from opening
// the link to the answer to its submission.
func TestThePageIsLightAndAScriptedCaseIsShort(t *testing.T) {
	dir, photos := files(t)
	ctx := browser(t, nil, noCamera)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, "about:blank")
	w.axe = ""
	opened := time.Now()
	w.do("open the link", chromedp.Navigate(made.CaptureURL))
	w.at("consent", "")
	shown := time.Since(opened)
	sent, err := chromedp.Run(ctx, chromedp.Evaluate[int](`performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).reduce((n, e) => n + e.transferSize, 0)`))
	if err != nil {
		t.Fatal(err)
	}
	requests, err := chromedp.Run(ctx, chromedp.Evaluate[int](`performance.getEntriesByType('resource').length + 1`))
	if err != nil {
		t.Fatal(err)
	}
	if sent == 0 || sent > 150_000 {
		t.Errorf("%d bytes until the first step", sent)
	}
	w.do("agree", click("#agree"))
	for _, kind := range []string{"document_front", "selfie"} {
		w.at("trouble", "")
		w.do("choose a file", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, kind+".jpg")}))
		w.at("accepted", "")
		w.do("go on", click("#continue"))
	}
	w.at("review", "")
	w.do("send", click("#send"))
	w.do("it is taken", chromedp.WaitVisible(`[data-view="working"], [data-view="approved"], [data-view="pending_review"]`))
	t.Logf("%d bytes in %d requests, first step after %v, submitted after %v, photos of %d and %d bytes", sent, requests,
		shown.Round(time.Millisecond), time.Since(opened).Round(time.Millisecond), len(photos["document_front"]), len(photos["selfie"]))
}
