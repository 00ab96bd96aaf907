package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

// Scopes of API keys.
const (
	ScopeSessionsCreate = "sessions:create"
	ScopeSessionsRead   = "sessions:read"
	ScopeEvidenceErase  = "evidence:erase"
	// ScopeAttributes is what hands out personal data: the fields that the
	// policy grants.
	ScopeAttributes = "attributes:read"
)

// Scopes lists all scopes, for keys that may do everything here.
func Scopes() []string {
	return []string{ScopeSessionsCreate, ScopeSessionsRead, ScopeEvidenceErase, ScopeAttributes, ScopeScreening}
}

// Purposes of client tokens. A handover token does one thing: it is exchanged
// for a capture token, once, on another device.
const (
	tokenPurpose    = "capture"
	handoverPurpose = "handover"
)

type keyOf struct{}
type tokenOf struct{}

func bearer(header string) string {
	scheme, secret, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}

func digest(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// withKey lets requests with an API key of the scope pass.
func (a *api) withKey(h huma.API, scope string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		key, err := a.deps.Store.APIKey(ctx.Context(), bearer(ctx.Header("Authorization")))
		if err == nil && !slices.Contains(key.Scopes, scope) {
			err = newProblem(client.CodeForbidden, "The key lacks the scope "+scope+".")
		}
		if err != nil {
			refuse(h, ctx, err)
			return
		}
		recordOf(ctx.Context()).actor = key.ID
		if key.Test() {
			ctx.SetHeader(modeHeader, "test")
		}
		next(huma.WithValue(ctx, keyOf{}, key))
	}
}

// withToken lets requests with a client token pass.
func (a *api) withToken(h huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		token, err := a.deps.Store.ClientToken(ctx.Context(), bearer(ctx.Header("Authorization")), tokenPurpose)
		if err != nil {
			refuse(h, ctx, err)
			return
		}
		rec := recordOf(ctx.Context())
		rec.actor, rec.session = token.ID, token.Session
		next(huma.WithValue(ctx, tokenOf{}, token))
	}
}

// refuse answers from a middleware.
func refuse(h huma.API, ctx huma.Context, err error) {
	p := fromError(err)
	for k, vs := range p.GetHeaders() {
		for _, v := range vs {
			ctx.SetHeader(k, v)
		}
	}
	_ = huma.WriteErr(h, ctx, p.Status, p.Detail, p)
}

func apiKey(ctx context.Context) session.APIKey {
	k, _ := ctx.Value(keyOf{}).(session.APIKey)
	return k
}

func clientToken(ctx context.Context) session.ClientToken {
	t, _ := ctx.Value(tokenOf{}).(session.ClientToken)
	return t
}

var sessionID = regexp.MustCompile(`^` + session.SessionPrefix + `[0-9a-z]{1,40}$`)

// owned returns the key's session; one of another tenant is not there.
func (a *api) owned(ctx context.Context, id string) (*session.Session, error) {
	if !sessionID.MatchString(id) {
		return nil, session.ErrNotFound // no database is asked what can not be one
	}
	ses, err := a.deps.Store.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if ses.Tenant != apiKey(ctx).Tenant {
		return nil, session.ErrNotFound
	}
	rec := recordOf(ctx)
	rec.session, rec.correl = ses.ID, ses.CorrelationID
	return ses, nil
}

// securityHeaders are right for every answer; the capture page sets its own
// stricter or different ones.
func securityHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; style-src 'unsafe-inline'")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
