package policy

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const small = `
name: t
version: "1"
defaults:
  evidence: [document_front, selfie]
  checks: [mrz, face]
  resubmissions: 1
  expires: 24h
  retention: {capture_image: 30d, biometric_template: 1d, extracted_fields: 90d, outcome: 1d, consent: 1d, review_note: 1d}
  thresholds:
    sharp: {measure: document.sharpness, min: 0.5, code: capture.blurred, basis: guess}
    mismatch: {measure: face.similarity, min: 0.2, rank: 1, code: biometric.face_mismatch, basis: guess}
    match: {measure: face.similarity, min: 0.4, rank: 2, code: biometric.face_match_uncertain, basis: guess}
    glare: {measure: document.glare_area, subjects: [document_front], max: 0.1, code: capture.glare, basis: guess}
cells:
  - {name: passports, match: {document: passport}, resubmissions: 0}
  - {name: es, match: {jurisdiction: ES}, actions: {biometric.face_match_uncertain: reject}}
  - {name: es passports, match: {jurisdiction: ES, document: passport}, retention: {capture_image: 7d}}
`

func parse(t testing.TB, s string) *Policy {
	t.Helper()
	p, err := Parse([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func finding(stage, subject string, ms ...Measure) Finding {
	return Finding{Stage: stage, Subject: subject, Measures: ms}
}

func goodCase() []Finding {
	return []Finding{
		finding("quality", "document_front", Measure{Name: "document.sharpness", Value: 0.9}, Measure{Name: "document.glare_area", Value: 0}),
		finding("mrz", "document_front"),
		finding("face", "case", Measure{Name: "face.similarity", Value: 0.8}),
	}
}

func TestTheShippedPolicyAndCatalogueAreValid(t *testing.T) {
	if p := Default(); len(p.Hash()) != 64 {
		t.Fatalf("hash %q", p.Hash())
	}
	if len(Codes()) == 0 {
		t.Fatal("empty catalogue")
	}
}

func TestDecideGivesTheOutcomeThatTheFindingsCallFor(t *testing.T) {
	p := parse(t, small)
	with := func(change func([]Finding) []Finding) []Finding { return change(goodCase()) }
	tests := []struct {
		name     string
		attempt  int
		context  Context
		findings []Finding
		want     Outcome
		codes    string
	}{
		{"all checks pass", 1, Context{}, goodCase(), Approved, ""},
		{"a blurred photo is asked for again", 1, Context{}, with(func(f []Finding) []Finding { f[0].Measures[0].Value = 0.1; return f }), NeedsResubmission, "capture.blurred"},
		{"a blurred photo goes to review when no attempt is left", 2, Context{}, with(func(f []Finding) []Finding { f[0].Measures[0].Value = 0.1; return f }), PendingReview, "capture.blurred"},
		{"a blurred photo is not held against the person although the face differs", 1, Context{}, with(func(f []Finding) []Finding { f[0].Measures[0].Value = 0.1; f[2].Measures[0].Value = 0; return f }), NeedsResubmission, "capture.blurred"},
		{"another person is rejected by the strictest rule only", 1, Context{}, with(func(f []Finding) []Finding { f[2].Measures[0].Value = 0.1; return f }), Rejected, "biometric.face_mismatch"},
		{"an uncertain match is reviewed", 1, Context{}, with(func(f []Finding) []Finding { f[2].Measures[0].Value = 0.3; return f }), PendingReview, "biometric.face_match_uncertain"},
		{"a cell overrides an action", 1, Context{Jurisdiction: "ES"}, with(func(f []Finding) []Finding { f[2].Measures[0].Value = 0.3; return f }), Rejected, "biometric.face_match_uncertain"},
		{"a required check that is missing is never a pass", 1, Context{}, goodCase()[:2], PendingReview, "system.not_evaluated"},
		{"a required check that was not evaluated is never a pass", 1, Context{}, with(func(f []Finding) []Finding {
			f[2] = finding("face", "case")
			f[2].Assert("system.stage_failed", "")
			return f
		}), PendingReview, "system.not_evaluated system.stage_failed"},
		{"a measure that is no number is never a pass", 1, Context{}, with(func(f []Finding) []Finding { f[2].Measures[0].Value = math.NaN(); return f }), PendingReview, "system.not_evaluated"},
		{"a code of a newer version is reviewed", 1, Context{}, with(func(f []Finding) []Finding { f[1].Assert("document.from_the_future", ""); return f }), PendingReview, "document.from_the_future system.not_evaluated"},
		{"notes do not stand in the way", 1, Context{}, with(func(f []Finding) []Finding { f[1].Assert("document.mrz_repaired", "document_number"); return f }), Approved, ""},
		{"a threshold for the front does not speak of the selfie", 1, Context{}, with(func(f []Finding) []Finding {
			return append(f, finding("quality", "selfie", Measure{Name: "document.glare_area", Value: 1}))
		}), Approved, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := p.Decide(Input{Context: tt.context, Attempt: tt.attempt, Findings: tt.findings})
			var codes []string
			for _, c := range d.Codes {
				codes = append(codes, string(c))
			}
			// Codes that the catalogue does not know sort first by name.
			if got := strings.Join(codes, " "); d.Outcome != tt.want || !sameWords(got, tt.codes) {
				t.Errorf("got %s (%s), want %s (%s)", d.Outcome, got, tt.want, tt.codes)
			}
		})
	}
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	if len(x) != len(y) {
		return false
	}
	for _, w := range x {
		if !strings.Contains(" "+b+" ", " "+w+" ") {
			return false
		}
	}
	return true
}

func TestAResubmissionSaysWhatToTakeAgainAndWhy(t *testing.T) {
	p := parse(t, small)
	fs := goodCase()
	fs[0].Measures[1] = Measure{Name: "document.glare_area", Value: 0.5, Regions: []Region{{1, 2, 3, 4}}}
	d := p.Decide(Input{Attempt: 1, Findings: fs})
	if d.Hint == nil || d.Hint.Code != "capture.glare" || len(d.Hint.Regions) != 1 || d.Hint.Text == "" {
		t.Fatalf("hint %+v", d.Hint)
	}
	if len(d.Retake) != 1 || d.Retake[0] != "document_front" {
		t.Fatalf("retake %v", d.Retake)
	}
}

func TestTheMostSpecificCellWins(t *testing.T) {
	p := parse(t, small)
	for want, c := range map[string]Context{
		"defaults":     {Jurisdiction: "FR"},
		"passports":    {Jurisdiction: "FR", DocumentType: "passport"},
		"es":           {Jurisdiction: "ES", DocumentType: "id_card"},
		"es passports": {Jurisdiction: "ES", DocumentType: "passport"},
	} {
		if got := p.Cell(c).Name; got != want {
			t.Errorf("%+v: %s, want %s", c, got, want)
		}
	}
	c := p.Cell(Context{Jurisdiction: "ES", DocumentType: "passport"})
	if until, _ := c.RetainUntil("capture_image", time.Unix(0, 0)); until != time.Unix(7*86400, 0) {
		t.Errorf("overridden retention: %v", until)
	}
	if until, _ := c.RetainUntil("extracted_fields", time.Unix(0, 0)); until != time.Unix(90*86400, 0) {
		t.Errorf("inherited retention: %v", until)
	}
}

func TestAPolicyThatCanNotBeMeantIsRefusedWithTheReason(t *testing.T) {
	for want, change := range map[string][2]string{
		"unknown field":         {"resubmissions: 1", "resubmisions: 1"},
		"unknown code":          {"capture.blurred", "capture.blured"},
		"either min or max":     {"min: 0.5", "min: 0.5, max: 0.7"},
		"retention of consent":  {"consent: 1d, ", ""},
		"unknown check":         {"checks: [mrz, face]", "checks: [mrz, faces]"},
		"unknown evidence":      {"evidence: [document_front", "evidence: [document"},
		"unknown action":        {"reject}}", "refuse}}"},
		"unknown data class":    {"retention: {capture_image: 7d}", "retention: {images: 7d}"},
		"matches the same":      {"match: {jurisdiction: ES}", `match: {document: passport, jurisdiction: "*"}`},
		"matches every case":    {"match: {jurisdiction: ES}", `match: {jurisdiction: "*"}`},
		"basis are required":    {"code: capture.blurred, basis: guess", "code: capture.blurred"},
		"want days such as":     {"expires: 24h", "expires: soon"},
		"must be longer than":   {"retention: {capture_image: 7d}", "retention: {capture_image: 0d}"},
		"name and version":      {"name: t\n", ""},
		"unknown subject":       {"subjects: [document_front]", "subjects: [front]"},
		"finite number":         {"min: 0.5", "min: .nan"},
		"aliases are not":       {"jurisdiction: ES}", "jurisdiction: *es}"},
		"resubmissions must be": {"resubmissions: 1", "resubmissions: 100"},
	} {
		t.Run(want, func(t *testing.T) {
			text := strings.Replace(small, change[0], change[1], 1)
			if text == small {
				t.Fatalf("%q is not in the policy", change[0])
			}
			if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestTheHashCoversRulesAndNotLayout(t *testing.T) {
	p := parse(t, small)
	if q := parse(t, "# a comment\n"+small); p.Hash() != q.Hash() {
		t.Error("a comment changed the hash")
	}
	if q := parse(t, strings.Replace(small, "min: 0.5", "min: 0.51", 1)); p.Hash() == q.Hash() {
		t.Error("a threshold did not change the hash")
	}
}

func TestDecisionsReplayByteForByteWhateverTheOrderOfFindings(t *testing.T) {
	p := Default()
	all := Codes()
	rapid.Check(t, func(t *rapid.T) {
		var fs []Finding
		for _, stage := range Stages {
			f := finding(stage, rapid.SampledFrom([]string{"document_front", "selfie", "case"}).Draw(t, "subject"),
				Measure{Name: "face.similarity", Value: rapid.Float64Range(-1, 1).Draw(t, "similarity")},
				Measure{Name: "liveness.score", Value: rapid.Float64Range(0, 1).Draw(t, "live")})
			for range rapid.IntRange(0, 2).Draw(t, "assertions") {
				f.Assert(rapid.SampledFrom(all).Draw(t, "code").Code, "")
			}
			fs = append(fs, f)
		}
		in := Input{Attempt: rapid.IntRange(1, 6).Draw(t, "attempt"), Findings: fs}
		a, _ := json.Marshal(p.Decide(in))
		judged := make([]Finding, len(fs))
		for i, f := range fs {
			judged[i] = p.Cell(in.Context).Judge(f)
		}
		in.Findings = rapid.Permutation(judged).Draw(t, "order")
		b, _ := json.Marshal(p.Decide(in))
		if string(a) != string(b) {
			t.Fatalf("replay differs:\n%s\n%s", a, b)
		}
		var d Decision
		if err := json.Unmarshal(a, &d); err != nil {
			t.Fatal(err)
		}
		if d.Outcome == Approved {
			for _, r := range d.Reasons {
				if r.Action != Note {
					t.Fatalf("approved although %s", r.Code)
				}
			}
		}
		if d.Outcome == NeedsResubmission && (d.Hint == nil || len(d.Retake) == 0) && hintable(d) {
			t.Fatalf("asked for a photo again without saying which and why: %s", a)
		}
	})
}

func hintable(d Decision) bool {
	for _, r := range d.Reasons {
		if i, _ := r.Code.Info(); r.Action == Resubmit && i.Hint != "" {
			return true
		}
	}
	return false
}

func TestTheGateRefusesOnlyWhatAsksForANewPhoto(t *testing.T) {
	c := parse(t, small).Cell(Context{})
	good := finding("quality", "document_front", Measure{Name: "document.sharpness", Value: 0.9})
	if a := c.Gate("document_front", []Finding{good}); !a.Accepted || a.Hint != nil {
		t.Errorf("good photo: %+v", a)
	}
	bad := finding("quality", "document_front", Measure{Name: "document.sharpness", Value: 0.1})
	if a := c.Gate("document_front", []Finding{bad}); a.Accepted || a.Hint == nil || a.Hint.Code != "capture.blurred" {
		t.Errorf("blurred photo: %+v", a)
	}
	forged := finding("mrz", "document_front")
	forged.Assert("document.mrz_check_digit", "")
	if a := c.Gate("document_front", []Finding{forged}); !a.Accepted {
		t.Errorf("a sign of forgery must not be told at the gate: %+v", a)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add(DefaultYAML())
	f.Add([]byte("name: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		p.Decide(Input{Attempt: 1, Findings: goodCase()})
	})
}

func BenchmarkDecide(b *testing.B) {
	p := Default()
	in := Input{Attempt: 1, Findings: goodCase()}
	b.ReportAllocs()
	for b.Loop() {
		p.Decide(in)
	}
}

func TestARequiredScoreThatNothingBoundsIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no face threshold":     strings.ReplaceAll(small, "measure: face.similarity", "measure: face.other"),
		"no liveness threshold": strings.Replace(small, "checks: [mrz, face]", "checks: [mrz, face, liveness]", 1),
		"a bound never met":     strings.NewReplacer("min: 0.2,", "min: 1.2,", "min: 0.4,", "min: 1.4,").Replace(small),
		"a cell adds liveness":  strings.Replace(small, "resubmissions: 0}", "checks: [face, liveness]}", 1),
		"a cell only notes it":  strings.Replace(small, "actions: {biometric.face_match_uncertain: reject}", "actions: {biometric.face_match_uncertain: note, biometric.face_mismatch: note}", 1),
	} {
		if text == small {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "is required, but no threshold") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
