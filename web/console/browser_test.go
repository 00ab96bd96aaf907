package console_test

import (
	"bytes"
	"context"
	"flag"
	"image/jpeg"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/session"
)

var shots = flag.String("shots", "", "write screenshots of every page into this folder")

var sizes = map[string][2]int64{"desktop": {1280, 800}, "phone": {360, 740}}

// tab drives one tab of Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
	axe string
}

func openTab(t *testing.T) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		testserver.Missing(t, "chromium", err.Error())
	}
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 800), chromedp.WSURLReadTimeout(2 * time.Minute)}
	for _, k := range []string{"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync", "hide-scrollbars"} {
		opts = append(opts, chromedp.Flag(k, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 10*time.Minute) // a hang is ended by its step's minute
	t.Cleanup(cancel)
	x := &tab{t: t, ctx: ctx}
	if b, err := os.ReadFile("../capture/node_modules/axe-core/axe.min.js"); err == nil {
		x.axe = string(b)
	} else if os.Getenv("PROOFLINE_REQUIRE") == "all" {
		t.Fatal("axe-core is not installed; run: npm ci --prefix web/capture")
	}
	return x
}

func (x *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	x.t.Helper()
	ctx, cancel := context.WithTimeout(x.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		text, _ := chromedp.Run(x.ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
		x.t.Fatalf("%s: %v\n%s", what, err, text)
	}
}

func (x *tab) eval(js string) string {
	x.t.Helper()
	v, err := chromedp.Run(x.ctx, chromedp.Evaluate[string](js))
	if err != nil {
		x.t.Fatal(err)
	}
	return v
}

func media(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// look checks a page in both sizes and schemes: it fits, axe finds nothing; and
// takes its picture.
func (x *tab) look(name string) {
	x.t.Helper()
	for size, wh := range sizes {
		for _, scheme := range []string{"light", "dark"} {
			x.do("resize", chromedp.EmulateViewport(wh[0], wh[1], chromedp.EmulateScale(1)), media(scheme))
			if wide := x.eval("document.documentElement.scrollWidth > innerWidth ? document.documentElement.scrollWidth + ' wide' : ''"); wide != "" {
				x.t.Errorf("%s on %s: %s", name, size, wide)
			}
			if x.axe != "" {
				found, err := chromedp.Run(x.ctx, chromedp.Evaluate[[]string](x.axe+`
					;axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
					.then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + ': ' + n.failureSummary)))`, chromedp.EvalAwaitPromise))
				if err != nil {
					x.t.Fatal(err)
				}
				for _, v := range found {
					x.t.Errorf("%s, %s, %s: %s", name, size, scheme, v)
				}
			}
			if *shots != "" && scheme == "light" {
				x.picture(name, size, wh)
			}
		}
	}
	x.do("back to the desk", chromedp.EmulateViewport(1280, 800, chromedp.EmulateScale(1)), media("light"))
}

// press sends a key as a keyboard does; ctrl holds Control.
func press(key string, ctrl bool) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, kind := range []input.DispatchKeyEventType{"keyDown", "keyUp"} {
			p := input.DispatchKeyEventParams{Type: kind, Key: key}
			if ctrl {
				p.Modifiers = 2
			} else if kind == "keyDown" {
				p.Text = key
			}
			if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func specimens(t *testing.T) (photos map[string][]byte, straight []byte) {
	t.Helper()
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		testserver.Missing(t, "portraits", err.Error())
	}
	c, err := specimen.Stage(specimen.CaseGood, 11, ps, specimen.CaseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := specimen.New(11, specimen.Options{Portraits: ps, Person: c.Truth.Person})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, doc.Front(), &jpeg.Options{Quality: 88}); err != nil {
		t.Fatal(err)
	}
	return c.Files, b.Bytes()
}

func TestAReviewerWorksTheQueueByKeyboardAlone(t *testing.T) {
	photos, straight := specimens(t)
	x := openTab(t)
	s := newSite(t, nil)
	s.account("vera.example", access.Reviewer, access.PrivacyOfficer)
	id := s.review(photos, straight, client.NewSession{DocumentType: "passport", Jurisdiction: "DE", Claims: map[string]string{"surname": "ERIKSSON", "birth_date": "1974-08-12"}}, "consistency.name_mismatch", "biometric.liveness_uncertain")
	s.review(photos, straight, client.NewSession{Jurisdiction: "FR", Segment: "retail"}, "biometric.presentation_attack")

	x.do("open the console", chromedp.Navigate(s.url+"/console"), chromedp.WaitVisible(`input[name="name"]`))
	x.look("login")
	x.do("log in", chromedp.SendKeys(`input[name="name"]`, "vera.example"), chromedp.SendKeys(`input[name="password"]`, password+"\r"), chromedp.WaitVisible(".queue"))
	x.look("reviews")
	x.do("take the next", press("n", false), chromedp.WaitVisible(`form.decide`))
	if at := x.eval("location.pathname"); at != "/console/reviews/"+id {
		t.Fatalf("took %s", at)
	}
	if n := x.eval("String(document.images.length)"); n != "0" {
		t.Errorf("%s pictures before a grant", n)
	}
	x.look("review-closed")
	x.do("open the evidence", press("e", false), chromedp.WaitVisible(".shots img"))
	for begun := time.Now(); x.eval(`String(document.images.length === 3 && [...document.images].every(i => i.complete && i.naturalWidth > 0))`) != "true"; time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatal("the pictures do not come")
		}
	}
	x.do("reject", press("r", false), chromedp.WaitVisible("fieldset.rejected"))
	if shown := x.eval(`[...document.querySelectorAll(".for")].filter(p => !p.hidden).map(p => p.className).join()`); shown != "for rejected" {
		t.Errorf("shown for a rejection: %s", shown)
	}
	x.do("choose the reason", chromedp.Click(`fieldset.rejected input[value="consistency.name_mismatch"]`))
	x.look("review")
	x.do("write a note", press("t", false), chromedp.SendKeys("textarea", "The visual zone says Ericsson."))
	x.do("decide", press("Enter", true), chromedp.WaitVisible(".queue"))
	ses, err := s.store.Get(ctx, id)
	if err != nil || ses.State != session.Rejected || ses.Decision.Codes[0] != "consistency.name_mismatch" {
		t.Errorf("%+v, %v", ses, err)
	}
	x.do("the account", chromedp.Navigate(s.url+"/console/account"), chromedp.WaitVisible(".cards"))
	x.look("account")
	if errs := x.eval(`performance.getEntriesByType("resource").filter(r => !r.name.startsWith(location.origin)).map(r => r.name).join()`); errs != "" {
		t.Errorf("the page asked elsewhere: %s", errs)
	}
}
