package api_test

import (
	"strings"
	"testing"
)

func TestARefusalRepeatsNothingThatTheCallerMadeUp(t *testing.T) {
	s := newServer(t, nil)
	for body, at := range map[string]string{
		`{"Marked":1}`:                       `"location":"body"`,
		`{"Marked":{"x":1}}`:                 `"location":"body"`,
		`{"claims":{"Marked":1}}`:            `"location":"body.claims"`,
		`{"claims":{"Marked":"x"}}`:          `"location":"body.claims"`,
		`{"claims":{"surname":1}}`:           `"location":"body.claims.surname"`,
		`{"claims":{"birth_date":"Marked"}}`: `"location":"body.claims.birth_date"`,
		`{"locale":{"Marked":1}}`:            `"location":"body.locale"`,
	} {
		resp, got := s.send("POST", "/v1/sessions", s.key, "application/json", body, nil)
		if resp.StatusCode/100 != 4 || strings.Contains(got, "Marked") || !strings.Contains(got, at) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, got)
		}
	}
}
