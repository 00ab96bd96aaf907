package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/session"
)

// OIDC is the company's identity provider: the authorization code flow with
// PKCE (RFC 7636), state and nonce. Who is let in, and as what, is decided at
// each login by the groups that the provider names.
type OIDC struct {
	Name         string // on the login page
	Issuer       string
	ClientID     string
	ClientSecret string
	RedirectURL  string
	Scopes       []string // besides openid; nil: profile, email, groups
	GroupsClaim  string   // "groups" when empty
	Roles        access.GroupRoles
	// HTTP reaches the provider; nil: a client with a timeout.
	HTTP *http.Client

	mu       sync.Mutex
	provider *oidc.Provider
}

const (
	flowLife     = 10 * time.Minute
	providerTime = 10 * time.Second
	maxClaimed   = 200 // groups of one person
)

// flow is what a browser keeps between the way to the provider and the way back.
type flow struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Until    time.Time `json:"t"`
}

// open asks the provider once where its endpoints are. One that does not answer
// is asked again at the next login: it must not keep this server from starting.
func (o *OIDC) open(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider == nil {
		p, err := oidc.NewProvider(ctx, o.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("ask the identity provider for its endpoints: %w", err)
		}
		o.provider = p
	}
	scopes := o.Scopes
	if scopes == nil {
		scopes = []string{"profile", "email", "groups"}
	}
	return o.provider, &oauth2.Config{ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: o.provider.Endpoint(),
		RedirectURL: o.RedirectURL, Scopes: append([]string{oidc.ScopeOpenID}, scopes...)}, nil
}

func (o *OIDC) context(ctx context.Context) (context.Context, context.CancelFunc) {
	c := o.HTTP
	if c == nil {
		c = &http.Client{Timeout: providerTime}
	}
	ctx, cancel := context.WithTimeout(ctx, providerTime)
	return oidc.ClientContext(ctx, c), cancel
}

// BeginOIDC returns where to send the browser, and what it has to keep in a
// cookie for the way back.
func (d *Door) BeginOIDC(ctx context.Context) (address, keep string, err error) {
	o := d.c.OIDC
	if o == nil {
		return "", "", session.ErrNotFound
	}
	ctx, cancel := o.context(ctx)
	defer cancel()
	_, conf, err := o.open(ctx)
	if err != nil {
		return "", "", err
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Until: d.c.Now().Add(flowLife).UTC()}
	b, err := json.Marshal(f)
	if err != nil {
		return "", "", fmt.Errorf("begin login: %w", err)
	}
	return conf.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), base64.RawURLEncoding.EncodeToString(b), nil
}

// FinishOIDC checks what the browser brought back and logs in. ErrRefused: it
// does not belong to the flow in keep, or the provider did not vouch;
// ErrNoRole.
func (d *Door) FinishOIDC(ctx context.Context, keep string, answer url.Values) (session.Login, string, error) {
	none, o := session.Login{}, d.c.OIDC
	if o == nil {
		return none, "", session.ErrNotFound
	}
	var f flow
	b, err := base64.RawURLEncoding.DecodeString(keep)
	if err != nil || len(b) > 4096 || json.Unmarshal(b, &f) != nil || f.State == "" || f.Nonce == "" || f.Verifier == "" || d.c.Now().After(f.Until) {
		return none, "", d.refuse(ctx, "", "oidc_flow")
	}
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(f.State)) != 1 {
		return none, "", d.refuse(ctx, "", "oidc_state")
	}
	// RFC 9207: an answer that names another issuer comes from a mix-up.
	if iss := answer.Get("iss"); answer.Get("error") != "" || answer.Get("code") == "" || iss != "" && iss != o.Issuer {
		return none, "", d.refuse(ctx, "", "oidc_answer")
	}
	octx, cancel := o.context(ctx)
	defer cancel()
	id, err := o.exchange(octx, f, answer.Get("code"), d.c.Now)
	if err != nil {
		// The provider's words can quote the code or a claim; what kind of
		// failure it was is enough for the log.
		return none, "", errors.Join(d.refuse(ctx, "", "oidc_token"), fmt.Errorf("log in at the identity provider: %T", rootOf(err)))
	}
	a, err := d.accountOf(ctx, o, id)
	if err != nil {
		return none, "", err
	}
	return d.c.Store.BeginLogin(ctx, a.ID, "oidc", d.c.Times.Life)
}

func rootOf(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// identity is what the provider says of somebody.
type identity struct {
	issuer, subject, name string
	groups                []string
}

func (o *OIDC) exchange(ctx context.Context, f flow, code string, now func() time.Time) (identity, error) {
	p, conf, err := o.open(ctx)
	if err != nil {
		return identity{}, err
	}
	token, err := conf.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return identity{}, err
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return identity{}, errors.New("no id token")
	}
	// Signature by the provider's keys, issuer, audience and time.
	t, err := p.Verifier(&oidc.Config{ClientID: o.ClientID, Now: now}).Verify(ctx, raw)
	if err != nil {
		return identity{}, err
	}
	if subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(f.Nonce)) != 1 {
		return identity{}, errors.New("the id token is another login's")
	}
	var claims map[string]any
	if err := t.Claims(&claims); err != nil {
		return identity{}, err
	}
	id := identity{issuer: t.Issuer, subject: t.Subject}
	for _, k := range []string{"preferred_username", "email"} {
		if s, ok := claims[k].(string); ok && id.name == "" {
			id.name = s
		}
	}
	claim := o.GroupsClaim
	if claim == "" {
		claim = "groups"
	}
	id.groups = stringsOf(claims[claim])
	return id, nil
}

// stringsOf reads a claim that is a list of strings or one.
func stringsOf(v any) []string {
	switch x := v.(type) {
	case string:
		return []string{x}
	case []any:
		var out []string
		for _, e := range x {
			if s, ok := e.(string); ok && len(out) < maxClaimed {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

var provider = session.Actor{Role: session.System, ID: "oidc"}

// accountOf finds or makes the account, with the roles of today's groups. An
// account is known by issuer and subject; a local account of the same name is
// somebody else.
func (d *Door) accountOf(ctx context.Context, o *OIDC, id identity) (session.Account, error) {
	roles := o.Roles.Roles(id.groups)
	a, err := d.c.Store.AccountBySubject(ctx, id.issuer, id.subject)
	known := err == nil
	switch {
	case err != nil && !errors.Is(err, session.ErrNotFound):
		return a, err
	case len(roles) == 0:
		if known { // the groups are gone: what is open there ends too
			err = d.c.Store.EndOtherLogins(ctx, provider, a.ID, "")
		} else {
			err = nil
		}
		return a, errors.Join(ErrNoRole, err, d.c.Store.LoginRefused(ctx, a.ID, "no_role"))
	case known && !a.DisabledAt.IsZero():
		return a, d.refuse(ctx, a.ID, "disabled")
	case known:
		if !slices.Equal(a.Roles, roles) {
			err = d.c.Store.SetRoles(ctx, provider, a.ID, roles)
			a.Roles = roles
		}
		return a, err
	}
	n := session.NewAccount{Name: nameOf(id), Roles: roles, Issuer: id.issuer, Subject: id.subject}
	a, err = d.c.Store.CreateAccount(ctx, provider, n)
	if errors.Is(err, session.ErrTaken) || errors.Is(err, session.ErrInvalid) {
		n.Name = "sso-" + short(id)
		a, err = d.c.Store.CreateAccount(ctx, provider, n)
	}
	return a, err
}

// nameOf is the name under which colleagues know somebody.
func nameOf(id identity) string {
	n, err := session.AccountName(id.name)
	if err != nil {
		return "sso-" + short(id)
	}
	return strings.ToLower(n)
}

func short(id identity) string {
	h := sha256.Sum256([]byte(id.issuer + "\n" + id.subject))
	return hex.EncodeToString(h[:6])
}
