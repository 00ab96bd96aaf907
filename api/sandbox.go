package api

import (
	"context"
	"errors"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

// modeHeader is "test" in every answer to a test key and about a test session.
const modeHeader = "Proofline-Mode"

// sandbox reads what a test session is to come to. For live keys an external
// reference is the service's own and means nothing here.
func sandbox(key session.APIKey, ref string) (session.Sandbox, *problem) {
	if !key.Test() {
		return session.Sandbox{}, nil
	}
	s, err := session.ParseSandbox(ref)
	if err != nil {
		p := newProblem(client.CodeInvalidRequest, "The sandbox does not know what this external_ref asks for.")
		p.Errors = []client.Fault{{Location: "body.external_ref", Message: err.Error()}}
		return s, p
	}
	return s, nil
}

// beginTest expires a session at once that is to be expired. A request that is
// repeated after a crash finds it expired.
func (a *api) beginTest(ctx context.Context, ses *session.Session, s session.Sandbox, by session.Actor) (*session.Session, error) {
	if !s.Expired {
		return ses, nil
	}
	ses, err := a.deps.Store.Apply(ctx, ses.ID, session.AnyVersion, session.Event{Kind: session.Cancel, Actor: by}, nil)
	if ses != nil && ses.State == session.Expired && errors.Is(err, session.ErrNoTransition) {
		return ses, nil
	}
	return ses, err
}

// markTest says in the answer that it is about a test session.
func markTest(ctx context.Context, ses *session.Session) {
	if h := recordOf(ctx).header; h != nil && ses.Test() {
		h.Set(modeHeader, "test")
	}
}
