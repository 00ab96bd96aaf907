package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, path string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w
}

func TestPageMayOnlyTalkToItsOwnOrigin(t *testing.T) {
	w := get(t, "/capture", nil)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d", w.Code)
	}
	csp := w.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("content security policy %q lacks %q", csp, want)
		}
	}
	for _, bad := range []string{"unsafe", "http:", "https:", "*"} {
		if strings.Contains(csp, bad) {
			t.Errorf("content security policy %q allows %q", csp, bad)
		}
	}
	if got := w.Header().Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy %q", got)
	}
}

func TestPageLoadsNothingFromElsewhere(t *testing.T) {
	address := regexp.MustCompile(`(?:https?:)?//[a-z0-9][a-z0-9.-]*\.[a-z]{2,}[^"'\s)]*`)
	for _, p := range []string{"/capture", "/capture/app.js", "/capture/app.css"} {
		for _, a := range address.FindAllString(get(t, p, nil).Body.String(), -1) {
			if a != "http://www.w3.org/2000/svg" { // a namespace, not an address
				t.Errorf("%s mentions %s", p, a)
			}
		}
	}
}

func TestUnchangedPageIsNotSentAgain(t *testing.T) {
	first := get(t, "/capture/app.js", nil)
	again := get(t, "/capture/app.js", http.Header{"If-None-Match": {first.Header().Get("ETag")}})
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("status %d with %d bytes", again.Code, again.Body.Len())
	}
}

func TestOnlyThePagesOwnFilesAreServed(t *testing.T) {
	for _, p := range []string{"/capture/../web.go", "/capture/package.json", "/capture/src/main.ts", "/capture/%2e%2e/go.mod"} {
		if w := get(t, p, nil); w.Code != http.StatusNotFound {
			t.Errorf("%s: status %d", p, w.Code)
		}
	}
}

func TestPageTakesNoOtherMethods(t *testing.T) {
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/capture", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("status %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestOnlyListedOriginsMayEmbedThePage(t *testing.T) {
	ask := func(path string, embedders ...string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		Handler(embedders...).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w
	}
	none := ask("/capture")
	if !strings.Contains(none.Header().Get("Content-Security-Policy"), "frame-ancestors 'none'") || none.Header().Get("X-Frame-Options") != "DENY" {
		t.Errorf("anybody may embed the page: %v", none.Header())
	}
	one := ask("/capture", "https://shop.example", "https://bank.example:8443")
	if !strings.Contains(one.Header().Get("Content-Security-Policy"), "frame-ancestors https://shop.example https://bank.example:8443;") || one.Header().Get("X-Frame-Options") != "" {
		t.Errorf("listed origins may not embed the page: %v", one.Header())
	}
	if !strings.Contains(one.Body.String(), `content="https://shop.example https://bank.example:8443"`) || strings.Contains(none.Body.String(), "https:") {
		t.Error("the page does not know whom to tell")
	}
	if one.Header().Get("ETag") == none.Header().Get("ETag") {
		t.Error("a cached page would keep its old parents")
	}
	if s := ask("/capture/proofline.js"); s.Code != 200 || s.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("other sites can not load proofline.js: %d %v", s.Code, s.Header())
	}
}

func TestThePageIsSentCompressedToWhoCanReadIt(t *testing.T) {
	plain := get(t, "/capture/app.js", nil)
	for header, want := range map[string]bool{"gzip, deflate, br": true, "br;q=1.0, gzip;q=0.8": true, "gzip;q=0": false, "identity": false, "": false} {
		w := get(t, "/capture/app.js", http.Header{"Accept-Encoding": {header}})
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != want {
			t.Errorf("%q: compressed %v", header, got)
		}
		if !want {
			continue
		}
		r, err := gzip.NewReader(w.Body)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(b, plain.Body.Bytes()) || w.Header().Get("ETag") == plain.Header().Get("ETag") {
			t.Errorf("%q: %d bytes with %s, %v", header, len(b), w.Header().Get("ETag"), err)
		}
	}
}
