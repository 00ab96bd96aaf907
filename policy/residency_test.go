package policy

import (
	"slices"
	"strings"
	"testing"
)

func TestResidencyComesFromTheCellAndIsChecked(t *testing.T) {
	text := strings.Replace(string(DefaultYAML()), "\ndefaults:\n", "\ndefaults:\n  residency: eu\n", 1)
	text += "\ncells:\n  - {name: swiss, match: {jurisdiction: CH}, residency: ch-1}\n"
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for jurisdiction, want := range map[string]string{"CH": "ch-1", "DE": "eu", "": "eu"} {
		if got := p.Cell(Context{Jurisdiction: jurisdiction}).Residency; got != want {
			t.Errorf("%q: region %q, want %q", jurisdiction, got, want)
		}
	}
	if got := p.Residencies(); !slices.Equal(got, []string{"ch-1", "eu"}) {
		t.Errorf("regions %v", got)
	}
	if len(Default().Residencies()) != 0 || Default().Hash() == p.Hash() {
		t.Error("the shipped policy names a region, or the hash does not cover it")
	}
	if _, err := Parse([]byte(strings.Replace(text, "residency: eu", "residency: EU West", 1))); err == nil || !strings.Contains(err.Error(), "residency") {
		t.Errorf("a name that no region can have: %v", err)
	}
}
