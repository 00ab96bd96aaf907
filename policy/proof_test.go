package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Each proof of `policy check` is broken once; the refusal or remark says where.
func TestEveryProofOfACheckIsBrokenOnce(t *testing.T) {
	text := string(DefaultYAML())
	cells := func(c string) string { return text + "cells:\n" + c }
	for _, c := range []struct{ name, text, says string }{
		{"a data class without retention", strings.Replace(text, "    outcome: 365d\n", "", 1), "retention of outcome is missing"},
		{"a retention of nothing in a cell", cells("  - {name: a, match: {jurisdiction: ES}, retention: {outcome: 0d}}\n"), `cells[0] "a": retention of outcome`},
		{"a cell that can not be reached", cells("  - {name: a, match: {jurisdiction: ES}}\n  - {name: b, match: {jurisdiction: ES, segment: '*'}}\n"), `cells[1] "b": matches the same cases`},
		{"more risk that asks for less", strings.Replace(text, "  expires: 24h\n", "  expires: 24h\n  step_up: [{name: x, when: {amount: {max: 5}}, review: true}]\n", 1), "never ask for less"},
		{"a step-up that loosens a threshold", strings.Replace(text, "  expires: 24h\n", "  expires: 24h\n  step_up: [{name: x, when: {amount: {min: 5}}, thresholds: {liveness_live: 0.1}}]\n", 1), "not stricter"},
		{"a code that nobody knows", cells("  - {name: a, match: {jurisdiction: ES}, actions: {capture.ghost: review}}\n"), `unknown code "capture.ghost"`},
		{"a list that nobody knows", strings.Replace(text, "  expires: 24h\n", "  expires: 24h\n  screening: [friends]\n", 1), `unknown list "friends"`},
		{"a misspelt key, with its line", strings.Replace(text, "  expires: 24h\n", "  expire: 24h\n", 1), "line 12, column 3: unknown field"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestEveryCodeOfTheCatalogueLeadsSomewhereAndHasACause(t *testing.T) {
	causes := map[string]int{}
	cell := Default().Cell(Context{})
	for _, i := range Codes() {
		causes[i.Code.Category()]++
		if !cell.ActionOf(i.Code).valid() {
			t.Errorf("%s leads to %q", i.Code, cell.ActionOf(i.Code))
		}
		f := Finding{Stage: "quality", Subject: "case"}
		f.Assert(i.Code, "")
		d := Default().Decide(Input{Attempt: 1, Findings: []Finding{f}})
		if len(d.Reasons) == 0 || d.Outcome == Approved {
			t.Errorf("%s is not among the reasons, or the missing checks passed: %s", i.Code, d.Outcome)
		}
	}
	for _, c := range []string{"capture", "document", "biometric", "consistency", "compliance", "system"} {
		if causes[c] == 0 {
			t.Errorf("no code names %s as the cause", c)
		}
	}
}

func TestAnUnsupportedCountryOrDocumentFallsBackToTheDefaults(t *testing.T) {
	p, err := Parse([]byte(string(DefaultYAML()) + "cells:\n  - {name: Spain, match: {jurisdiction: ES}, resubmissions: 1}\n  - {name: licences, match: {document: driving_licence}, checks: [quality, document, ocr, face, liveness, consistency]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		k    Context
		want string
	}{
		{Context{Jurisdiction: "ES", DocumentType: "passport"}, "Spain"},
		{Context{Jurisdiction: "XX", DocumentType: "passport"}, "defaults"},
		{Context{Jurisdiction: "XX", DocumentType: "driving_licence"}, "licences"},
		{Context{Jurisdiction: "ES", DocumentType: "driving_licence"}, "licences"},
		{Context{}, "defaults"},
	} {
		if got := p.Cell(c.k).Name; got != c.want {
			t.Errorf("%+v falls under %q, want %q", c.k, got, c.want)
		}
		if p.Explain(c.k)[0].Cell != c.want {
			t.Errorf("%+v: the explanation names %q", c.k, p.Explain(c.k)[0].Cell)
		}
	}
}

func TestAHugePolicyIsReadOrRefusedInBoundedTime(t *testing.T) {
	var b strings.Builder
	b.WriteString(string(DefaultYAML()) + "cells:\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "  - {name: c%d, match: {segment: s%d}}\n", i, i)
	}
	start := time.Now()
	if _, err := Parse([]byte(b.String())); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > time.Minute {
		t.Errorf("2000 cells took %v", took)
	}
	if _, err := Parse(make([]byte, MaxFileBytes+1)); err == nil {
		t.Error("a file beyond the limit is read")
	}
	for _, deep := range []string{strings.Repeat("[", 100000), strings.Repeat("{a: ", 100000)} {
		if _, err := Parse([]byte(deep)); err == nil || !strings.Contains(err.Error(), "nested deeper") {
			t.Errorf("deep nesting: %.100v", err)
		}
	}
}

func TestEveryRefusalNamesLineAndColumn(t *testing.T) {
	const head = "name: a\nversion: \"1\"\ndefaults:\n  evidence: [document_front, selfie]\n  checks: [quality, face]\n  resubmissions: 1\n  expires: 24h\n" +
		"  retention: {capture_image: 30d, biometric_template: 1d, extracted_fields: 90d, outcome: 1d, consent: 1d, review_note: 1d}\n" +
		"  thresholds:\n    match: {measure: face.similarity, min: 0.3, code: biometric.face_mismatch, basis: guess}\n"
	for _, c := range []struct {
		text         string
		line, column int
	}{
		{strings.Replace(head, "selfie]", "selfy]", 1), 4, 30},
		{strings.Replace(head, "quality, face", "quality, fase", 1), 5, 21},
		{strings.Replace(head, "resubmissions: 1", "resubmissions: 99", 1), 6, 3},
		{strings.Replace(head, "outcome: 1d, ", "", 1), 8, 3},
		{strings.Replace(head, "biometric.face_mismatch", "biometric.ghost", 1), 10, 49},
		{strings.Replace(head, "min: 0.3", "min: 0.3, max: 1", 1), 10, 39},
		{head + "  review: {sla: 24h, second: 2}\n", 11, 22},
		{head + "  review:\n    sla: 24h\n    overload: {above: 0, sla: 48h}\n", 13, 16},
		{head + "  actions:\n    capture.ghost: review\n", 12, 5},
		{head + "  screening: [friends]\n", 11, 15},
		{head + "  step_up:\n    - {name: x, when: {amount: {max: 5}}, review: true}\n", 12, 7},
		{head + "cells:\n  - name: b\n    match: {jurisdiction: ES}\n  - name: c\n    match: {jurisdiction: ES}\n", 14, 5},
		{head + "cells:\n  - name: b\n    match: {jurisdiction: ES}\n    retention: {outcome: 0d}\n", 14, 17},
		{head + "extra: 1\n", 11, 1},
		{head + "a: [\n", 11, 4},
		{"", 1, 1},
	} {
		_, err := Parse([]byte(c.text))
		var at *FaultError
		if !errors.As(err, &at) || at.Line != c.line || at.Column != c.column {
			t.Errorf("want %d:%d, got %v", c.line, c.column, err)
		}
	}
}
