package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/proofline/proofline/client"
)

// shop is another site's page with the capture page in a frame, as examples/embed
// has it, which notes what it is told.
func shop(t *testing.T, proofline, link string, listed []string) *httptest.Server {
	t.Helper()
	own, err := os.ReadFile("../examples/embed/shop.js")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/shop.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(own)
		case "/session":
			fmt.Fprintf(w, `{"capture_url":%q}`, link)
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Shop</title>
<script>window.told = []; addEventListener('message', (e) => told.push(e.origin + ' ' + JSON.stringify(e.data)));</script>
<script src="%s/capture/proofline.js"></script><script src="/shop.js" defer></script>
<body data-proofline="%s"><p id="note"></p><div id="check"></div>`, proofline, listed[0])
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestAListedPageEmbedsTheCaptureAndIsToldOfIt(t *testing.T) {
	ctx := browser(t, nil, map[string]any{"use-fake-ui-for-media-stream": false, "deny-permission-prompts": true, "disable-site-isolation-trials": true, "disable-features": "IsolateOrigins,site-per-process"})
	var link string
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	link = made.CaptureURL
	good := shop(t, s.url, link, []string{s.url})
	s.embed(good.URL)
	if err := chromedp.Do(ctx, chromedp.Navigate(good.URL)); err != nil {
		t.Fatal(err)
	}
	note := func(want string) string {
		var got string
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			got, _ = chromedp.Run(ctx, chromedp.Evaluate[string](`document.getElementById('note')?.textContent ?? ''`))
			if strings.Contains(got, want) {
				return got
			}
		}
		t.Errorf("the shop says %q, want %q", got, want)
		return got
	}
	note("Please check in")
	told, err := chromedp.Run(ctx, chromedp.Evaluate[[]string]("told"))
	if err != nil || len(told) == 0 {
		t.Fatalf("told %v, %v", told, err)
	}
	for _, m := range told {
		if !strings.HasPrefix(m, s.url+" ") || strings.Contains(m, "plc_") || strings.Contains(m, made.Session.ID) {
			t.Errorf("told %s", m)
		}
	}
	// Messages that only look like the page's are not passed on.
	_, err = chromedp.Run(ctx, chromedp.Evaluate[bool](`(() => {
		window.postMessage({source: 'proofline', version: 1, type: 'complete', detail: {state: 'approved'}}, '*');
		const f = document.createElement('iframe');
		f.srcdoc = '<script>parent.postMessage({source:"proofline",version:1,type:"complete",detail:{state:"approved"}}, "*")<\/script>';
		document.body.append(f);
		return true;
	})()`))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if got := note("Please check in"); strings.Contains(got, "approved") {
		t.Error("a forged message was believed")
	}
}

func TestAPageThatIsNotListedCanNotEmbedTheCapture(t *testing.T) {
	ctx := browser(t, nil, noCamera)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, embedders := range map[string][]string{"nobody is listed": nil, "another is listed": {"https://shop.example"}} {
		bad := shop(t, s.url, made.CaptureURL, []string{s.url})
		s.embed(embedders...)
		if err := chromedp.Do(ctx, chromedp.Navigate(bad.URL)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		told, err := chromedp.Run(ctx, chromedp.Evaluate[[]string]("told"))
		if err != nil || len(told) != 0 {
			t.Errorf("%s: told %v, %v", name, told, err)
		}
	}
	// A page that expects another origin does not even open the frame.
	wary := shop(t, s.url, made.CaptureURL, []string{"https://verify.example"})
	if err := chromedp.Do(ctx, chromedp.Navigate(wary.URL)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	if n, err := chromedp.Run(ctx, chromedp.Evaluate[int]("document.querySelectorAll('iframe').length")); err != nil || n != 0 {
		t.Errorf("%d frames, %v", n, err)
	}
}
