package policy

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func shippedDefault(t testing.TB) Calibration {
	t.Helper()
	b, err := ShippedCalibration("default")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCalibration(b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withTarget is the shipped policy with another target for a match.
func withTarget(t *testing.T, target string) []byte {
	t.Helper()
	was := "target_fmr: 0.001,"
	text := string(DefaultYAML())
	if !strings.Contains(text, was) {
		t.Fatalf("the shipped policy has no %q", was)
	}
	return []byte(strings.Replace(text, was, target, 1))
}

func matchBound(t *testing.T, p *Policy) float64 {
	t.Helper()
	b, ok := p.Cell(Context{}).PassBound("face.similarity", "case")
	if !ok {
		t.Fatal("no bound")
	}
	return b
}

func TestATargetFalseMatchRateIsResolvedThroughTheCalibration(t *testing.T) {
	c := shippedDefault(t)
	for _, point := range c.Points {
		want, err := c.threshold(point.TargetFMR)
		b, _ := json.Marshal(point.TargetFMR)
		p, perr := Parse(withTarget(t, "target_fmr: "+string(b)+","))
		if err != nil {
			if !errors.Is(perr, ErrCalibration) || !strings.Contains(perr.Error(), "rule of 3") {
				t.Errorf("target %g that the data can not prove: %v", point.TargetFMR, perr)
			}
			continue
		}
		if perr != nil {
			t.Fatalf("target %g: %v", point.TargetFMR, perr)
		}
		if got := matchBound(t, p); point.TargetFMR <= 1e-2 && got != want {
			t.Errorf("target %g: bound %v, want %v", point.TargetFMR, got, want)
		}
		if refs := p.Decide(Input{Attempt: 1}).Calibrations; len(refs) != 1 || refs[0].SHA256 != c.Digest() {
			t.Errorf("the decision names %v", refs)
		}
	}
}

func TestATargetWithoutACalibrationIsRefused(t *testing.T) {
	for bound, says := range map[string]string{
		"target_fmr: 1e-5,":            "measure more people",
		"target_fmr: 0.0007,":          "has no point for",
		"target_fmr: 1e-3, min: 0.34,": "not both",
	} {
		if _, err := Parse(withTarget(t, bound)); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "face_match") {
			t.Errorf("%s: %v", bound, err)
		}
	}
	if _, err := ShippedCalibration("../default"); err == nil {
		t.Error("a profile that is a path")
	}
}

func TestAPolicyWithItsCalibrationMeansTheSameAsOneWithout(t *testing.T) {
	b, err := ShippedCalibration("default")
	if err != nil {
		t.Fatal(err)
	}
	text, err := WithCalibration(DefaultYAML(), b)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if p.Hash() != Default().Hash() {
		t.Error("another hash")
	}
	again, err := WithCalibration(text, b)
	if err != nil || string(again) != string(text) {
		t.Errorf("written in twice: %v", err)
	}
	// Another calibration is another policy.
	other := shippedDefault(t)
	other.Version += "x"
	for i := range other.Points {
		other.Points[i].Threshold += 0.01
	}
	b, err = json.Marshal(other)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = WithCalibration(DefaultYAML(), b); err != nil {
		t.Fatal(err)
	}
	q, err := Parse(text)
	if err != nil || q.Hash() == p.Hash() || matchBound(t, q) <= matchBound(t, p) {
		t.Errorf("another calibration: %v", err)
	}
}

func TestAScoreOfAModelThatWasNotCalibratedIsNoMatch(t *testing.T) {
	p := Default()
	c := shippedDefault(t)
	f := Finding{Stage: "face", Subject: "case", Models: []ModelRef{c.Model},
		Measures: []Measure{{Name: "face.similarity", Value: 0.9}, {Name: "face.strength", Value: c.Evidence[len(c.Evidence)-1].From}}}
	got := p.Cell(Context{}).Judge(f)
	if m := got.Measures[0]; m.Verdict != Pass || m.LLR == nil || *m.LLR < 2 {
		t.Errorf("a strong match: %+v", m)
	}
	another := strings.Repeat("0", 64)
	for name, of := range map[string][]ModelRef{
		"another model":                        {{Role: "face-embed", Name: "another", SHA256: another}},
		"the calibrated one joined to another": {{Role: "face-embed", Name: c.Model.Name, SHA256: c.Model.SHA256}, {Role: joinedRole, Name: "both", SHA256: another}},
	} {
		f.Models = of
		got = p.Cell(Context{}).Judge(f)
		if m := got.Measures[0]; m.Verdict != NotEvaluated || m.LLR != nil || got.Verdict != NotEvaluated {
			t.Errorf("a score of %s: %+v, %s", name, m, got.Verdict)
		}
	}
}

func TestEvidenceRisesWithTheScore(t *testing.T) {
	c := shippedDefault(t)
	for _, e := range c.Evidence {
		quality := func(name string) (float64, bool) { return e.From, name == e.Measure }
		last := -100.0
		for s := -1.0; s <= 1; s += 0.01 {
			v, ok := c.LLR(s, quality)
			if !ok || v < last {
				t.Fatalf("band from %v: %v at %v after %v, %v", e.From, v, s, last, ok)
			}
			last = v
		}
	}
	if _, ok := c.LLR(0.9, func(string) (float64, bool) { return 0, false }); ok {
		t.Error("evidence for an unknown quality")
	}
}

func FuzzParseCalibration(f *testing.F) {
	b, err := ShippedCalibration("default")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCalibration(b)
		if err != nil {
			return
		}
		if c.Digest() == "" {
			t.Error("accepted, but has no digest")
		}
		for _, p := range c.Points {
			if v, err := c.threshold(p.TargetFMR); err == nil && v != p.Threshold {
				t.Errorf("%v for %v", v, p)
			}
		}
		c.LLR(0.5, func(string) (float64, bool) { return 1, true })
	})
}
