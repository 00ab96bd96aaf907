package policy

import (
	"fmt"
	"regexp"
	"slices"
)

var residencyName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

func (c Cell) validateResidency(where string) error {
	if c.Residency != "" && !residencyName.MatchString(c.Residency) {
		return fmt.Errorf("%s: residency %q: want the name of a storage region, a-z, 0-9 and '-'", where, c.Residency)
	}
	return nil
}

// Residencies lists the storage regions that the policy names, for a check that
// each of them is configured.
func (p *Policy) Residencies() []string {
	var out []string
	for _, c := range append([]Cell{p.Defaults}, p.Cells...) {
		if c.Residency != "" {
			out = append(out, c.Residency)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
