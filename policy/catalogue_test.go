package policy

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestAPolicyDecidesUnderTheCatalogueThatItWasParsedUnder(t *testing.T) {
	// An earlier release that rejected where today's sends to a reviewer.
	old := changeAction(t, "document.screen_recapture", "reject")
	then, err := ParseUnder(DefaultYAML(), []byte(old))
	if err != nil {
		t.Fatal(err)
	}
	now := Default()
	if then.Hash() != now.Hash() || then.CodesHash() == now.CodesHash() || now.CodesHash() != CodesHash() {
		t.Errorf("hashes %s %s, %s %s", then.Hash(), now.Hash(), then.CodesHash(), now.CodesHash())
	}
	f := Finding{Stage: "quality", Subject: "document_front"}
	f.Assert("document.screen_recapture", "")
	in := Input{Attempt: 9, Findings: []Finding{f}}
	if d := then.Decide(in); d.Outcome != Rejected {
		t.Errorf("under the earlier catalogue: %s", d.Outcome)
	}
	if d := now.Decide(in); d.Outcome != PendingReview {
		t.Errorf("under today's: %s", d.Outcome)
	}
	same, err := ParseUnder(DefaultYAML(), CodesYAML())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(same.Decide(in))
	b, _ := json.Marshal(now.Decide(in))
	if !bytes.Equal(a, b) || same.CodesHash() != CodesHash() {
		t.Error("the same catalogue decides differently")
	}
	if _, err := ParseUnder(DefaultYAML(), []byte("codes: [{code: x}]")); err == nil {
		t.Error("a broken catalogue was accepted")
	}
}

// changeAction returns the catalogue's text with another action for a code.
func changeAction(t *testing.T, code, action string) string {
	t.Helper()
	text := string(CodesYAML())
	at := strings.Index(text, code)
	if at < 0 {
		t.Fatal("no such code")
	}
	end := strings.Index(text[at:], "action:")
	eol := at + end + strings.IndexAny(text[at+end:], ",}\n")
	return text[:at+end] + "action: " + action + text[eol:]
}
