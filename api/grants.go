package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

const grantsPath = "/v1/evidence/grants"

func (a *api) registerGrants(h huma.API) {
	if a.deps.Desk == nil {
		return
	}
	ask := a.staffOperation(h, http.MethodPost, grantsPath, "ask-grant", "Ask for access to a case's evidence, for a purpose", access.EvidenceAsk)
	ask.DefaultStatus = http.StatusCreated
	huma.Register(h, ask, a.askGrant)
	huma.Register(h, a.staffOperation(h, http.MethodGet, grantsPath, "list-grants", "List grants, newest first", access.EvidenceAsk), a.listGrants)
	huma.Register(h, a.staffOperation(h, http.MethodPost, grantsPath+"/{grant}/approval", "approve-grant", "Approve somebody else's grant", access.EvidenceApprove), a.approveGrant)
	huma.Register(h, a.staffOperation(h, http.MethodDelete, grantsPath+"/{grant}", "end-grant", "End a grant, or decline it", access.EvidenceApprove), a.endGrant)
	huma.Register(h, a.staffOperation(h, http.MethodGet, grantsPath+"/{grant}/fields", "open-fields", "What was read of the document", access.EvidenceOpen), a.openFields)
	open := a.staffOperation(h, http.MethodGet, grantsPath+"/{grant}/objects/{object}", "open-evidence", "A picture, decrypted as it is sent", access.EvidenceOpen)
	huma.Register(h, open, a.openEvidence)
	path := h.OpenAPI().Paths[open.Path]
	described := *path.Get
	described.Responses["200"] = &huma.Response{Description: "The picture", Content: map[string]*huma.MediaType{"image/*": {Schema: &huma.Schema{Type: "string", Format: "binary"}}}}
	path.Get = &described
}

type askInput struct{ Body client.AskGrant }
type grantOutput struct{ Body client.Grant }

func (a *api) shownGrant(g session.Grant) *grantOutput {
	out := client.Grant{ID: g.ID, Session: g.Session, Account: g.Account, Purpose: g.Purpose, State: g.State(a.now()), Approver: g.Approver, AskedAt: g.AskedAt, Openings: g.Openings}
	if !g.Expires.IsZero() {
		out.ExpiresAt = &g.Expires
	}
	return &grantOutput{out}
}

func (a *api) askGrant(ctx context.Context, in *askInput) (*grantOutput, error) {
	g, err := a.deps.Desk.Ask(ctx, StaffOf(ctx).Account.ID, in.Body.Session, in.Body.Purpose, in.Body.Text)
	if err != nil {
		return nil, fromError(err)
	}
	recordOf(ctx).session = g.Session
	return a.shownGrant(g), nil
}

type grantsInput struct {
	Session string `query:"session" maxLength:"64"`
	Open    bool   `query:"open" doc:"Only grants that are active or wait for approval."`
}

type grantsOutput struct{ Body client.GrantPage }

func (a *api) listGrants(ctx context.Context, in *grantsInput) (*grantsOutput, error) {
	judge := ""
	if s := StaffOf(ctx); s.Can(access.ReviewDecide) {
		judge = s.Account.ID
	}
	gs, err := a.deps.Desk.Grants(ctx, judge, session.GrantFilter{Session: in.Session, Open: in.Open})
	if err != nil {
		return nil, fromError(err)
	}
	out := client.GrantPage{Grants: make([]client.Grant, len(gs))}
	for i, g := range gs {
		out.Grants[i] = a.shownGrant(g).Body
	}
	return &grantsOutput{out}, nil
}

type grantInput struct {
	Grant string `path:"grant" maxLength:"64"`
}

func (a *api) approveGrant(ctx context.Context, in *grantInput) (*grantOutput, error) {
	g, err := a.deps.Desk.Approve(ctx, StaffOf(ctx).Account.ID, in.Grant)
	if err != nil {
		return nil, fromError(err)
	}
	return a.shownGrant(g), nil
}

func (a *api) endGrant(ctx context.Context, in *grantInput) (*grantOutput, error) {
	g, err := a.deps.Desk.End(ctx, StaffOf(ctx).Account.ID, in.Grant)
	if err != nil {
		return nil, fromError(err)
	}
	return a.shownGrant(g), nil
}

type fieldsOutput struct{ Body client.Fields }

func (a *api) openFields(ctx context.Context, in *grantInput) (*fieldsOutput, error) {
	g, err := a.grant(ctx, in.Grant)
	if err != nil {
		return nil, fromError(err)
	}
	vs, err := a.deps.Desk.Fields(ctx, StaffOf(ctx).Account.ID, g.ID, g.Session)
	if err != nil {
		return nil, a.fromEvidence(ctx, g.Session, err)
	}
	mine, err := a.deps.Store.Judging(ctx, g.Account)
	if err != nil {
		return nil, fromError(err)
	}
	out := client.Fields{Fields: make([]client.FieldValue, len(vs))}
	for i, v := range vs {
		if mine[g.Session] {
			v.Confidence = 0 // a score would lead who judges it blindly
		}
		out.Fields[i] = client.FieldValue(v)
	}
	return &fieldsOutput{out}, nil
}

// grant finds a grant of this account; somebody else's is not there.
func (a *api) grant(ctx context.Context, id string) (session.Grant, error) {
	g, err := a.deps.Store.Grant(ctx, id)
	if errors.Is(err, session.ErrNotFound) || err == nil && g.Account != StaffOf(ctx).Account.ID {
		_, err := a.deps.Store.UseGrant(ctx, StaffOf(ctx).Account.ID, id, "", "", "") // refuses, and the log says so
		return g, errors.Join(session.ErrNoGrant, err)
	}
	if err == nil {
		recordOf(ctx).session = g.Session
	}
	return g, err
}

type objectInput struct {
	Grant  string `path:"grant" maxLength:"64"`
	Object string `path:"object" maxLength:"64"`
}

// openEvidence streams a picture. Its kind is told from its first bytes, of those
// that the upload accepts; anything else is bytes that no browser shows.
func (a *api) openEvidence(ctx context.Context, in *objectInput) (*huma.StreamResponse, error) {
	g, err := a.grant(ctx, in.Grant)
	if err != nil {
		return nil, fromError(err)
	}
	_, r, err := a.deps.Desk.Open(ctx, StaffOf(ctx).Account.ID, g.ID, g.Session, in.Object)
	if err != nil {
		return nil, a.fromEvidence(ctx, g.Session, err)
	}
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		r.Close()
		return nil, a.fromEvidence(ctx, g.Session, err)
	}
	kind := http.DetectContentType(head)
	switch kind {
	case "image/jpeg", "image/png", "image/webp":
	default:
		kind = "application/octet-stream"
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		defer r.Close()
		hc.SetHeader("Content-Type", kind)
		hc.SetHeader("Content-Disposition", "inline")
		hc.SetHeader("Content-Security-Policy", "default-src 'none'; sandbox")
		if _, err := io.Copy(hc.BodyWriter(), b); err != nil {
			// Part of it was sent: an answer that ends early must not look whole.
			panic(http.ErrAbortHandler)
		}
	}}, nil
}
