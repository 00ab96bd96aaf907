package mrz

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
)

//go:embed states.txt
var statesText string

var states = func() map[string]string {
	m := make(map[string]string, 300)
	for line := range strings.SplitSeq(statesText, "\n") {
		if code, name, ok := strings.Cut(line, "\t"); ok && !strings.HasPrefix(line, "#") {
			m[code] = name
		}
	}
	return m
}()

// StateCodes lists all codes of the table, sorted.
func StateCodes() []string { return slices.Sorted(maps.Keys(states)) }

// StateName gives the English name of an issuing state, organization or
// nationality code (9303-3 §5), as printed but without fillers: "D", "UTO".
func StateName(code string) (string, bool) {
	name, ok := states[code]
	return name, ok
}
