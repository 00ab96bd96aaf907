package web_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/specimen"
)

// walker drives one tab and fails the test at the first step that does not
// come.
type walker struct {
	t   *testing.T
	ctx context.Context
	axe string
}

func (w *walker) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.lost(what, err)
	}
}

// lost fails the test and shows the page.
func (w *walker) lost(what string, err error) {
	w.t.Helper()
	body, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.body.innerText + '\n' + JSON.stringify(document.querySelector('[data-view]')?.dataset)`))
	w.picture("lost-" + strings.ReplaceAll(w.t.Name(), "/", "-"))
	w.t.Fatalf("%s: %v\npage:\n%s", what, err, body)
}

// at waits for a view, then checks it and takes its picture.
func (w *walker) at(view, name string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.WaitVisible(`[data-view="`+view+`"]`)); err != nil {
		w.lost("wait for "+view, err)
	}
	w.accessible(view)
	w.picture(name)
}

// good waits until the camera's picture is good. The photo takes itself soon
// after, so a machine may see no more than what comes of it.
func (w *walker) good() {
	w.t.Helper()
	w.do("wait for the advice", chromedp.WaitVisible(`.camera[data-advice="good"], [data-view="sending"], [data-view="accepted"]`))
}

// take presses the shutter of a camera view, unless the photo took itself before.
func (w *walker) take(kind string) {
	w.t.Helper()
	view := `[data-view="` + kind + `"]`
	w.do("the camera's view", chromedp.WaitVisible(view+`, [data-view="sending"], [data-view="accepted"], [data-view="retake"]`))
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		done, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](`(() => {
			const v = document.querySelector('`+view+`');
			if (!v || v.dataset.fired) return true;
			const b = v.querySelector('#shutter:not([disabled])');
			b?.click();
			return !!b;
		})()`))
		if err != nil || time.Now().After(end) {
			w.lost("take it", err)
		}
		if done {
			return
		}
	}
}

func (w *walker) picture(name string) {
	if *shots == "" || name == "" {
		return
	}
	time.Sleep(300 * time.Millisecond)
	b, err := chromedp.Run(w.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll(*shots, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, "capture-"+name+".png"), b, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// accessible runs axe, and checks that focus is on the step's heading.
func (w *walker) accessible(view string) {
	w.t.Helper()
	focus, err := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.activeElement?.tagName ?? ''"))
	if err != nil || focus != "H1" {
		w.t.Errorf("%s: focus is on %q, %v", view, focus, err)
	}
	if w.axe == "" {
		return
	}
	found, err := chromedp.Run(w.ctx, chromedp.Evaluate[[]string](w.axe+`
		;axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
		.then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.target.join(' ') + ': ' + n.failureSummary)))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("axe on %s: %v", view, err)
	}
	for _, v := range found {
		w.t.Errorf("%s: %s", view, v)
	}
}

// attribute reads a data attribute of the view.
func (w *walker) attribute(name string) string {
	w.t.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.querySelector('[data-view]')?.dataset.`+name+` ?? ''`))
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func walk(t *testing.T, ctx context.Context, link string) *walker {
	t.Helper()
	w := &walker{t: t, ctx: ctx}
	if b, err := os.ReadFile("capture/node_modules/axe-core/axe.min.js"); err == nil {
		w.axe = string(b)
	} else if os.Getenv("PROOFLINE_REQUIRE") == "all" {
		t.Fatal("axe-core is not installed; run: npm ci --prefix web/capture")
	}
	w.do("open the link", phone(360, 740, 1), chromedp.Navigate(link))
	return w
}

func click(sel string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(sel, chromedp.NodeVisible)
}

func portraits(t *testing.T) *specimen.Portraits {
	t.Helper()
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		missing(t, err.Error())
	}
	return ps
}

func TestAPersonWalksFromTheLinkToTheResult(t *testing.T) {
	ps := portraits(t)
	cam := newCamera(t)
	doc, err := specimen.New(11, specimen.Options{Portraits: ps})
	if err != nil {
		t.Fatal(err)
	}
	cam.show(document(t, doc.Front(), func(c *specimen.Camera) { c.Defocus = 5 }))
	ctx := browser(t, cam, nil)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{Claims: map[string]string{"surname": doc.Truth.Identity.Surname}}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, made.CaptureURL)

	w.at("consent", "consent")
	if address, _ := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href")); strings.Contains(address, made.ClientToken) {
		t.Error("the token stays in the address bar")
	}
	w.do("agree", click("#agree"))
	w.at("choose", "choose")
	w.do("choose the passport", click(`[data-type="passport"]`))
	w.at("document_front", "")
	w.do("wait for the advice", chromedp.WaitVisible(`.camera[data-advice="capture.blurred"]`))
	w.picture("document-blurred")
	w.do("take a blurred photo", click("#shutter"))
	w.at("retake", "retake")
	// So blurred a document may not be found at all; either is said with words
	// of its own.
	code, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector('[data-view]').dataset.code`))
	said, _ := chromedp.Run(ctx, chromedp.Text("h1"))
	want := map[string]string{"capture.blurred": "The photo is blurred", "capture.document_not_found": "No document can be seen"}
	if want[code] == "" || said != want[code] {
		t.Errorf("asked for another photo because of %s, saying %q", code, said)
	}

	cam.show(document(t, doc.Front(), nil))
	w.do("take it again", click("#again"))
	w.good()
	w.picture("document")
	w.at("accepted", "accepted") // the photo took itself

	// The document is accepted: after the reload the selfie is next. On an empty
	// table the view stays for as long as it is looked at.
	cam.show(table(t))
	w.do("reload the page", chromedp.Reload())
	w.at("selfie", "")
	person, err := ps.Person(doc.Truth.Person)
	if err != nil {
		t.Fatal(err)
	}
	selfie, err := specimen.TakeSelfie(person, specimen.SelfieOptions{Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	cam.show(selfie.Image)
	w.do("reload for the new picture", chromedp.Reload())
	w.good()
	w.picture("selfie")
	w.at("accepted", "selfie-accepted")
	w.do("go on", click("#continue"))
	w.at("review", "review")
	w.do("send", click("#send"))
	ses, err := s.service.Wait(ctx, made.Session.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.at(ses.State, "result")
	if ses.State == "needs_resubmission" || ses.State == "rejected" {
		t.Errorf("a good case ended %s: %v", ses.State, ses.Decision.Codes)
	}
}

func TestWithoutACameraAFileWillDo(t *testing.T) {
	ps := portraits(t)
	c, err := specimen.Stage(specimen.CaseGood, 11, ps, specimen.CaseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for kind, b := range c.Files {
		if err := os.WriteFile(filepath.Join(dir, kind+".jpg"), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// The permission is refused.
	ctx := browser(t, nil, map[string]any{"use-fake-ui-for-media-stream": false, "deny-permission-prompts": true})
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, made.CaptureURL)
	w.at("consent", "")
	w.do("agree", click("#agree"))
	w.at("trouble", "no-camera")
	for _, kind := range []string{"document_front", "selfie"} {
		w.do("choose a file", chromedp.SetUploadFiles(`input[type="file"]`, []string{filepath.Join(dir, kind+".jpg")}))
		w.at("accepted", "")
		w.do("go on", click("#continue"))
		if kind == "document_front" {
			w.at("trouble", "")
		}
	}
	w.at("review", "")
}

func TestARefusedPhotoShowsWhere(t *testing.T) {
	ps := portraits(t)
	doc, err := specimen.New(11, specimen.Options{Portraits: ps})
	if err != nil {
		t.Fatal(err)
	}
	k := specimen.GoodCamera(5)
	k.Width, k.Height, k.Background = 1440, 1080, specimen.Wood
	k.Glare = []specimen.Glare{{X: 0.62, Y: 0.45, Radius: 0.16, Stretch: 0.7, Strength: 1}}
	p, err := specimen.Photograph(doc.Front(), k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.JPEG(92)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "document.jpg")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx := browser(t, nil, map[string]any{"use-fake-ui-for-media-stream": false, "deny-permission-prompts": true})
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, made.CaptureURL)
	w.at("consent", "")
	w.do("agree", click("#agree"))
	w.at("trouble", "")
	w.do("choose a file", chromedp.SetUploadFiles(`input[type="file"]`, []string{file}))
	w.at("retake", "retake-region")
	marked, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`(() => {
		const shot = document.querySelector('.shot img').getBoundingClientRect();
		const marks = [...document.querySelectorAll('.marks rect')].map(r => r.getBoundingClientRect());
		return marks.length > 0 && marks.every(m => m.left >= shot.left - 2 && m.right <= shot.right + 2 && m.top >= shot.top - 2 && m.bottom <= shot.bottom + 2);
	})()`))
	if err != nil || !marked {
		t.Errorf("the reflection is not marked within the photo, %v", err)
	}
}

func TestABusyServerLosesNoPhoto(t *testing.T) {
	ps := portraits(t)
	cam := newCamera(t)
	doc, err := specimen.New(11, specimen.Options{Portraits: ps})
	if err != nil {
		t.Fatal(err)
	}
	cam.show(table(t)) // takes no photo of itself while the shutter is still automatic
	ctx := browser(t, cam, nil)
	s := newSite(t)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		t.Fatal(err)
	}
	w := walk(t, ctx, made.CaptureURL)
	w.at("consent", "")
	w.do("agree", click("#agree"))
	w.at("document_front", "")
	w.do("switch the automatic shutter off", click("#auto"))
	cam.show(document(t, doc.Front(), nil))
	w.do("leave the camera", click("#help"))
	w.at("help", "")
	w.do("open the camera anew", chromedp.Evaluate[chromedp.Void]("void history.back()"))
	w.do("wait for the camera", chromedp.WaitVisible(`.camera[data-advice="good"]`))
	s.mu.Lock()
	s.busy = true
	s.mu.Unlock()
	w.do("take the photo", click("#shutter"))
	w.at("sending", "")
	w.do("wait for the note", chromedp.WaitVisible(".sending .btn.secondary"))
	w.picture("busy")
	s.mu.Lock()
	s.busy = false
	s.mu.Unlock()
	w.at("accepted", "")
}

func TestALinkWithoutATokenSaysWhatToDo(t *testing.T) {
	ctx := browser(t, nil, nil)
	s := newSite(t)
	w := walk(t, ctx, s.url+"/capture")
	w.at("link", "link")
	w.do("open a wrong link", chromedp.Navigate(s.url+"/capture#t=plc_wrong"), chromedp.Reload())
	w.at("link", "")
}
