package console

import (
	"errors"
	"strings"
	"testing"
)

func TestAThresholdIsChangedInTheTextAndNothingElse(t *testing.T) {
	for name, c := range map[string][2]string{
		"on one line":   {"  thresholds:\n    a: {measure: m, min: 0.3, code: c} # why\n    b: {min: 0.4}\n", "  thresholds:\n    a: {measure: m, min: 0.5, code: c} # why\n    b: {min: 0.4}\n"},
		"on two":        {"    a:\n      {measure: m, target_fmr: 0.001, rank: 2,\n       basis: x}\n", "    a:\n      {measure: m, min: 0.5, rank: 2,\n       basis: x}\n"},
		"as a block":    {"    a: # here\n      measure: m\n      min: 0.3\n    b:\n      min: 0.4\n", "    a: # here\n      measure: m\n      min: 0.5\n    b:\n      min: 0.4\n"},
		"similar names": {"    aa: {min: 0.3}\n    a: {min: 0.3}\n", "    aa: {min: 0.3}\n    a: {min: 0.5}\n"},
	} {
		if got, ok := setMin(c[0], "a", 0.5); !ok || got != c[1] {
			t.Errorf("%s: %v\n%s", name, ok, got)
		}
	}
	if got, ok := setMin("    b: {min: 0.3}\n", "a", 0.5); ok || got != "    b: {min: 0.3}\n" {
		t.Errorf("one that is not there: %s", got)
	}
	if got := nextVersion("name: x\nversion: \"2026-9\"\n"); !strings.Contains(got, `"2026-10"`) {
		t.Error(got)
	}
}

func TestAFaultIsShownAtItsLine(t *testing.T) {
	text := "name: x\n# face_match: commented\nface_match:\n  code: nope\n"
	for fault, line := range map[string]int{
		"[4:3] unknown field": 4, "line 2: aliases": 2, "defaults: threshold face_match: unknown code": 3, "something else": 0, "line 99: beyond": 0,
	} {
		d := editData{Text: text}
		if d.blame(errors.New(fault)); d.Line != line {
			t.Errorf("%s: line %d, want %d", fault, d.Line, line)
		}
	}
}
