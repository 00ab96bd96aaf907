package web_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"gocv.io/x/gocv"

	"github.com/proofline/proofline/barcode"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver/cutter"
	"github.com/proofline/proofline/session"
)

// noCamera is a browser in which only files can be sent.
var noCamera = map[string]any{"use-fake-ui-for-media-stream": false, "deny-permission-prompts": true}

// files are a good case's photos on disk.
func files(t *testing.T) (dir string, photos map[string][]byte) {
	t.Helper()
	c, err := specimen.Stage(specimen.CaseGood, 11, portraits(t), specimen.CaseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for kind, b := range c.Files {
		if err := os.WriteFile(filepath.Join(dir, kind+".jpg"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir, c.Files
}

func (s *site) evidence(id string) []session.Evidence {
	s.t.Helper()
	all, err := s.store.Evidence(context.Background(), id, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// photo reads a kept photo back.
func (s *site) photo(id, kind string) []byte {
	s.t.Helper()
	for _, e := range s.evidence(id) {
		if e.Kind == kind {
			o, err := s.store.GetObject(context.Background(), e.Object)
			if err != nil {
				s.t.Fatal(err)
			}
			b, err := s.vault.Read(context.Background(), o, 32<<20)
			if err != nil {
				s.t.Fatal(err)
			}
			return b
		}
	}
	return nil
}

// The page's own client behind a network that breaks at random bytes: in requests,
// in answers, in headers.
func TestAPageBehindANetworkThatBreaksFiftyTimesLosesNothing(t *testing.T) {
	dir, photos := files(t)
	ctx := browser(t, nil, noCamera)
	s := newSite(t)
	line := cutter.New(t, strings.TrimPrefix(s.url, "http://"))
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	c := client.NewCapture(s.url, made.ClientToken, nil)
	if _, err := c.GiveConsent(ctx, "t", "en"); err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, line.URL()+"/capture#t="+made.ClientToken)
	w.at("trouble", "")
	r := rand.New(rand.NewPCG(3, 9))
	// Fifty times, and never more than a fiftieth of the photo between two breaks,
	// so that it cannot be through before the fiftieth.
	line.CutAgain(func(cuts int) int64 {
		if cuts >= 50 {
			return -1
		}
		return r.Int64N(int64(len(photos["document_front"]) / 51))
	})
	w.do("choose a file", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, "document_front.jpg")}))
	// Waiting is made short, as a person does who presses "Try now".
	began := time.Now()
	for w.attribute("view") == "sending" || w.attribute("view") == "trouble" {
		_, _ = chromedp.Run(ctx, chromedp.Evaluate[bool](`(() => { const b = document.getElementById('now'); if (b && !b.hidden) b.click(); return true; })()`))
		time.Sleep(20 * time.Millisecond)
		if time.Since(began) > 2*time.Minute {
			w.lost("send", context.DeadlineExceeded)
		}
	}
	w.at("accepted", "")
	if got := s.photo(made.Session.ID, "document_front"); !bytes.Equal(got, photos["document_front"]) {
		t.Errorf("kept %d of %d bytes", len(got), len(photos["document_front"]))
	}
	if n := len(s.evidence(made.Session.ID)); n != 1 {
		t.Errorf("%d photos kept", n)
	}
	ses, err := s.store.Get(ctx, made.Session.ID)
	if err != nil || ses.Attempt != 1 {
		t.Errorf("attempt %d, %v", ses.Attempt, err)
	}
	if line.Cuts() != 50 {
		t.Errorf("the line broke %d times", line.Cuts())
	}
	t.Logf("%d bytes through %d cuts in %v", len(photos["document_front"]), line.Cuts(), time.Since(began).Round(time.Millisecond))
}

// A photo that waits for the network does not hold up the next.
func TestWhileAPhotoWaitsTheNextIsTaken(t *testing.T) {
	dir, photos := files(t)
	ctx := browser(t, nil, noCamera)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, made.CaptureURL)
	w.at("consent", "")
	w.do("agree", click("#agree"))
	w.at("trouble", "")
	s.mu.Lock()
	s.busy = true
	s.mu.Unlock()
	w.do("choose the document", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, "document_front.jpg")}))
	w.do("send it later", click("#later"))
	w.do("the selfie's step", chromedp.WaitVisible(`[data-view="trouble"]`))
	w.do("choose the selfie", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, "selfie.jpg")}))
	w.at("sending", "")
	s.mu.Lock()
	s.busy = false
	s.mu.Unlock()
	w.at("accepted", "")
	w.do("go on", click("#continue"))
	w.at("review", "review-queued")
	w.do("all has arrived", chromedp.WaitVisible("#send:not([hidden])"))
	for kind, b := range photos {
		if !bytes.Equal(s.photo(made.Session.ID, kind), b) {
			t.Errorf("%s did not arrive as it was", kind)
		}
	}
	if n := len(s.evidence(made.Session.ID)); n != 2 {
		t.Errorf("%d photos kept", n)
	}
}

// A clock that is wrong by years changes nothing: the page counts seconds.
func TestAWrongClockDoesNotMatter(t *testing.T) {
	dir, _ := files(t)
	ctx := browser(t, nil, noCamera)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, "about:blank")
	w.do("set the clock", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{
			Source: `{ const D = Date, off = 9 * 365 * 864e5; Date = class extends D { constructor(...a) { a.length ? super(...a) : super(D.now() + off); } static now() { return D.now() + off; } }; }`,
		})
		return err
	}), chromedp.Navigate(made.CaptureURL))
	w.at("consent", "")
	if year, _ := chromedp.Run(ctx, chromedp.Evaluate[int]("new Date().getFullYear()")); year < time.Now().Year()+8 {
		t.Fatalf("the clock shows %d", year)
	}
	w.do("agree", click("#agree"))
	w.at("trouble", "")
	w.do("choose a file", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, "document_front.jpg")}))
	w.at("accepted", "")
}

// The token ends while a photo is on its way: that is said, and a new link that is
// opened in the tab sends the photo.
func TestATokenThatEndsMidCaptureIsExplainedAndThePhotoKept(t *testing.T) {
	dir, photos := files(t)
	ctx := browser(t, nil, noCamera)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, made.CaptureURL)
	w.at("consent", "")
	w.do("agree", click("#agree"))
	w.at("trouble", "")
	if err := s.store.RevokeClientTokens(ctx, session.Actor{Role: session.Operator, ID: "test"}, made.Session.ID); err != nil {
		t.Fatal(err)
	}
	w.do("choose a file", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, "document_front.jpg")}))
	w.at("link", "")
	link, err := s.service.NewLink(ctx, made.Session.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.do("open the new link in this tab", chromedp.Navigate(link.CaptureURL))
	w.do("the photo arrives", chromedp.WaitVisible(`#send, [data-view="accepted"], [data-view="trouble"]`))
	deadline := time.Now().Add(time.Minute)
	for s.photo(made.Session.ID, "document_front") == nil && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	if !bytes.Equal(s.photo(made.Session.ID, "document_front"), photos["document_front"]) {
		t.Error("the photo was lost")
	}
	if address, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href")); strings.Contains(address, "plc_") {
		t.Error("the token stays in the address bar")
	}
}

// Back goes a step back and does not leave; two tabs see the same session.
func TestBackAndASecondTabGoOnWithTheSession(t *testing.T) {
	dir, _ := files(t)
	ctx := browser(t, nil, noCamera)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, made.CaptureURL)
	w.at("consent", "")
	w.do("agree", click("#agree"))
	w.at("choose", "")
	w.do("choose", click(`[data-type="passport"]`))
	w.at("trouble", "")
	w.do("back", chromedp.Evaluate[chromedp.Void]("void history.back()"))
	w.at("choose", "")
	w.do("choose again", click(`[data-type="passport"]`))
	w.at("trouble", "")
	w.do("need help", click("#help"))
	w.at("help", "")
	w.do("back", chromedp.Evaluate[chromedp.Void]("void history.back()"))
	w.at("trouble", "")

	tab := beside(t, ctx)
	second := walk(t, tab, made.CaptureURL)
	second.at("choose", "")
	second.do("choose", click(`[data-type="passport"]`))
	second.at("trouble", "")
	for _, one := range []*walker{w, second} { // the same photo in both
		one.do("choose a file", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, "document_front.jpg")}))
	}
	w.at("accepted", "")
	second.at("accepted", "")
	if n := len(s.evidence(made.Session.ID)); n != 1 {
		t.Errorf("%d photos kept", n)
	}
	second.do("go on", click("#continue"))
	second.at("trouble", "")
	second.do("the selfie", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, "selfie.jpg")}))
	second.at("accepted", "")
	second.do("go on", click("#continue"))
	second.at("review", "")
	second.do("send", click("#send"))
	w.do("go on in the first tab", click("#continue"))
	w.do("see that it was sent", chromedp.WaitVisible(`[data-view="working"], [data-view="approved"], [data-view="pending_review"]`))
	ses, err := s.service.Wait(ctx, made.Session.ID)
	if err != nil || ses.Attempt != 1 {
		t.Errorf("attempt %d, %v", ses.Attempt, err)
	}
}

// The QR code is read from the screen as another device's camera would, and its
// link works once.
func TestTheQRCodeMovesTheCaptureToAnotherDeviceOnce(t *testing.T) {
	ctx := browser(t, nil, noCamera)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, made.CaptureURL)
	w.at("consent", "")
	w.do("use another device", click("#device"))
	w.at("handover", "handover")
	w.do("the code is drawn", chromedp.WaitVisible(".qr svg"))
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	link := readQR(t, png)
	if !strings.HasPrefix(link, s.url+"/capture#h=plc_") {
		t.Fatalf("the code says %q", link)
	}
	if shown, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("document.querySelector('.link').value")); shown != link {
		t.Errorf("the text beside it says %q", shown)
	}
	// Another device: a context of its own, without this one's storage.
	other := beside(t, ctx, chromedp.WithNewBrowserContext())
	second := walk(t, other, link)
	second.at("consent", "")
	if address, _ := chromedp.Run(other, chromedp.Evaluate[string]("location.href")); strings.Contains(address, "plc_") {
		t.Error("the token stays in the other device's address bar")
	}
	second.do("agree there", click("#agree"))
	second.at("trouble", "")
	w.do("the first device says so", chromedp.WaitVisible(".qr .badge.good"))
	second.do("reload there", chromedp.Reload())
	second.at("trouble", "")

	third := beside(t, ctx, chromedp.WithNewBrowserContext())
	late := walk(t, third, link)
	late.at("link", "handed")
	if said, _ := chromedp.Run(third, chromedp.Text("h1")); said != "This code does not work any more" {
		t.Errorf("a used code: %q", said)
	}
	stored, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](`[...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie].filter(Boolean)`))
	if err != nil || len(stored) != 1 || stored[0] != "proofline" {
		t.Errorf("the page stores %v, %v", stored, err)
	}
}

// beside opens another tab.
func beside(t *testing.T, ctx context.Context, o ...chromedp.ContextOption) context.Context {
	t.Helper()
	tab, cancel := chromedp.NewContext(ctx, o...)
	t.Cleanup(cancel)
	// The first action opens the tab, which lives as long as that action's context.
	if err := chromedp.Do(tab); err != nil {
		t.Fatal(err)
	}
	return tab
}

func readQR(t *testing.T, png []byte) string {
	t.Helper()
	m, err := gocv.IMDecode(png, gocv.IMReadColor)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	found, err := barcode.Read(t.Context(), m)
	if err != nil || len(found) != 1 {
		t.Fatalf("codes on the screen: %v, %v", found, err)
	}
	return string(found[0].Bytes)
}
