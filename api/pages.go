package api

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"reflect"
	"time"

	"github.com/go-chi/chi/v5"
)

var indexPage = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Proofline</title>
<style>
:root{color-scheme:light dark;--bg:#f4f6f3;--fg:#14201e;--soft:#51605c;--brand:#0f5d5a;--card:#fff;--line:#dbe2dd}
@media(prefers-color-scheme:dark){:root{--bg:#0d1413;--fg:#eef4f1;--soft:#a5b4af;--brand:#5fd0c1;--card:#16201e;--line:#2b3835}}
body{margin:0;background:var(--bg);color:var(--fg);font:17px/1.55 system-ui,sans-serif}
main{max-width:40rem;margin:0 auto;padding:12vh 24px 48px}
h1{font-size:2rem;margin:0 0 .4em;letter-spacing:-.02em}p{color:var(--soft);margin:.5em 0}
ul{list-style:none;padding:0;margin:2em 0;border:1px solid var(--line);border-radius:14px;background:var(--card)}
li{padding:14px 18px;display:flex;gap:16px;flex-wrap:wrap}li+li{border-top:1px solid var(--line)}
a{color:var(--brand);font-weight:600;min-width:8rem}code{font-size:.95em}
</style></head><body><main>
<h1>Proofline</h1>
<p>This server checks identity documents and selfies. People open it through a link that a company sends them; without one there is nothing to do here.</p>
<ul>
<li><a href="/openapi.json">/openapi.json</a> the API, as an OpenAPI 3.1 document</li>
<li><a href="/readyz">/readyz</a> whether everything it needs answers</li>
<li><a href="/healthz">/healthz</a> whether the process lives</li>
<li><a href="/metrics">/metrics</a> figures for Prometheus</li>
</ul>
<p>Version <code>{{.}}</code></p>
</main></body></html>
`))

func (a *api) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v := a.deps.Version
	if v == "" {
		v = "dev"
	}
	_ = indexPage.Execute(w, v)
}

func (a *api) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// readyz asks everything the server needs. Names and verdicts only: why
// something does not answer is in the log.
func (a *api) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	out := struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}{true, map[string]string{}}
	for _, c := range a.deps.Ready {
		out.Checks[c.Name] = "ok"
		if err := c.Ping(ctx); err != nil {
			out.Ready, out.Checks[c.Name] = false, "failed"
			a.log.WarnContext(ctx, "not ready", "check", c.Name, "cause", err.Error(), "request_id", requestID(ctx))
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if !out.Ready {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(out)
}

// problemPage is what a problem's type refers to.
func (a *api) problemPage(w http.ResponseWriter, r *http.Request) {
	code := chi.URLParam(r, "code")
	k, ok := kinds[code]
	if !ok {
		writeProblem(w, r, newProblem("not_found", ""))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"type": problemBase + code, "code": code, "status": k.Status, "title": k.Title})
}

func typeName(v any) string { return reflect.TypeOf(v).String() }
