package web_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/proofline/proofline/client"
)

// wide lists what reaches beyond the page's sides, and controls whose text is cut.
const wide = `(() => {
	const bad = [];
	if (document.documentElement.scrollWidth > innerWidth) bad.push('page ' + document.documentElement.scrollWidth + ' > ' + innerWidth);
	for (const e of document.querySelectorAll('#app *:not(.sr):not(svg *)')) {
		const r = e.getBoundingClientRect();
		if (r.width && (r.left < -1 || r.right > innerWidth + 1)) bad.push(e.tagName + '.' + e.className + ' ' + Math.round(r.left) + '..' + Math.round(r.right));
		if (e.matches('button, .btn, h1') && e.scrollWidth > e.clientWidth + 1) bad.push('cut: ' + e.textContent);
	}
	return bad;
})()`

// Every step that a person can meet, in every language, on a phone and on a desk:
// nothing is cut, the language and its direction are declared, and axe finds
// nothing. The camera is refused, so that all other ways are seen.
func TestEveryStepInEveryLanguageFitsAndIsAccessible(t *testing.T) {
	ctx := browser(t, nil, map[string]any{"use-fake-ui-for-media-stream": false, "deny-permission-prompts": true})
	s := newSite(t)
	blurred := filepath.Join(t.TempDir(), "document.jpg")
	if err := os.WriteFile(blurred, blurredDocument(t), 0o600); err != nil {
		t.Fatal(err)
	}
	for lang, dir := range map[string]string{"en": "ltr", "es": "ltr", "fr": "ltr", "de": "ltr", "ar": "rtl", "hi": "ltr"} {
		made, err := s.service.CreateSession(context.Background(), client.NewSession{Locale: lang}, "")
		if err != nil {
			t.Fatal(err)
		}
		w := walk(t, ctx, "about:blank")
		w.do("open the link", chromedp.Navigate(made.CaptureURL))
		for _, step := range []struct {
			view string
			next chromedp.Action[chromedp.Void]
		}{
			{"consent", click("#device")},
			{"handover", click("#here")},
			{"consent", click("#agree")},
			{"choose", click(`[data-type="passport"]`)},
			{"trouble", click("#help")},
			{"help", chromedp.SetUploadFiles(`input[type="file"]`, []string{blurred})},
			{"retake", nil},
		} {
			w.at(step.view, fmt.Sprintf("%s-%s", step.view, lang))
			w.fits(lang, dir, step.view)
			if *shots != "" || step.view == "retake" {
				w.do("a desk", desk)
				w.picture(fmt.Sprintf("%s-%s-desk", step.view, lang))
				w.fits(lang, dir, step.view+" on a desk")
				w.do("a phone", phone(360, 740, 1))
			}
			if step.view == "consent" && *shots != "" {
				w.do("the dark", scheme("dark"))
				w.picture("consent-dark-" + lang)
				w.do("the light", scheme("light"))
			}
			if step.next != nil {
				w.do("go on from "+step.view, step.next)
			}
		}
	}
}

func (w *walker) fits(lang, dir, view string) {
	w.t.Helper()
	bad, err := chromedp.Run(w.ctx, chromedp.Evaluate[[]string](wide))
	if err != nil || len(bad) > 0 {
		w.t.Errorf("%s in %s: %v %v", view, lang, bad, err)
	}
	got, err := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.documentElement.lang + ' ' + document.documentElement.dir"))
	if err != nil || got != lang+" "+dir {
		w.t.Errorf("%s: declared as %q, %v", view, got, err)
	}
}
