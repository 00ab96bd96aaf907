package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

// Page is a page for people who work here. It is served to those whose role has
// the permission; [StaffOf] tells it who that is.
type Page struct {
	Method, Path string
	Need         access.Permission
	Handler      http.Handler
	// MaxBody is how long a form may be, in bytes; 0: what is usual.
	MaxBody int64
}

// Console is the operators' pages.
type Console interface {
	Pages() []Page
	// Refused answers a browser that lacks a login (401) or a permission (403).
	Refused(w http.ResponseWriter, r *http.Request, status int)
}

// Staff is who sent a request: an account by its login.
type Staff struct {
	Login   session.Login
	Account session.Account
}

// Can reports whether the account has a permission.
func (s Staff) Can(p access.Permission) bool { return s.Account.Can(p) }

type staffKey struct{}

// StaffOf returns who sent the request; the zero value when nobody is logged in.
func StaffOf(ctx context.Context) Staff {
	s, _ := ctx.Value(staffKey{}).(Staff)
	return s
}

// permissionKey is where the OpenAPI document names an operation's permission.
const permissionKey = "x-permission"

// Cookie is the cookie that carries a login's secret. Over TLS the name's prefix
// makes browsers accept it from this very host only.
func Cookie(publicURL string) (name string, secure bool) {
	u, err := url.Parse(publicURL)
	if err == nil && u.Scheme == "https" {
		return "__Host-proofline", true
	}
	return "proofline", false
}

// staffSecret finds the secret of a login in a request. A cookie comes with
// every request that a browser makes, whoever had it make it: what changes
// something has to come from a page of this server.
func (a *api) staffSecret(r *http.Request) (secret string, err error) {
	if s := bearer(r.Header.Get("Authorization")); s != "" {
		return s, nil
	}
	name, _ := Cookie(a.deps.PublicURL)
	c, err := r.Cookie(name)
	if err != nil {
		return "", session.ErrTokenInvalid
	}
	if err := a.sameOrigin.Check(r); err != nil {
		return "", newProblem(client.CodeForbidden, "The request comes from a page of another site.")
	}
	return c.Value, nil
}

// who finds the account behind a request.
func (a *api) who(r *http.Request) (Staff, error) {
	if a.deps.Door == nil {
		return Staff{}, session.ErrTokenInvalid
	}
	secret, err := a.staffSecret(r)
	if err != nil {
		return Staff{}, err
	}
	l, acc, err := a.deps.Door.Who(r.Context(), secret)
	if errors.Is(err, session.ErrTokenExpired) {
		return Staff{}, newProblem(client.CodeTokenExpired, "Log in again.")
	}
	return Staff{l, acc}, err
}

// admit lets an account with the permission pass.
func (a *api) admit(r *http.Request, need access.Permission) (Staff, error) {
	s, err := a.who(r)
	if err != nil {
		return s, err
	}
	recordOf(r.Context()).actor = s.Account.ID
	if !s.Can(need) {
		return s, newProblem(client.CodeForbidden, "No role of this account allows it.")
	}
	return s, nil
}

// withStaff lets requests of accounts with the permission pass.
func (a *api) withStaff(h huma.API, need access.Permission) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, _ := humachi.Unwrap(ctx)
		s, err := a.admit(r, need)
		if err != nil {
			refuse(h, ctx, err)
			return
		}
		next(huma.WithValue(ctx, staffKey{}, s))
	}
}

// staffOperation describes an operation for people.
func (a *api) staffOperation(h huma.API, method, path, id, summary string, need access.Permission) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"staff"},
		MaxBodyBytes: maxJSON, BodyReadTimeout: a.limits.BodyTime,
		Security:    []map[string][]string{{"login": {string(need)}}},
		Middlewares: huma.Middlewares{a.withStaff(h, need)},
		Errors:      []int{400, 401, 403, 404, 409, 410, 429, 500, 503},
		Extensions:  map[string]any{permissionKey: string(need)},
	}
}

// router is the server's router with what its routes need.
type router struct {
	*chi.Mux
	needs map[string]access.Permission
}

// Needs returns the permission of every route of a handler that New made, as
// "METHOD /path"; paths end with /* where everything below belongs to them.
func Needs(h http.Handler) map[string]access.Permission {
	x, ok := h.(*router)
	if !ok {
		return nil
	}
	return x.needs
}

// route registers a handler that needs no huma.
func (h *router) route(method, path string, need access.Permission, to http.Handler) {
	h.needs[method+" "+path] = need
	h.Method(method, path, to)
}

// everything registers all methods of a path and what is below it.
func (h *router) everything(path string, need access.Permission, to http.Handler) {
	for _, p := range []string{path, path + "/*"} {
		h.needs["* "+p] = need
		h.Handle(p, to)
	}
}

// described notes what the operations of the OpenAPI document need. An operation
// that names nothing is a mistake that must not reach a release.
func (h *router) described(doc *huma.OpenAPI) {
	for path, item := range doc.Paths {
		for method, op := range map[string]*huma.Operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch,
			http.MethodDelete: item.Delete, http.MethodHead: item.Head, http.MethodOptions: item.Options,
		} {
			if op == nil {
				continue
			}
			if op.Extensions[permissionKey] == nil && strings.HasPrefix(path, uploadsPath) {
				need := access.CaptureUse
				if method == http.MethodOptions {
					need = access.Public // what the protocol can do
				}
				if op.Extensions == nil {
					op.Extensions = map[string]any{}
				}
				op.Extensions[permissionKey] = string(need)
			}
			need, _ := op.Extensions[permissionKey].(string)
			if !access.Known(access.Permission(need)) {
				panic("api: " + method + " " + path + " needs no known permission")
			}
			h.needs[method+" "+path] = access.Permission(need)
		}
	}
	h.needs["GET /openapi.json"], h.needs["GET /openapi.yaml"] = access.Public, access.Public
	h.needs["GET /openapi-3.0.json"], h.needs["GET /openapi-3.0.yaml"] = access.Public, access.Public
}

// staffOnly guards a page that is no operation of the API. read needs one
// permission; whatever changes something, another.
func (a *api) staffOnly(read, change access.Permission, page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.deps.OperatorToken != nil && a.deps.OperatorToken(r) {
			page.ServeHTTP(w, r)
			return
		}
		need := read
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			need = change
		}
		s, err := a.admit(r, need)
		if err == nil {
			page.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), staffKey{}, s)))
			return
		}
		p := fromError(err)
		if p.Status == http.StatusUnauthorized && a.deps.OperatorToken != nil && r.Header.Get("Authorization")+r.Header.Get("Cookie") == "" ||
			p.Status == http.StatusUnauthorized && r.Header.Get("Authorization") != "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="Proofline operators", charset="UTF-8"`)
			http.Error(w, "operators only; with an account, log in at /console/login", http.StatusUnauthorized)
			return
		}
		a.turnAway(w, r, p)
	})
}

// turnAway answers a browser with a page and a program with a problem.
func (a *api) turnAway(w http.ResponseWriter, r *http.Request, p *problem) {
	if (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden) && a.deps.Console != nil && strings.Contains(r.Header.Get("Accept"), "text/html") {
		note(r.Context(), p)
		a.deps.Console.Refused(w, r, p.Status)
		return
	}
	writeProblem(w, r, p)
}

// page guards a page of the console. Public ones (the login) learn who is there
// all the same, and take no form from another site.
func (a *api) page(p Page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.sameOrigin.Check(r); err != nil {
			a.turnAway(w, r, newProblem(client.CodeForbidden, "The request comes from a page of another site."))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, max(maxJSON, p.MaxBody))
		var s Staff
		var err error
		if p.Need == access.Public {
			if found, err := a.who(r); err == nil {
				s = found
			}
		} else if s, err = a.admit(r, p.Need); err != nil {
			a.turnAway(w, r, fromError(err))
			return
		}
		p.Handler.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), staffKey{}, s)))
	})
}

// by is the account as an actor of the log.
func (s Staff) by(role session.Role) session.Actor {
	return session.Actor{Role: role, ID: s.Account.ID}
}

// Address is the caller's, for pages: as the API takes it.
func Address(r *http.Request) string {
	f, _ := r.Context().Value(addressOf{}).(string)
	return f
}

type addressOf struct{}

// knowAddress keeps the caller's address for pages.
func (a *api) knowAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), addressOf{}, addressKey(a.address(r)))))
	})
}
