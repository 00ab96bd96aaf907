// Package web carries the pages that Proofline serves to people: today the
// hosted capture page, on which somebody photographs a document and their
// face with a phone's browser.
//
// The page is TypeScript in capture/src, bundled by a pinned esbuild into
// capture/dist, which is committed so that building the Go binary needs no
// Node.js; a test rebuilds the bundle and compares. [Handler] serves it with
// a content security policy that lets the page talk to its own origin only.
//
// A session's id and token reach the page in the URL's fragment, which a
// browser never sends to a server, so this package sees no personal data.
package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed capture/dist
var captureFiles embed.FS

// CapturePath is where the capture page lives below a server's root.
const CapturePath = "/capture"

// policyHeaders are the security headers of every answer of this package.
//
// The content security policy starts from nothing and adds what the page
// needs: its own script and style, photos held in memory (blob:), requests to
// its own origin. Trusted Types forbid markup built from strings, so no text
// that reaches the page can become markup.
//
// frame-ancestors names who may embed the page: nobody, unless configured.
func policyHeaders(embedders []string) map[string]string {
	ancestors := "'none'"
	if len(embedders) > 0 {
		ancestors = strings.Join(embedders, " ")
	}
	h := map[string]string{
		"Content-Security-Policy": strings.Join([]string{
			"default-src 'none'",
			"script-src 'self'",
			"style-src 'self'",
			"img-src 'self' blob:",
			"media-src 'self' blob:",
			"connect-src 'self'",
			"manifest-src 'none'",
			"base-uri 'none'",
			"form-action 'none'",
			"frame-ancestors " + ancestors,
			"require-trusted-types-for 'script'",
			"trusted-types 'none'",
		}, "; "),
		"Permissions-Policy":           "camera=(self), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	if len(embedders) == 0 {
		h["X-Frame-Options"] = "DENY" // which can not name origins; frame-ancestors counts
	}
	return h
}

// embedScript is the one file that other sites' pages load.
const embedScript = "proofline.js"

// parentsMeta is the element of the page that lists its possible parents.
const parentsMeta = `<meta name="proofline-parents" content="">`

// Handler serves the capture page at [CapturePath] and its files below it.
// Mount it at the server's root for both patterns: "/capture" and "/capture/".
// embedders are the origins ("https://shop.example") whose pages may show it in a
// frame and are told of its events.
func Handler(embedders ...string) http.Handler {
	type file struct {
		body  []byte
		gzip  []byte
		kind  string
		etag  string
		cache string
	}
	files := map[string]file{}
	err := fs.WalkDir(captureFiles, "capture/dist", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := captureFiles.ReadFile(p)
		if err != nil {
			return err
		}
		if path.Base(p) == "index.html" {
			b = bytes.Replace(b, []byte(parentsMeta), []byte(strings.Replace(parentsMeta, `""`, `"`+html.EscapeString(strings.Join(embedders, " "))+`"`, 1)), 1)
		}
		sum := sha256.Sum256(b)
		files[strings.TrimPrefix(p, "capture/dist/")] = file{
			body: b, gzip: compressed(b), kind: contentType(p),
			etag: `"` + hex.EncodeToString(sum[:12]) + `"`,
			// The names carry no digest, so a browser must ask; the answer
			// is a 304 of a few bytes.
			cache: "no-cache",
		}
		return nil
	})
	if err != nil {
		// The files are compiled in: they are either all readable or the
		// binary itself is damaged.
		panic("web: embedded capture page: " + err.Error())
	}
	headers := policyHeaders(embedders)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range headers {
			w.Header().Set(k, v)
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name := strings.Trim(strings.TrimPrefix(r.URL.Path, CapturePath), "/")
		if name == "" {
			name = "index.html"
		}
		f, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if name == embedScript {
			w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		}
		w.Header().Set("Content-Type", f.kind)
		w.Header().Set("Cache-Control", f.cache)
		w.Header().Set("Vary", "Accept-Encoding")
		body, etag := f.body, f.etag
		if r.Header.Get("Range") == "" && acceptsGzip(r.Header.Get("Accept-Encoding")) {
			body, etag = f.gzip, strings.TrimSuffix(etag, `"`)+`-gz"`
			w.Header().Set("Content-Encoding", "gzip")
		}
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
}

func compressed(b []byte) []byte {
	var z bytes.Buffer
	w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("web: compress embedded page: " + err.Error()) // into memory, it can not fail
	}
	return z.Bytes()
}

// acceptsGzip reads Accept-Encoding as far as it matters here (RFC 9110 section
// 12.5.3): gzip is listed and not with weight 0.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, weight, _ := strings.Cut(strings.ReplaceAll(part, " ", ""), ";")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(strings.TrimPrefix(strings.ToLower(weight), "q="), "0.") != "" || weight == ""
		}
	}
	return false
}

// contentType names the media type without asking the machine's own tables,
// which differ from one system to the next.
func contentType(p string) string {
	switch path.Ext(p) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	if t := mime.TypeByExtension(path.Ext(p)); t != "" {
		return t
	}
	return "application/octet-stream"
}
