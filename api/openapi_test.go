package api_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/proofline/proofline/client"
)

func TestTheServedDocumentDescribesEveryEndpoint(t *testing.T) {
	s := newServer(t, nil)
	resp, body := s.send("GET", "/openapi.json", "", "", "", nil)
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string                     `json:"operationId"`
			Security    []map[string][]string      `json:"security"`
			Responses   map[string]json.RawMessage `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]json.RawMessage `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	for _, want := range []string{
		"POST /v1/sessions", "GET /v1/sessions", "GET /v1/sessions/{id}", "POST /v1/sessions/{id}/links", "DELETE /v1/sessions/{id}/evidence",
		"GET /v1/capture", "POST /v1/capture/consent", "POST /v1/capture/evidence/{kind}", "POST /v1/capture/submit",
	} {
		method, path, _ := strings.Cut(want, " ")
		op, ok := doc.Paths[path][strings.ToLower(method)]
		if !ok {
			t.Errorf("%s is not described", want)
			continue
		}
		if len(op.Security) == 0 || op.OperationID == "" {
			t.Errorf("%s: security %v, id %q", want, op.Security, op.OperationID)
		}
		for _, status := range []string{"401", "429", "500"} {
			if !strings.Contains(string(op.Responses[status]), "application/problem+json") {
				t.Errorf("%s does not describe %s as a problem: %s", want, status, op.Responses[status])
			}
		}
		// What the document describes is there: without a credential it asks
		// for one, whatever the body.
		got, b := s.send(method, strings.NewReplacer("{id}", "ses_x", "{kind}", "selfie").Replace(path), "", "", "", nil)
		if got.StatusCode != 401 || !strings.Contains(b, client.CodeUnauthorized) {
			t.Errorf("%s without a credential: %d %s", want, got.StatusCode, b)
		}
	}
	if strings.Contains(body, "http://") || strings.Contains(body, "https://") {
		t.Error("the document names an address")
	}
	for name, schema := range doc.Components.Schemas {
		if strings.EqualFold(name, "problem") && !strings.Contains(string(schema), `"code"`) {
			t.Errorf("schema %s: %s", name, schema)
		}
	}
}

func TestTheDocumentationListsEveryProblem(t *testing.T) {
	b, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, nil)
	for _, code := range []string{
		client.CodeInvalidRequest, client.CodeIdempotencyInvalid, client.CodeUnauthorized, client.CodeTokenExpired, client.CodeForbidden,
		client.CodeNotFound, client.CodeMethodNotAllowed, client.CodeRequestTimeout, client.CodeConflict, client.CodeConsentMissing,
		client.CodeLoginRefused, client.CodeCodeNeeded, client.CodeNoGrant, client.CodeSecondPerson, client.CodeNotInReview, client.CodeClaimed,
		client.CodeNotClaimed, client.CodeVoted, client.CodePreconditionFailed, client.CodePreconditionRequired,
		client.CodeEvidenceMissing, client.CodeIdempotencyInFlight, client.CodeErased, client.CodeWithdrawn, client.CodeRegion, client.CodeBodyTooLarge,
		client.CodeUnsupportedMediaType, client.CodeIdempotencyMismatch, client.CodeRateLimited, client.CodeInternal, client.CodeBusy,
	} {
		if !strings.Contains(string(b), "`"+code+"`") {
			t.Errorf("docs/api.md lacks %s", code)
		}
		if resp, _ := s.send("GET", "/problems/"+code, "", "", "", nil); resp.StatusCode != 200 {
			t.Errorf("/problems/%s: %d", code, resp.StatusCode)
		}
	}
}
