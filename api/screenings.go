package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

// ScopeScreening lets a relying service post what its screening said.
const ScopeScreening = "screening:write"

func (a *api) registerScreenings(h huma.API) {
	post := a.operation(h, http.MethodPost, "/v1/sessions/{id}/screenings", "post-screening", "Post what a screening of a list said of the person", ScopeScreening, access.SessionMake)
	huma.Register(h, post, a.postScreening)
	huma.Register(h, a.operation(h, http.MethodGet, "/v1/sessions/{id}/screenings", "list-screenings", "What is known of a session from screening lists", ScopeSessionsRead, access.SessionRead), a.listScreenings)
}

type screeningInput struct {
	ID   string `path:"id"`
	Body client.NewScreening
}

type screeningOutput struct{ Body client.Screening }

// postScreening is idempotent by provider, reference and list: the same again is
// answered with what is recorded.
func (a *api) postScreening(ctx context.Context, in *screeningInput) (*screeningOutput, error) {
	ses, err := a.owned(ctx, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	b := in.Body
	at := a.now()
	if b.CheckedAt != nil {
		at = *b.CheckedAt
	}
	x, _, err := a.deps.Store.PutScreening(ctx, session.Actor{Role: session.Service, ID: apiKey(ctx).ID}, session.Screening{
		Session: ses.ID, List: b.List, Result: b.Result, Provider: b.Provider, Reference: b.Reference, Lists: b.Lists, Attempt: b.Attempt, CheckedAt: at,
	})
	if errors.Is(err, session.ErrConflict) {
		return nil, newProblem(client.CodeConflict, "Another result of this list is recorded under the same provider and reference.")
	}
	if err != nil {
		return nil, fromError(err)
	}
	return &screeningOutput{shownScreening(x)}, nil
}

type screeningsOutput struct{ Body client.Screenings }

func (a *api) listScreenings(ctx context.Context, in *idInput) (*screeningsOutput, error) {
	ses, err := a.owned(ctx, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	xs, err := a.deps.Store.Screenings(ctx, ses.ID)
	if err != nil {
		return nil, fromError(err)
	}
	out := client.Screenings{Screenings: make([]client.Screening, len(xs))}
	for i, x := range xs {
		out.Screenings[i] = shownScreening(x)
	}
	return &screeningsOutput{out}, nil
}

func shownScreening(x session.Screening) client.Screening {
	return client.Screening{ID: x.ID, List: x.List, Result: x.Result, Provider: x.Provider, Reference: x.Reference, Lists: x.Lists, Attempt: x.Attempt, CheckedAt: x.CheckedAt, At: x.At}
}
