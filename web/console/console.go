// Package console is the pages for people who work here: the login, one's own
// account, the review queue and the page on which a case is decided; and for who
// runs the server the figures, cases, thresholds, policies, retention, the audit
// log, webhooks, queues, models and accounts (docs/console.md).
//
// The pages are html/template with one style sheet and one small script, all
// compiled in; they work without the script, which adds keys and hides what does
// not matter yet. [New] joins them with the door (logins) and the desk (reviews);
// package api serves them under /console and decides who may see which, by the
// permission that each page names.
//
// A page shows codes and scores. Pictures and fields are shown only where the
// reader has asked for them under a valid grant, and each time is in the audit
// log.
package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
)

//go:embed pages
var files embed.FS

// Path is where the pages live.
const Path = "/console"

// Config is what the pages stand on; Door and Desk are required.
type Config struct {
	Door *login.Door
	Desk *review.Desk
	// PublicURL decides over the login's cookie: over https it is Secure.
	PublicURL string
	Log       *slog.Logger
	Now       func() time.Time

	// Store is where the pages beside reviews read from. nil: there are none.
	Store *session.Store
	Rules Rules
	// Verifier is the public key of the audit log.
	Verifier string
	// Models says which models there are and whether their files are right.
	Models func() ([]models.Status, error)
	// QueuePage: the tasks' own page is served under /ops/queues.
	QueuePage bool
	// ReadObject decrypts a deletion certificate, Prove shows entries of the log under
	// a signed checkpoint. Without them certificates can not be opened here.
	ReadObject func(ctx context.Context, object string) ([]byte, error)
	Prove      casefile.Prove
	// Wake has what was started again looked at at once. nil: within seconds.
	Wake func()
}

// Rules is how the console reaches policies; without Current it shows none.
type Rules struct {
	// Current is the policy for new sessions.
	Current func() *policy.Policy
	// Under finds an archived policy under an archived catalogue of reason codes.
	Under casefile.PolicyOf
	// Prepare completes a policy's text before it is kept: the calibration that
	// its targets are resolved through goes into it.
	Prepare func(text []byte) ([]byte, error)
	// Check says whether this server can work by a policy. nil: by any.
	Check func(*policy.Policy) error
	// Activated is called when another policy became active.
	Activated func(context.Context) error
	// SecondPerson: who proposed a policy can not activate it.
	SecondPerson bool
}

// Console serves the pages.
type Console struct {
	c      Config
	pages  map[string]*template.Template
	static map[string]static
	labs   labs
	proof  proof
}

type static struct {
	body []byte
	kind string
	etag string
}

var _ api.Console = (*Console)(nil)

// New returns the pages.
func New(c Config) *Console {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	x := &Console{c: c, pages: map[string]*template.Template{}, static: map[string]static{}}
	for _, name := range []string{"login", "account", "reviews", "review", "blind", "checks", "grants", "message", "overview", "sessions", "session", "thresholds",
		"certificate", "policies", "policy", "policyedit", "policychange", "retention", "audit", "webhooks", "queues", "models", "users"} {
		// The files are compiled in and covered by tests.
		x.pages[name] = template.Must(template.New("frame.html").Funcs(functions).ParseFS(files, "pages/frame.html", "pages/parts.html", "pages/"+name+".html"))
	}
	for name, kind := range map[string]string{"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"} {
		b, err := files.ReadFile("pages/" + name)
		if err != nil {
			panic("console: " + err.Error())
		}
		sum := sha256.Sum256(b)
		x.static[name] = static{b, kind, `"` + hex.EncodeToString(sum[:12]) + `"`}
	}
	return x
}

// Pages lists the pages with what each needs.
func (x *Console) Pages() []api.Page {
	page := func(method, path string, need access.Permission, h http.HandlerFunc) api.Page {
		return api.Page{Method: method, Path: Path + path, Need: need, Handler: x.secured(h)}
	}
	pages := []api.Page{
		page("GET", "", access.AccountSelf, x.home),
		page("GET", "/static/{file}", access.Public, x.file),
		page("GET", "/login", access.Public, x.loginPage),
		page("POST", "/login", access.Public, x.login),
		page("GET", "/login/provider", access.Public, x.beginOIDC),
		page("GET", "/login/oidc", access.Public, x.finishOIDC),
		page("POST", "/logout", access.AccountSelf, x.logout),

		page("GET", "/account", access.AccountSelf, x.account),
		page("POST", "/account/password", access.AccountSelf, x.changePassword),
		page("POST", "/account/authenticator", access.AccountSelf, x.authenticator),
		page("POST", "/account/logins", access.AccountSelf, x.leaveElsewhere),

		page("GET", "/reviews", access.ReviewRead, x.reviews),
		page("GET", "/reviews/{id}", access.ReviewRead, x.review),
		page("POST", "/reviews/next", access.ReviewDecide, x.nextReview),
		page("POST", "/reviews/{id}/claim", access.ReviewDecide, x.claim),
		page("POST", "/reviews/{id}/release", access.ReviewDecide, x.release),
		page("POST", "/reviews/{id}/decision", access.ReviewDecide, x.decide),
		page("POST", "/reviews/{id}/grant", access.EvidenceAsk, x.ask),

		page("POST", "/reviews/blind/next", access.ReviewDecide, x.nextBlind),
		page("GET", "/reviews/blind/{id}", access.ReviewDecide, x.blindCase),
		page("POST", "/reviews/blind/{id}/release", access.ReviewDecide, x.releaseBlind),
		page("POST", "/reviews/blind/{id}/decision", access.ReviewDecide, x.judgeBlind),
		page("POST", "/reviews/blind/{id}/grant", access.EvidenceAsk, x.askBlind),

		page("GET", "/grants", access.EvidenceApprove, x.grants),
		page("POST", "/grants/{grant}", access.EvidenceApprove, x.changeGrant),
	}
	if x.c.Store == nil {
		return pages
	}
	pages = append(pages,
		page("GET", "/overview", access.FiguresRead, x.overview),
		page("GET", "/sessions", access.CaseList, x.sessions),
		page("GET", "/sessions/{id}", access.CaseList, x.session),
		page("POST", "/sessions/{id}/cancel", access.SessionEnd, x.cancel),
		page("POST", "/sessions/{id}/erase", access.Erase, x.erase),
		page("POST", "/sessions/{id}/hold", access.HoldPlace, x.hold),

		page("GET", "/retention", access.HoldRead, x.retention),
		page("GET", "/retention/{id}", access.HoldRead, x.certificate),
		page("POST", "/holds/{hold}/lift", access.HoldPlace, x.liftHold),
		page("GET", "/audit", access.AuditRead, x.audit),
		page("POST", "/audit/verify", access.AuditRead, x.verifyAudit),
		page("GET", "/webhooks", access.QueueRead, x.webhooks),
		page("GET", "/queues", access.QueueRead, x.queues),
		page("POST", "/outbox/{row}/replay", access.QueueManage, x.replay),
		page("GET", "/models", access.FiguresRead, x.models),
		page("GET", "/users", access.AccountsRead, x.users),
		page("POST", "/users", access.AccountsEdit, x.addUser),
		page("POST", "/users/{account}", access.AccountsEdit, x.changeUser),
	)
	if x.c.Rules.Current == nil {
		return pages
	}
	edit := func(method, path string, need access.Permission, h http.HandlerFunc) api.Page {
		p := page(method, path, need, h)
		p.MaxBody = 4 * policy.MaxFileBytes // as a form, most of it is escaped
		return p
	}
	return append(pages,
		page("GET", "/thresholds", access.PolicyRead, x.thresholds),
		page("GET", "/checks", access.PolicyRead, x.checks),
		page("GET", "/policies", access.PolicyRead, x.policies),
		page("GET", "/policies/diff", access.PolicyRead, x.policyDiff),
		page("GET", "/policies/{hash}", access.PolicyRead, x.policyText),
		page("GET", "/policies/changes/{id}", access.PolicyRead, x.policyChange),
		page("POST", "/policies/changes/{id}", access.PolicyEdit, x.decideChange),
		page("GET", "/policies/edit", access.PolicyEdit, x.editPolicy),
		edit("POST", "/policies/edit", access.PolicyEdit, x.checkPolicy),
		edit("POST", "/policies/propose", access.PolicyEdit, x.propose),
	)
}

// policyHeaders start from nothing: own style, script, pictures and forms.
var policyHeaders = map[string]string{
	"Content-Security-Policy": strings.Join([]string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'none'",
		"form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
	}, "; "),
	"Permissions-Policy":         "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
	"Referrer-Policy":            "same-origin", // no-referrer would make a form's Origin null
	"X-Frame-Options":            "DENY",
	"Cross-Origin-Opener-Policy": "same-origin",
}

func (x *Console) secured(h http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range policyHeaders {
			w.Header().Set(k, v)
		}
		h(w, r)
	})
}

// view is what every page gets.
type view struct {
	Title string
	Path  string
	Nav   []navGroup
	Staff api.Staff
	Said  string // what the last action came to
	Bad   bool   // and that it failed
	Data  any
}

// render writes a page. It is made whole before anything is sent, so that a page
// never ends in the middle.
func (x *Console) render(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Staff = api.StaffOf(r.Context())
	v.Path, v.Nav = r.URL.Path, x.nav(v.Staff, r.URL.Path)
	if v.Said == "" {
		m := said[r.URL.Query().Get("said")]
		v.Said, v.Bad = m.text, m.bad
	}
	var b bytes.Buffer
	if err := x.pages[name].Execute(&b, v); err != nil {
		x.c.Log.ErrorContext(r.Context(), "render page", "page", name, "error", err)
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = b.WriteTo(w)
}

// Refused is part of api.Console: without a login it leads to the login and back.
func (x *Console) Refused(w http.ResponseWriter, r *http.Request, status int) {
	for k, v := range policyHeaders {
		w.Header().Set(k, v)
	}
	if status == http.StatusUnauthorized {
		to := Path + "/login"
		if r.Method == http.MethodGet {
			to += "?next=" + url.QueryEscape(r.URL.Path)
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	x.render(w, r, status, "message", view{Title: "Not allowed", Data: "None of your roles allows this. If you need it, ask an administrator for the role; it is in the log who has which."})
}

// to sends the browser on after an action.
func to(w http.ResponseWriter, r *http.Request, path, said string) {
	if said != "" {
		path += "?said=" + said
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// fail answers an error: what the reader can do something about in words, the
// rest with a number that finds it in the log.
func (x *Console) fail(w http.ResponseWriter, r *http.Request, back string, err error) {
	if code := wordsFor(err); code != "" {
		to(w, r, back, code)
		return
	}
	if errors.Is(err, errNotThere) {
		x.render(w, r, http.StatusNotFound, "message", view{Title: "Not here", Data: "There is no such case, or no longer."})
		return
	}
	x.c.Log.ErrorContext(r.Context(), "console", "error", err, "request_id", w.Header().Get("X-Request-Id"))
	x.render(w, r, http.StatusInternalServerError, "message", view{Title: "Something failed here", Data: "It is in the log under " + w.Header().Get("X-Request-Id") + "."})
}

func (x *Console) file(w http.ResponseWriter, r *http.Request) {
	f, ok := x.static[chi.URLParam(r, "file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", f.kind)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", f.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

func (x *Console) home(w http.ResponseWriter, r *http.Request) {
	s := api.StaffOf(r.Context())
	at := Path + "/account"
	switch nav := x.nav(s, ""); {
	case s.Can(access.ReviewRead):
		at = Path + "/reviews" // who has work here begins with it
	case len(nav) > 0:
		at = nav[0].Items[0].Path
	}
	http.Redirect(w, r, at, http.StatusSeeOther)
}
