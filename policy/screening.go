package policy

import (
	"fmt"
	"slices"
	"strings"
)

// ScreeningStage is the stage that screening results come from.
const ScreeningStage = "screening"

// ScreeningLists are the lists that a policy can require.
var ScreeningLists = []string{"sanctions", "pep", "adverse_media"}

func (c Cell) validateScreening(where string) error {
	for _, l := range c.Screening {
		if !slices.Contains(ScreeningLists, l) {
			return fmt.Errorf("%s: screening: unknown list %q; known: %s", where, l, strings.Join(ScreeningLists, ", "))
		}
	}
	return nil
}

// unscreened are the required lists that no finding evaluated: whatever kept the
// result away, it is not a pass.
func (c Cell) unscreened(findings []Finding) []Reason {
	var out []Reason
	for _, l := range c.Screening {
		at := slices.IndexFunc(findings, func(f Finding) bool { return f.Stage == ScreeningStage && f.Subject == l })
		if at < 0 {
			out = append(out, Reason{Code: "system.not_evaluated", Subject: "case", Stage: ScreeningStage, Action: c.action("system.not_evaluated"), Field: l})
		}
	}
	return out
}
