package api_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proofline/proofline/policy"
)

// The list in package policy is the one; struct tags and TypeScript can not read
// it, so they are held against it.
func TestDocumentTypesAreThoseOfThePolicyEverywhere(t *testing.T) {
	s := newServer(t, nil)
	_, body := s.send("GET", "/openapi.json", "", "", "", nil)
	var doc any
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	found := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			if enum, ok := v["enum"].([]any); ok && slices.Contains(enum, any("passport")) {
				found++
				var got []string
				for _, x := range enum {
					got = append(got, x.(string))
				}
				if !slices.Equal(got, policy.DocumentTypes) {
					t.Errorf("the API's description lists %v", got)
				}
			}
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(doc)
	if found < 3 {
		t.Errorf("%d lists of document types in the API's description", found)
	}
	b, err := os.ReadFile("../web/capture/src/api.ts")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^export type DocumentType = (.*);$`).FindSubmatch(b)
	if want := "'" + strings.Join(policy.DocumentTypes, "' | '") + "'"; m == nil || string(m[1]) != want {
		t.Errorf("the capture page lists %s, want %s", m, want)
	}
}
