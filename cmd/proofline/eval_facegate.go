package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/proofline/proofline/calibrate"
)

// gatedSet counts the genuine pairs of a set as ISO/IEC 19795-1 does: a sample
// that is not taken is a failure to acquire, and only the others can be false
// non-matches.
type gatedSet struct {
	genuine, refused int
	taken            []calibrate.Trial
	codes            map[string]int
}

// failedAtFirst is the share of genuine pairs that a person would have to try
// again for: not taken, or taken and not matched.
func (g gatedSet) failedAtFirst(missed int) calibrate.Rate {
	return calibrate.Rate{Errors: g.refused + missed, Trials: g.genuine}
}

// gatedSets sorts the rows of an evaluation with --gate by set and by "all".
func gatedSets(rows []*row) map[string]gatedSet {
	out := map[string]gatedSet{}
	for _, r := range rows {
		var accepted bool
		var codes []string
		r.get("accepted", &accepted)
		r.get("codes", &codes)
		t := trialOf(r)
		for _, name := range []string{r.text("set"), "all"} {
			g := out[name]
			if t.Same {
				g.genuine++
			}
			switch {
			case accepted:
				g.taken = append(g.taken, t)
			case t.Same:
				g.refused++
				if g.codes == nil {
					g.codes = map[string]int{}
				}
				for _, c := range codes {
					g.codes[c]++
				}
			}
			out[name] = g
		}
	}
	return out
}

// often lists codes with their counts, the most frequent first.
func often(codes map[string]int) string {
	names := slices.SortedFunc(maps.Keys(codes), func(a, b string) int {
		return cmp.Or(cmp.Compare(codes[b], codes[a]), strings.Compare(a, b))
	})
	for i, n := range names {
		names[i] = fmt.Sprintf("%s %d", n, codes[n])
	}
	return strings.Join(names, ", ")
}

// printGated writes what the rates are where the policy's gate has asked for a
// better selfie before anything is compared.
func printGated(rows []*row, threshold float64) {
	fmt.Print("\nWith the policy's gate before: selfies that it does not take are failures to acquire (ISO/IEC 19795-1)\n\n")
	sets := gatedSets(rows)
	var lines [][]string
	for _, name := range setNames(sets) {
		g := sets[name]
		s := calibrate.Of(g.taken)
		missed := s.FNMR(threshold)
		lines = append(lines, []string{name, fmt.Sprint(g.genuine), calibrate.Rate{Errors: g.refused, Trials: g.genuine}.String(),
			s.FMR(threshold).String(), missed.String(), g.failedAtFirst(missed.Errors).String(), often(g.codes)})
	}
	table(os.Stdout, []string{"set", "genuine", "not taken", "FMR", "FNMR", "not taken or not matched", "asked for"}, lines)
}
