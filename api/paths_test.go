package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/session"
)

// Every id in every path of the API, with what nobody would call an id. Bytes that
// are no text are not found anywhere; nothing is an error of the server's.
func TestAnOddIDInAPathIsNotFoundOnBothDatabases(t *testing.T) {
	for name, dsn := range map[string]func(t *testing.T) string{
		"sqlite":   func(*testing.T) string { return "" },
		"postgres": func(t *testing.T) string { return testserver.Postgres(t).DSN },
	} {
		t.Run(name, func(t *testing.T) { oddIDs(t, newServerOn(t, dsn(t), staffed(nil))) })
	}
}

func oddIDs(t *testing.T, s *server) {
	made, _ := s.begin(client.NewSession{})
	_, _, staff := s.person("all", access.Reviewer, access.Operator, access.Auditor, access.PrivacyOfficer, access.Admin)
	secrets := map[string]string{"apiKey": s.newKey("acme", api.Scopes()...), "clientToken": made.ClientToken, "login": staff}
	_, body := s.send("GET", "/openapi.json", "", "", "", nil)
	var doc struct {
		Paths map[string]map[string]struct {
			Security []map[string][]string `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	noText := []string{"%00", "ses_%00", "%ff%fe", "ses_%C3%28", "%2500", "%0a", "a%1b%5b31m", strings.Repeat("x", 4000), strings.Repeat("%C3%A9", 900)}
	odd := []string{"ses_x", "%F0%9F%98%80", "'%20OR%201=1--", "%5C", "ses_" + strings.Repeat("0", 26), "-1", "%25", "%C2%A0", "%EF%BF%BD", "ses_%EF%BF%BF"}
	parameter := regexp.MustCompile(`\{[a-z]+\}`)
	tried := 0
	for path, methods := range doc.Paths {
		if !parameter.MatchString(path) {
			continue
		}
		for method, op := range methods {
			secret := ""
			for _, sec := range op.Security {
				for kind := range sec {
					secret = secrets[kind]
				}
			}
			for i, id := range append(noText, odd...) {
				tried++
				resp, text := s.send(strings.ToUpper(method), parameter.ReplaceAllString(path, id), secret, "application/json", "", nil)
				if resp.StatusCode >= 500 || i < len(noText) && resp.StatusCode != http.StatusNotFound {
					t.Errorf("%s %s with %.30q: %d %s", method, path, id, resp.StatusCode, text)
				}
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d requests were tried", tried)
	}
	ctx := context.Background()
	for _, id := range []string{"\x00", "ses_\xff", strings.Repeat("x", 100)} {
		if _, err := s.store.Get(ctx, id); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("the store with %.10q: %v", id, err)
		}
	}
	for _, id := range []string{"\\u0000", "ses_\\u0000", "\\ud800"} {
		for path, body := range map[string]string{"/v1/evidence/grants": `{"session":"` + id + `","purpose":"audit","text":"why"}`} {
			if resp, text := s.send("POST", path, staff, "application/json", body, nil); resp.StatusCode >= 500 {
				t.Errorf("POST %s with %q: %d %s", path, id, resp.StatusCode, text)
			}
		}
	}
	for _, q := range []string{"%00", "%ff", "x%00y"} {
		for _, path := range []string{"/v1/holds?session=", "/v1/evidence/grants?session=", "/v1/reviews?tenant=", "/v1/holds?cursor="} {
			if resp, text := s.send("GET", path+q, staff, "", "", nil); resp.StatusCode != http.StatusBadRequest {
				t.Errorf("GET %s%s: %d %s", path, q, resp.StatusCode, text)
			}
		}
		if resp, text := s.send("GET", "/v1/sessions?external_ref="+q, s.key, "", "", nil); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("sessions by %s: %d %s", q, resp.StatusCode, text)
		}
	}
}
