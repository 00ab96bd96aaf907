package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

// A capture moves to another device by a link that works once and for some
// minutes: POST /v1/capture/handover makes it, the other device exchanges its
// token for one of its own with POST /v1/capture/handover/claim. What is shown
// as a QR code is so of no use to whoever photographs it afterwards.

func (a *api) registerHandover(h huma.API) {
	huma.Register(h, a.captureOperation(h, http.MethodPost, "/v1/capture/token", "renew-token", "A fresh client token, before the present one expires"), a.renewToken)
	huma.Register(h, a.captureOperation(h, http.MethodPost, "/v1/capture/handover", "begin-handover", "A link to go on with on another device, once"), a.beginHandover)
	claim := a.captureOperation(h, http.MethodPost, "/v1/capture/handover/claim", "claim-handover", "Exchange a handover link's token for a client token")
	claim.Middlewares = nil // the handover token is redeemed, not looked up
	huma.Register(h, claim, a.claimHandover)
}

// seconds from now to t, as told to clients: their clocks may be wrong.
func (a *api) seconds(t time.Time) int { return max(0, int(t.Sub(a.now())/time.Second)) }

// tokenLife is how long a client token is to work: the configured time, but not
// long beyond the session's own end, when there is only the result to see.
func (a *api) tokenLife(ses *session.Session) time.Duration {
	left := max(ses.ExpiresAt.Sub(a.now()), 0) + time.Hour
	return min(a.limits.TokenLife, left)
}

// open returns the token's session while it is going on.
func (a *api) open(ctx context.Context) (*session.Session, error) {
	ses, err := a.mine(ctx)
	if err != nil {
		return nil, err
	}
	if ses.State.Terminal() {
		return nil, newProblem(client.CodeConflict, "The session is "+string(ses.State)+".")
	}
	return ses, nil
}

type ticketOutput struct{ Body client.Ticket }

func (a *api) renewToken(ctx context.Context, _ *struct{}) (*ticketOutput, error) {
	ses, err := a.open(ctx)
	if err != nil {
		return nil, fromError(err)
	}
	t, secret, err := a.deps.Store.IssueClientToken(ctx, a.by(ctx), ses.ID, tokenPurpose, a.tokenLife(ses))
	if err != nil {
		return nil, fromError(err)
	}
	return &ticketOutput{client.Ticket{ClientToken: secret, ExpiresIn: a.seconds(t.ExpiresAt)}}, nil
}

type handoverOutput struct{ Body client.Handover }

func (a *api) beginHandover(ctx context.Context, _ *struct{}) (*handoverOutput, error) {
	ses, err := a.open(ctx)
	if err != nil {
		return nil, fromError(err)
	}
	t, secret, err := a.deps.Store.IssueClientToken(ctx, a.by(ctx), ses.ID, handoverPurpose, a.limits.HandoverLife)
	if err != nil {
		return nil, fromError(err)
	}
	link := strings.Replace(a.captureURL(secret), "#t=", "#h=", 1)
	return &handoverOutput{client.Handover{URL: link, ExpiresIn: a.seconds(t.ExpiresAt)}}, nil
}

type claimInput struct {
	Authorization string `header:"Authorization"`
}

func (a *api) claimHandover(ctx context.Context, in *claimInput) (*ticketOutput, error) {
	t, secret, err := a.deps.Store.RedeemClientToken(ctx, bearer(in.Authorization), handoverPurpose, tokenPurpose, a.limits.TokenLife)
	if err != nil {
		return nil, fromError(err)
	}
	rec := recordOf(ctx)
	rec.actor, rec.session = t.ID, t.Session
	return &ticketOutput{client.Ticket{ClientToken: secret, ExpiresIn: a.seconds(t.ExpiresAt)}}, nil
}
