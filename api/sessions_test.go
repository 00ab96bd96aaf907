package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/session"
)

func wantCode(t *testing.T, err error, status int, code string) *client.Problem {
	t.Helper()
	var p *client.Problem
	if !errors.As(err, &p) {
		t.Fatalf("error %v, want problem %s", err, code)
	}
	if p.Status != status || p.Code != code || p.Type != "/problems/"+code || p.Title == "" || p.RequestID == "" {
		t.Fatalf("problem %+v, want %d %s", p, status, code)
	}
	return p
}

func TestANewSessionComesWithALinkThatHidesItsTokenFromServers(t *testing.T) {
	s := newServer(t, nil)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{ExternalRef: "case-1", Jurisdiction: "DE"}, "")
	if err != nil {
		t.Fatal(err)
	}
	page, fragment, ok := strings.Cut(made.CaptureURL, "#")
	if !ok || page != s.url+"/capture" || fragment != "t="+made.ClientToken {
		t.Errorf("link %q", made.CaptureURL)
	}
	if made.Session.State != "initiated" || made.Session.ExternalRef != "case-1" || made.Session.PolicyHash == "" {
		t.Errorf("session %+v", made.Session)
	}
	got, err := s.service.Get(context.Background(), made.Session.ID)
	if err != nil || got.ID != made.Session.ID || got.CorrelationID != made.Session.CorrelationID {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRequestsNeedAKeyOfTheRightScope(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	made, _ := s.begin(client.NewSession{})
	for name, secret := range map[string]string{"none": "", "garbage": "plk_x", "client token": made.ClientToken} {
		_, err := client.NewService(s.url, secret, nil).Get(ctx, made.Session.ID)
		wantCode(t, err, 401, client.CodeUnauthorized)
		_ = name
	}
	reader := client.NewService(s.url, s.newKey("acme", api.ScopeSessionsRead), nil)
	if _, err := reader.Get(ctx, made.Session.ID); err != nil {
		t.Error(err)
	}
	_, err := reader.CreateSession(ctx, client.NewSession{}, "")
	wantCode(t, err, 403, client.CodeForbidden)
	wantCode(t, reader.EraseEvidence(ctx, made.Session.ID), 403, client.CodeForbidden)
	_, err = client.NewCapture(s.url, s.key, nil).Status(ctx)
	wantCode(t, err, 401, client.CodeUnauthorized)
}

func TestSessionsOfOthersAreNotThere(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	made, _ := s.begin(client.NewSession{})
	other := client.NewService(s.url, s.newKey("other", api.Scopes()...), nil)
	_, err := other.Get(ctx, made.Session.ID)
	theirs := wantCode(t, err, 404, client.CodeNotFound)
	_, err = other.Get(ctx, "ses_00000000000000000000000000")
	nobodys := wantCode(t, err, 404, client.CodeNotFound)
	if theirs.Detail != nobodys.Detail || theirs.Title != nobodys.Title {
		t.Errorf("the answers differ: %v, %v", theirs, nobodys)
	}
	wantCode(t, other.EraseEvidence(ctx, made.Session.ID), 404, client.CodeNotFound)
	_, err = other.NewLink(ctx, made.Session.ID)
	wantCode(t, err, 404, client.CodeNotFound)
	if page, err := other.List(ctx, client.Filter{}); err != nil || len(page.Sessions) != 0 {
		t.Errorf("%d sessions, %v", len(page.Sessions), err)
	}
}

func TestTheSameIdempotencyKeyMakesOneSession(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	n := client.NewSession{ExternalRef: "case-7", Claims: map[string]string{"surname": "ERIKSSON", "birth_date": "1974-08-12"}}
	var wg sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		wg.Go(func() {
			// 409 while the first runs; the caller tries again.
			for {
				made, err := s.service.CreateSession(ctx, n, "key-1")
				if errors.Is(err, &client.Problem{Code: client.CodeIdempotencyInFlight}) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = made.Session.ID
				if _, err := client.NewCapture(s.url, made.ClientToken, nil).Status(ctx); err != nil {
					t.Errorf("token of a repetition: %v", err)
				}
				return
			}
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("several sessions: %v", ids)
		}
	}
	page, err := s.service.List(ctx, client.Filter{})
	if err != nil || len(page.Sessions) != 1 {
		t.Errorf("%d sessions, %v", len(page.Sessions), err)
	}
}

func TestIdempotencyFollowsTheDraft(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	if _, err := s.service.CreateSession(ctx, client.NewSession{ExternalRef: "a"}, "key-1"); err != nil {
		t.Fatal(err)
	}
	_, err := s.service.CreateSession(ctx, client.NewSession{ExternalRef: "b"}, "key-1")
	wantCode(t, err, 422, client.CodeIdempotencyMismatch)
	_, err = s.service.CreateSession(ctx, client.NewSession{}, "key with spaces")
	wantCode(t, err, 400, client.CodeIdempotencyInvalid)
	_, err = s.service.CreateSession(ctx, client.NewSession{}, strings.Repeat("k", 129))
	wantCode(t, err, 400, client.CodeIdempotencyInvalid)

	other := client.NewService(s.url, s.newKey("other", api.Scopes()...), nil)
	if _, err := other.CreateSession(ctx, client.NewSession{ExternalRef: "b"}, "key-1"); err != nil {
		t.Errorf("another tenant's key of the same name: %v", err)
	}
}

func TestAFailedCreationFreesItsIdempotencyKey(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	bad := client.NewSession{Claims: map[string]string{"surname": strings.Repeat("x", 300)}}
	_, err := s.service.CreateSession(ctx, bad, "key-1")
	wantCode(t, err, 400, client.CodeInvalidRequest)
	if _, err := s.service.CreateSession(ctx, client.NewSession{}, "key-1"); err != nil {
		t.Error(err)
	}
}

func TestBadBodiesAreProblemsThatQuoteNothing(t *testing.T) {
	s := newServer(t, nil)
	for _, c := range []struct{ name, contentType, body, code string }{
		{"no JSON", "application/json", `{"external_ref":`, client.CodeInvalidRequest},
		{"wrong type", "application/json", `{"external_ref":["CANARY"]}`, client.CodeInvalidRequest},
		{"unknown field", "application/json", `{"surname":"CANARY"}`, client.CodeInvalidRequest},
		{"enum", "application/json", `{"document_type":"CANARY"}`, client.CodeInvalidRequest},
		{"too long", "application/json", `{"external_ref":"` + strings.Repeat("CANARY", 100) + `"}`, client.CodeInvalidRequest},
		{"too large", "application/json", `{"external_ref":"` + strings.Repeat("CANARY", 20_000) + `"}`, client.CodeBodyTooLarge},
		{"unknown claim", "application/json", `{"claims":{"family_name":"CANARY"}}`, client.CodeInvalidRequest},
		{"empty claim", "application/json", `{"claims":{"surname":""}}`, client.CodeInvalidRequest},
		{"claim that is no date", "application/json", `{"claims":{"birth_date":"CANARY"}}`, client.CodeInvalidRequest},
		{"XML", "application/xml", `<a>CANARY</a>`, client.CodeUnsupportedMediaType},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp, body := s.send("POST", "/v1/sessions", s.key, c.contentType, c.body, nil)
			if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("media type %q", got)
			}
			var p client.Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Code != c.code || p.Status != resp.StatusCode {
				t.Errorf("%d %s (%v)", resp.StatusCode, body, err)
			}
			if strings.Contains(body, "CANARY") {
				t.Errorf("the answer quotes the request: %s", body)
			}
		})
	}
	if strings.Contains(s.log.String(), "CANARY") {
		t.Error("the log quotes a request")
	}
}

func TestClaimsSpeakOfWhatThePipelineReads(t *testing.T) {
	if !slices.Equal(api.ClaimNames, pipeline.FieldNames) || api.ClaimsKind != pipeline.ClaimsKind {
		t.Errorf("claims %v, fields %v", api.ClaimNames, pipeline.FieldNames)
	}
}

func TestListingPagesThroughATenantsSessions(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	for i := range 5 {
		if _, err := s.service.CreateSession(ctx, client.NewSession{ExternalRef: fmt.Sprintf("case-%d", i)}, ""); err != nil {
			t.Fatal(err)
		}
	}
	var refs []string
	f := client.Filter{Limit: 2, State: "initiated"}
	for {
		page, err := s.service.List(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, ses := range page.Sessions {
			refs = append(refs, ses.ExternalRef)
		}
		if page.Next == "" {
			break
		}
		f.Cursor = page.Next
	}
	if got := strings.Join(refs, " "); got != "case-4 case-3 case-2 case-1 case-0" {
		t.Errorf("listed %s", got)
	}
	_, err := s.service.List(ctx, client.Filter{Cursor: "nonsense"})
	wantCode(t, err, 400, client.CodeInvalidRequest)
}

func TestErasureIsQueued(t *testing.T) {
	s := newServer(t, nil)
	ctx := context.Background()
	made, _ := s.begin(client.NewSession{})
	if err := s.service.EraseEvidence(ctx, made.Session.ID); err != nil {
		t.Fatal(err)
	}
	rows, err := s.store.Pending(ctx, 100)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range rows {
		if r.Kind == session.KindErase && r.Session == made.Session.ID {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d erasures are queued", n)
	}
}

func TestRatesAreLimitedPerKeyAndPerAddress(t *testing.T) {
	s := newServer(t, func(d *api.Deps) { d.Limits.PerKey = 3 })
	made, _ := s.begin(client.NewSession{}) // one with the key, one with the token
	var last *http.Response
	for range 5 {
		last, _ = s.send("GET", "/v1/sessions/"+made.Session.ID, s.key, "", "", nil)
	}
	if last.StatusCode != 429 || last.Header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q", last.StatusCode, last.Header.Get("Retry-After"))
	}
	other := s.newKey("other", api.Scopes()...)
	if resp, _ := s.send("GET", "/v1/sessions", other, "", "", nil); resp.StatusCode != 200 {
		t.Errorf("another key is limited too: %d", resp.StatusCode)
	}

	s = newServer(t, func(d *api.Deps) {
		d.Limits.PerAddress = 3
		d.ClientAddress = func(r *http.Request) string { return r.Header.Get("X-Test-Address") }
	})
	get := func(address string) int {
		resp, _ := s.send("GET", "/v1/sessions", s.key, "", "", map[string]string{"X-Test-Address": address})
		return resp.StatusCode
	}
	for i := range 4 {
		status := get(fmt.Sprintf("2001:db8:1:2::%d", i+1)) // one household's /64
		if want := map[bool]int{true: 200, false: 429}[i < 3]; status != want {
			t.Errorf("request %d: %d", i, status)
		}
	}
	if status := get("2001:db8:1:3::1"); status != 200 {
		t.Errorf("a neighbour's network is limited too: %d", status)
	}
}
