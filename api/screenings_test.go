package api_test

import (
	"context"
	"testing"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
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
	n.List = "friends"
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
