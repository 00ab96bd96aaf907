package policy

import (
	"strings"
	"testing"
)

func TestDuplicatesAreOffUntilAPolicyAsksAndNeverReject(t *testing.T) {
	if Default().Cell(Context{}).Duplicates != nil {
		t.Error("the shipped policy compares people with strangers")
	}
	with := func(block string) error {
		_, err := Parse([]byte(strings.Replace(string(DefaultYAML()), "\n  thresholds:\n", "\n"+block+"\n  thresholds:\n", 1)))
		return err
	}
	if err := with("  duplicates: {document_number: true, face: true, window: 90d, max: 500}"); err != nil {
		t.Error(err)
	}
	for block, want := range map[string]string{
		"  duplicates: {window: 90d}":                               "name document_number",
		"  duplicates: {document_number: true}":                     "window",
		"  duplicates: {face: true, window: 90d}":                   "max",
		"  duplicates: {face: true, window: 90d, max: 90000}":       "max",
		"  duplicates: {document_number: true, window: 90d, by: 1}": "by",
	} {
		if err := with(block); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", block, err)
		}
	}
	y := strings.Replace(string(DefaultYAML()), "  actions:\n", "  actions:\n    compliance.duplicate_face: reject\n", 1)
	if _, err := Parse([]byte(y)); err == nil || !strings.Contains(err.Error(), "can not reject") {
		t.Errorf("a duplicate that rejects: %v", err)
	}
	y = strings.Replace(string(DefaultYAML()), "code: compliance.duplicate_face", "code: biometric.face_mismatch", 1)
	if _, err := Parse([]byte(y)); err == nil || !strings.Contains(err.Error(), "only ask for a person") {
		t.Errorf("a duplicate that rejects under another code: %v", err)
	}
	d := Default().Decide(Input{Attempt: 1, Findings: []Finding{{Stage: "duplicates", Subject: "case", Measures: []Measure{
		{Name: "duplicates.face.similarity", Value: 0.99}, {Name: "duplicates.document_number.subjects", Value: 3}}}}})
	if d.Outcome != PendingReview {
		t.Errorf("decided %s", d.Outcome)
	}
}

func TestAnAssistedCaseGoesToAPersonAndIsNotRejected(t *testing.T) {
	f := Finding{Stage: "liveness", Subject: "selfie_challenge"}
	f.Assert("capture.assisted_review", "")
	d := Default().Decide(Input{Attempt: 1, Findings: []Finding{f}})
	has := false
	for _, r := range d.Reasons {
		has = has || r.Code == "capture.assisted_review" && r.Action == Review
	}
	if d.Outcome != PendingReview || !has {
		t.Errorf("%+v", d)
	}
}
