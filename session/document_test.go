package session_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/proofline/proofline/session"
)

func TestTheDocumentChosenWithTheLatestPhotoSelectsTheRulesWhereTheSessionLeavesItOpen(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	photo := func(minute int, documentType string) session.Evidence {
		return session.Evidence{Findings: json.RawMessage(`{"document_type":"` + documentType + `"}`), At: at.Add(time.Duration(minute) * time.Minute)}
	}
	for _, c := range []struct {
		fixed    string
		evidence []session.Evidence
		want     string
	}{
		{"", []session.Evidence{photo(0, "passport")}, "passport"},
		{"", []session.Evidence{photo(5, "driving_licence"), photo(0, "passport")}, "driving_licence"},
		{"", []session.Evidence{photo(0, "passport"), photo(5, "")}, "passport"}, // a selfie is of no document
		{"", []session.Evidence{photo(0, "spaceship")}, ""},
		{"", []session.Evidence{{Findings: json.RawMessage("{")}}, ""},
		{"", nil, ""},
		{"passport", []session.Evidence{photo(0, "driving_licence")}, "passport"}, // the service said which
		{"passport", nil, "passport"},
	} {
		s := &session.Session{DocumentType: c.fixed, Segment: "retail"}
		if got := s.ContextOf(c.evidence); got.DocumentType != c.want || got.Segment != "retail" {
			t.Errorf("fixed %q: %+v, want %q", c.fixed, got, c.want)
		}
	}
}
