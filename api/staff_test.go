package api_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

const password = "correct horse battery staple"

// weak is a hash of the password that takes no time: what it costs is tested in
// package access.
var weak = access.HashPassword(password)

// staffed adds a door and a desk to a server.
func staffed(change func(*review.Config)) func(*api.Deps) {
	return func(d *api.Deps) {
		store := d.Store.(*session.Store)
		d.Door = login.New(login.Config{Store: store})
		c := review.Config{Store: store, Vault: d.Vault, Policy: func(context.Context, string) (*policy.Policy, error) { return d.Policy, nil }}
		if change != nil {
			change(&c)
		}
		d.Desk = review.New(c)
	}
}

// person makes an account and logs it in without the cost of a password.
func (s *server) person(name string, roles ...access.Role) (*client.Staff, session.Account, string) {
	s.t.Helper()
	ctx := context.Background()
	a, err := s.store.CreateAccount(ctx, session.Actor{Role: session.Operator, ID: "test"}, session.NewAccount{Name: name, Roles: roles, PasswordHash: weak})
	if err != nil {
		s.t.Fatal(err)
	}
	_, secret, err := s.store.BeginLogin(ctx, a.ID, "password", time.Hour)
	if err != nil {
		s.t.Fatal(err)
	}
	return client.NewStaff(s.url, secret, nil), a, secret
}

// review brings a case to review: real photos in the vault, and what a worker
// would have left.
func (s *server) review(n client.NewSession) string {
	s.t.Helper()
	ctx := context.Background()
	made, c := s.begin(n)
	if _, err := c.GiveConsent(ctx, "1", "en"); err != nil {
		s.t.Fatal(err)
	}
	for i, kind := range []string{"document_front", "selfie"} {
		if _, err := c.Insist(ctx, kind, "passport", goodPhoto(s.t, uint64(i)), "image/jpeg"); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := c.Submit(ctx); err != nil {
		s.t.Fatal(err)
	}
	id := made.Session.ID
	put := func(class storage.Class, kind, text string) string {
		o, err := s.vault.PutBytes(ctx, storage.Ref{Session: id, Class: class, Kind: kind}, []byte(text), time.Now().Add(time.Hour))
		if err != nil {
			s.t.Fatal(err)
		}
		return o.ID
	}
	fields := put(storage.ExtractedFields, "mrz", `{"fields":[{"name":"surname","value":"CANARYERIKSSON","source":"mrz","confidence":0.99,"verified":false},{"name":"document_number","value":"L898902C3","source":"mrz","confidence":0.9,"verified":true}]}`)
	visual := put(storage.ExtractedFields, "visual", `{"fields":[{"name":"surname","value":"CANARYERIKSON","source":"visual","confidence":0.7},{"name":"document_number","value":"L898902C8","source":"visual","confidence":0.95}]}`)
	stage := func(name, body string) {
		if _, err := s.store.PutStage(ctx, session.StageResult{Session: id, Attempt: 1, Stage: name, InputHash: "h", Body: []byte(body)}); err != nil {
			s.t.Fatal(err)
		}
	}
	stage("mrz", fmt.Sprintf(`{"findings":[],"artefacts":[{"class":"extracted_fields","kind":"mrz","object":%q}]}`, fields))
	stage("ocr", fmt.Sprintf(`{"findings":[],"artefacts":[{"class":"extracted_fields","kind":"visual","object":%q}]}`, visual))
	stage("liveness", `{"findings":[{"stage":"liveness","subject":"selfie","verdict":"pass","measures":[{"name":"liveness.score","value":0.4,"unit":"score"}],"duration_ms":1}]}`)
	d := policy.Decision{Outcome: policy.PendingReview, Codes: []policy.Code{"consistency.name_mismatch"}, Policy: "default", PolicyHash: policy.Default().Hash(), Attempt: 1,
		Reasons: []policy.Reason{{Code: "consistency.name_mismatch", Subject: "case", Stage: "consistency", Action: policy.Review, Field: "surname"}}}
	if _, err := s.store.Apply(ctx, id, session.AnyVersion, session.Decided(session.Actor{Role: session.Worker, ID: "w"}, 1, d), nil); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// Every route of the server with every role: who lacks the permission gets 401
// or 403, who has it gets anything else.
func TestEveryRouteAdmitsTheRolesOfTheTableAndNobodyElse(t *testing.T) {
	const token = "only-for-this-test-0123456789"
	var needs map[string]access.Permission
	s := newServer(t, func(d *api.Deps) {
		staffed(nil)(d)
		d.QueuePage = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "queues") })
		d.OperatorToken = func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+token }
	})
	routes := s.http.Config.Handler.(chi.Routes)
	needs = api.Needs(s.http.Config.Handler)
	made, _ := s.begin(client.NewSession{})
	secrets := map[access.Role]string{access.Client: made.ClientToken, access.Service: s.key}
	for _, r := range access.StaffRoles() {
		_, _, secrets[r] = s.person("is-"+strings.ReplaceAll(string(r), "_", "-"), r)
	}
	fill := strings.NewReplacer("{id}", "ses_x", "{kind}", "selfie", "{upload}", "upl_x", "{grant}", "grt_x", "{object}", "obj_x", "{hold}", "hld_x", "{code}", "not_found", "/*", "/x")
	tried := 0
	err := chi.Walk(routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		need, ok := needs[method+" "+route]
		if !ok {
			need, ok = needs["* "+route]
		}
		if !ok && method != http.MethodHead {
			t.Errorf("%s %s names no permission", method, route)
			return nil
		}
		if method == http.MethodConnect || method == http.MethodTrace {
			return nil
		}
		if need == access.QueueRead && method != http.MethodGet && method != http.MethodHead {
			need = access.QueueManage
		}
		handover := strings.HasSuffix(route, "/handover/claim") // takes the token of a link, which none of these is
		for role, secret := range secrets {
			path := fill.Replace(route)
			if route == "/v1/logout" {
				_, _, secret = s.person(fmt.Sprintf("leaving-%d", tried), access.Reviewer)
				if role == access.Client || role == access.Service {
					secret = secrets[role]
				}
			}
			resp, body := s.send(method, path, secret, "", "", map[string]string{"Tus-Resumable": "1.0.0"})
			tried++
			refused := resp.StatusCode == 401 || resp.StatusCode == 403
			want := access.Can(need, role)
			// A permission of several kinds of caller has a route for each.
			if want && need != access.Public && otherKind(route, role) {
				want = false
			}
			if refused == want && !handover {
				if want && strings.Contains(body, client.CodeNoGrant) {
					continue // admitted; the grant is not there
				}
				if want && strings.Contains(body, client.CodeLoginRefused) {
					continue
				}
				t.Errorf("%s %s as %s: %d, the table says %v for %s", method, route, role, resp.StatusCode, want, need)
			}
		}
		if resp, body := s.send(method, fill.Replace(route), "", "", "", nil); need != access.Public && resp.StatusCode != 401 {
			t.Errorf("%s %s as nobody: %d %.80s", method, route, resp.StatusCode, body)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/metrics", "/ops/queues"} {
		if resp, _ := s.send("GET", path, token, "", "", nil); resp.StatusCode != 200 {
			t.Errorf("%s with the operators' token: %d", path, resp.StatusCode)
		}
	}
	t.Logf("%d requests, %d routes", tried, len(needs))
	if tried < 300 {
		t.Errorf("only %d requests were made", tried)
	}
}

// otherKind: the route takes another kind of credential than the role has.
func otherKind(route string, role access.Role) bool {
	switch {
	case strings.HasPrefix(route, "/v1/capture"):
		return role != access.Client
	case strings.HasPrefix(route, "/v1/sessions"):
		return role != access.Service
	}
	return role == access.Client || role == access.Service
}

func TestALoginIsATokenForProgramsAndACookieTakesNothingFromOtherSites(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	_, a, secret := s.person("vera", access.Reviewer)
	staff, in, err := client.Login(ctx, s.url, client.Credentials{Name: "Vera", Password: password}, nil)
	if err != nil || in.Account.ID != a.ID || in.Account.Roles[0] != "reviewer" {
		t.Fatalf("%+v, %v", in, err)
	}
	if who, err := staff.Account(ctx); err != nil || who.ID != a.ID {
		t.Errorf("%+v, %v", who, err)
	}
	_, _, err = client.Login(ctx, s.url, client.Credentials{Name: "vera", Password: "wrong"}, nil)
	wrong := wantCode(t, err, 401, client.CodeLoginRefused)
	_, _, err = client.Login(ctx, s.url, client.Credentials{Name: "nobody", Password: "wrong"}, nil)
	if p := wantCode(t, err, 401, client.CodeLoginRefused); p.Detail != wrong.Detail {
		t.Errorf("the answers differ: %v, %v", p, wrong)
	}
	for range access.FreeTries + 1 {
		_, _, _ = client.Login(ctx, s.url, client.Credentials{Name: "victim", Password: "wrong"}, nil)
	}
	_, _, err = client.Login(ctx, s.url, client.Credentials{Name: "victim", Password: "wrong"}, nil)
	if p := wantCode(t, err, 429, client.CodeRateLimited); p.RetryAfter < time.Second {
		t.Errorf("%+v", p)
	}
	cookie := map[string]string{"Cookie": "proofline=" + secret}
	for name, h := range map[string]map[string]string{
		"none":                    nil,
		"Sec-Fetch-Site the same": {"Sec-Fetch-Site": "same-origin"},
		"Origin the same":         {"Origin": s.url},
	} {
		if resp, body := s.send("POST", "/v1/reviews/ses_x/claim", "", "", "", join(cookie, h)); resp.StatusCode != 404 {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	for name, h := range map[string]map[string]string{
		"Sec-Fetch-Site": {"Sec-Fetch-Site": "cross-site"}, "same site": {"Sec-Fetch-Site": "same-site"}, "Origin": {"Origin": "https://evil.example"}, "null": {"Origin": "null"},
	} {
		if resp, _ := s.send("POST", "/v1/reviews/ses_x/claim", "", "", "", join(cookie, h)); resp.StatusCode != 403 {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
		if resp, _ := s.send("GET", "/v1/account", "", "", "", join(cookie, h)); resp.StatusCode != 200 {
			t.Errorf("a link from elsewhere (%s): %d", name, resp.StatusCode)
		}
	}
	if err := staff.Logout(ctx); err != nil {
		t.Fatal(err)
	}
	_, err = staff.Account(ctx)
	wantCode(t, err, 401, client.CodeUnauthorized)
}

func join(ms ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range ms {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}
