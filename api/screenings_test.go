package api_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

func TestAScreeningResultIsPostedOnceForAServicesOwnSession(t *testing.T) {
	s, ctx := newServer(t, nil), context.Background()
	made, err := s.service.CreateSession(ctx, client.NewSession{}, "")
	if err != nil {
		t.Fatal(err)
	}
	id := made.Session.ID
	n := client.NewScreening{List: "sanctions", Result: "clear", Provider: "own", Reference: "q-1"}
	first, err := s.service.PostScreening(ctx, id, n)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.service.PostScreening(ctx, id, n)
	if err != nil || again.ID != first.ID {
		t.Errorf("%+v, %v", again, err)
	}
	n.Result = "match"
	_, err = s.service.PostScreening(ctx, id, n)
	wantCode(t, err, 409, client.CodeConflict)
	n = client.NewScreening{List: "sanctions", Result: "clear", Provider: "own", Reference: "q-2", Attempt: 2}
	_, err = s.service.PostScreening(ctx, id, n)
	wantCode(t, err, 400, client.CodeInvalidRequest) // there is no second attempt yet
	n.Attempt, n.Provider = 0, session.MatcherProvider
	_, err = s.service.PostScreening(ctx, id, n)
	wantCode(t, err, 400, client.CodeInvalidRequest)
	if first.Attempt != 1 {
		t.Errorf("%+v", first)
	}
	n.Provider, n.List = "own", "friends"
	if _, err := s.service.PostScreening(ctx, id, n); err == nil {
		t.Error("an unknown list is accepted")
	}
	n.List = "pep"
	_, err = client.NewService(s.url, s.newKey("acme", api.ScopeSessionsRead), nil).PostScreening(ctx, id, n)
	wantCode(t, err, 403, client.CodeForbidden)
	_, err = client.NewService(s.url, s.newKey("other", api.ScopeScreening), nil).PostScreening(ctx, id, n)
	wantCode(t, err, 404, client.CodeNotFound)
	if xs, err := s.service.Screenings(ctx, id); err != nil || len(xs) != 1 || xs[0].Result != "clear" {
		t.Errorf("%+v, %v", xs, err)
	}
}

func TestASessionTakesABoundedNumberOfScreeningResults(t *testing.T) {
	s, ctx := newServer(t, nil), context.Background()
	made, err := s.service.CreateSession(ctx, client.NewSession{}, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range session.MaxScreenings {
		if _, _, err := s.store.PutScreening(ctx, session.Actor{Role: session.Service, ID: "k"}, session.Screening{
			Session: made.Session.ID, List: "pep", Result: "clear", Provider: "own", Reference: strconv.Itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err = s.service.PostScreening(ctx, made.Session.ID, client.NewScreening{List: "pep", Result: "match", Provider: "own", Reference: "one more"})
	wantCode(t, err, 409, client.CodeScreeningsFull)
}
