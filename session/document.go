package session

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/proofline/proofline/policy"
)

// ChosenDocument is the kind of document that the person chose at capture: the
// one that came with the latest photo, as the gate judged it. Evidence is what
// Store.Evidence returns, the newest photo of each kind, as it is for the case.
// It is empty where none was chosen, or one that no policy knows.
func ChosenDocument(evidence []Evidence) string {
	t, at := "", time.Time{}
	for _, e := range evidence {
		var s struct {
			DocumentType string `json:"document_type"`
		}
		if json.Unmarshal(e.Findings, &s) != nil || !slices.Contains(policy.DocumentTypes, s.DocumentType) || e.At.Before(at) {
			continue
		}
		t, at = s.DocumentType, e.At
	}
	return t
}

// ContextOf is what selects the rules of a session whose photos were taken: the
// document that the person chose counts where the session leaves it open.
// Whoever decides on a case, shows it or hands its fields on must ask the same
// cell.
func (s *Session) ContextOf(evidence []Evidence) policy.Context {
	if s.DocumentType != "" {
		return s.Context()
	}
	return s.ContextFor(ChosenDocument(evidence))
}
