package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
)

// document is as much of an OpenAPI document as the tests read.
type document struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct {
				Schema map[string]any `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]map[string]any `json:"schemas"`
	} `json:"components"`
}

func (s *server) document() document {
	s.t.Helper()
	_, body := s.send("GET", "/openapi.json", "", "", "", nil)
	var d document
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		s.t.Fatal(err)
	}
	return d
}

func TestEveryRouteOfTheAPIIsDescribedAndEveryDescriptionIsARoute(t *testing.T) {
	s := newServer(t, nil)
	routes, ok := s.http.Config.Handler.(chi.Routes)
	if !ok {
		t.Fatalf("the handler is a %T", s.http.Config.Handler)
	}
	served := map[string]bool{}
	err := chi.Walk(routes, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if strings.HasPrefix(route, "/v1/") {
			served[method+" "+route] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for path, operations := range s.document().Paths {
		for method := range operations {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	for r := range served {
		if !described[r] {
			t.Errorf("%s is served and not described", r)
		}
	}
	for r := range described {
		if strings.Contains(r, " /v1/") && !served[r] {
			t.Errorf("%s is described and not served", r)
		}
	}
	if len(served) < 9 {
		t.Errorf("only %d routes were seen", len(served))
	}
}

func TestAnswersAreWhatTheDocumentSays(t *testing.T) {
	s := newServer(t, staffed(nil))
	d := s.document()
	call := func(method, path, route, credential, kind string, body []byte) map[string]any {
		t.Helper()
		resp, text := s.send(method, path, credential, kind, string(body), nil)
		op, ok := d.Paths[route][strings.ToLower(method)]
		if !ok {
			t.Fatalf("%s %s is not described", method, route)
		}
		answer, ok := op.Responses[fmt.Sprint(resp.StatusCode)]
		if !ok {
			t.Fatalf("%s %s: status %d is not described: %s", method, route, resp.StatusCode, text)
		}
		media, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
		content, ok := answer.Content[media]
		if !ok {
			t.Fatalf("%s %s %d: %s is not described", method, route, resp.StatusCode, media)
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		for _, fault := range d.check(content.Schema, v, "") {
			t.Errorf("%s %s %d: %s", method, route, resp.StatusCode, fault)
		}
		return v
	}
	const js = "application/json"
	made := call("POST", "/v1/sessions", "/v1/sessions", s.key, js, []byte(`{"external_ref":"case-1","document_type":"passport","claims":{"surname":"ERIKSSON"}}`))
	ses, _ := made["session"].(map[string]any)
	id, token := fmt.Sprint(ses["id"]), fmt.Sprint(made["client_token"])
	call("POST", "/v1/sessions", "/v1/sessions", s.key, js, []byte(`{"claims":7}`))
	call("GET", "/v1/sessions/"+id, "/v1/sessions/{id}", s.key, "", nil)
	call("GET", "/v1/sessions/ses_none", "/v1/sessions/{id}", s.key, "", nil)
	call("GET", "/v1/sessions?limit=1", "/v1/sessions", s.key, "", nil)
	call("POST", "/v1/sessions/"+id+"/links", "/v1/sessions/{id}/links", s.key, "", nil)
	call("GET", "/v1/capture", "/v1/capture", token, "", nil)
	call("GET", "/v1/capture", "/v1/capture", "", "", nil)
	call("POST", "/v1/capture/submit", "/v1/capture/submit", token, "", nil)
	call("POST", "/v1/capture/consent", "/v1/capture/consent", token, js, []byte(`{"accepted":true,"text_version":"1","locale":"en"}`))
	call("POST", "/v1/capture/evidence/selfie", "/v1/capture/evidence/{kind}", token, "image/jpeg", []byte("no picture"))
	call("POST", "/v1/capture/evidence/selfie", "/v1/capture/evidence/{kind}", token, "text/html", []byte("no picture"))
	for _, kind := range []string{"document_front", "selfie"} {
		if p := call("POST", "/v1/capture/evidence/"+kind+"?insist=true", "/v1/capture/evidence/{kind}", token, "image/jpeg", goodPhoto(t, 1)); p["kept"] != true {
			t.Errorf("%s was not kept: %v", kind, p)
		}
	}
	call("POST", "/v1/capture/submit", "/v1/capture/submit", token, "", nil)
	call("DELETE", "/v1/sessions/"+id+"/evidence", "/v1/sessions/{id}/evidence", s.newKey("acme", "sessions:read"), "", nil)
	// People's side.
	_, _, staff := s.person("vera", access.Reviewer, access.PrivacyOfficer)
	in := call("POST", "/v1/login", "/v1/login", "", js, []byte(`{"name":"vera","password":"`+password+`"}`))
	call("POST", "/v1/login", "/v1/login", "", js, []byte(`{"name":"vera","password":"wrong"}`))
	call("GET", "/v1/account", "/v1/account", fmt.Sprint(in["token"]), "", nil)
	waiting := s.review(client.NewSession{DocumentType: "passport"})
	call("GET", "/v1/reviews?free=true", "/v1/reviews", staff, "", nil)
	call("GET", "/v1/reviews", "/v1/reviews", s.key, "", nil)
	c := call("GET", "/v1/reviews/"+waiting, "/v1/reviews/{id}", staff, "", nil)
	call("POST", "/v1/reviews/"+waiting+"/decision", "/v1/reviews/{id}/decision", staff, js, []byte(`{"outcome":"approved"}`))
	call("POST", "/v1/reviews/"+waiting+"/claim", "/v1/reviews/{id}/claim", staff, "", nil)
	g := call("POST", "/v1/evidence/grants", "/v1/evidence/grants", staff, js, []byte(`{"session":"`+waiting+`","purpose":"review"}`))
	grant := "/v1/evidence/grants/" + fmt.Sprint(g["id"])
	call("GET", "/v1/evidence/grants?session="+waiting, "/v1/evidence/grants", staff, "", nil)
	call("GET", grant+"/fields", "/v1/evidence/grants/{grant}/fields", staff, "", nil)
	call("GET", grant+"/objects/obj_x", "/v1/evidence/grants/{grant}/objects/{object}", staff, "", nil)
	call("POST", grant+"/approval", "/v1/evidence/grants/{grant}/approval", staff, "", nil)
	call("DELETE", grant, "/v1/evidence/grants/{grant}", staff, "", nil)
	call("GET", "/v1/cases/"+waiting+"/timeline", "/v1/cases/{id}/timeline", staff, "", nil)
	hold := call("POST", "/v1/cases/"+waiting+"/holds", "/v1/cases/{id}/holds", staff, js, []byte(`{"reason":"litigation"}`))
	call("GET", "/v1/holds", "/v1/holds", staff, "", nil)
	call("DELETE", "/v1/holds/"+fmt.Sprint(hold["id"])+"?reason=settled", "/v1/holds/{hold}", staff, "", nil)
	call("POST", "/v1/cases/"+waiting+"/withdrawal", "/v1/cases/{id}/withdrawal", staff, "", nil)
	call("DELETE", "/v1/cases/"+waiting+"/evidence", "/v1/cases/{id}/evidence", staff, "", nil)
	call("GET", "/v1/sessions/"+waiting, "/v1/sessions/{id}", s.key, "", nil)
	call("GET", "/v1/sessions/"+waiting+"/attributes", "/v1/sessions/{id}/attributes", s.key, "", nil)
	call("POST", "/v1/sessions/"+waiting+"/cancellation", "/v1/sessions/{id}/cancellation", s.key, "", nil)
	call("POST", "/v1/checks/next", "/v1/checks/next", staff, "", nil)
	checked := s.drawn(policy.Approved)
	call("GET", "/v1/checks", "/v1/checks", staff, "", nil)
	call("GET", "/v1/checks/"+checked, "/v1/checks/{id}", staff, "", nil)
	if k := call("POST", "/v1/checks/next", "/v1/checks/next", staff, "", nil); k["session"] != checked {
		t.Errorf("check %v", k["session"])
	}
	call("GET", "/v1/checks/"+checked, "/v1/checks/{id}", staff, "", nil)
	call("GET", "/v1/reviews/"+checked, "/v1/reviews/{id}", staff, "", nil)
	call("POST", "/v1/checks/"+checked+"/verdict", "/v1/checks/{id}/verdict", staff, js, []byte(`{"outcome":"approved"}`))
	resp, text := s.send("POST", "/v1/checks/"+checked+"/verdict", staff, js, `{"outcome":"approved"}`, map[string]string{"If-Match": fmt.Sprintf("%q", "1")})
	if resp.StatusCode != 412 {
		t.Errorf("a verdict on another version: %d %s", resp.StatusCode, text)
	}
	if c["session"] != waiting {
		t.Errorf("case %v", c["session"])
	}
}

// check holds a value against a schema: types, required and unknown members,
// enumerations, items.
func (d document) check(schema map[string]any, v any, at string) []string {
	if ref, ok := schema["$ref"].(string); ok {
		return d.check(d.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")], v, at)
	}
	var types []string
	switch t := schema["type"].(type) {
	case string:
		types = []string{t}
	case []any:
		for _, x := range t {
			types = append(types, fmt.Sprint(x))
		}
	}
	kind := kindOf(v)
	if x, ok := v.(float64); ok && x == float64(int64(x)) && slices.Contains(types, "integer") {
		kind = "integer"
	}
	if len(types) > 0 && !slices.Contains(types, kind) {
		return []string{fmt.Sprintf("%s is a %s, described as %v", at, kind, types)}
	}
	var faults []string
	if enum, ok := schema["enum"].([]any); ok && v != nil && !slices.Contains(enum, v) {
		faults = append(faults, fmt.Sprintf("%s is %v, not one of %v", at, v, enum))
	}
	if list, ok := v.([]any); ok {
		if items, ok := schema["items"].(map[string]any); ok {
			for i, x := range list {
				faults = append(faults, d.check(items, x, fmt.Sprintf("%s[%d]", at, i))...)
			}
		}
	}
	object, ok := v.(map[string]any)
	if !ok {
		return faults
	}
	required, _ := schema["required"].([]any)
	for _, r := range required {
		if _, ok := object[fmt.Sprint(r)]; !ok {
			faults = append(faults, fmt.Sprintf("%s lacks %v", at, r))
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, x := range object {
		p, known := properties[name].(map[string]any)
		if more, ok := schema["additionalProperties"].(map[string]any); !known && ok {
			p, known = more, true
		}
		if !known {
			faults = append(faults, fmt.Sprintf("%s.%s is not described", at, name))
			continue
		}
		faults = append(faults, d.check(p, x, at+"."+name)...)
	}
	return faults
}

// kindOf is the schema's word for a decoded JSON value.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case float64:
		return "number"
	}
	return "object"
}
