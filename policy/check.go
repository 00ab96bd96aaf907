package policy

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Remark is something about a valid policy that its author should know. Parse
// refuses what is wrong; a remark is what is right but worth a second look.
type Remark struct {
	Kind  string `json:"kind"`  // unreachable, weaker, guess, unknown_measure, unused
	Where string `json:"where"` // defaults, or the cell
	Text  string `json:"text"`
}

// Remarks lists what is worth a second look, in the order of the file.
func (p *Policy) Remarks() []Remark {
	var out []Remark
	known := map[string]bool{}
	for _, t := range Default().Defaults.Thresholds {
		known[t.Measure] = true
	}
	for i, own := range append([]Cell{p.Defaults}, p.Cells...) {
		where, resolved := "defaults", p.Defaults
		if i > 0 {
			where, resolved = cmp.Or(own.Name, fmt.Sprintf("cells[%d]", i-1)), p.Defaults.overlay(own)
		}
		add := func(kind, format string, a ...any) {
			out = append(out, Remark{kind, where, fmt.Sprintf(format, a...)})
		}
		m := own.Match.normal()
		if got := p.Cell(Context{Segment: m.Segment, Jurisdiction: m.Jurisdiction, DocumentType: m.DocumentType}); i > 0 && got.Match.normal() != m {
			add("unreachable", "cases that it names fall under %s", got.Name)
		}
		for _, code := range slices.Sorted(maps.Keys(own.Actions)) {
			info, _ := own.info(code)
			if a := own.Actions[code]; a.strength() < info.Action.strength() {
				add("weaker", "%s leads to %s, the catalogue says %s", code, a, info.Action)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(own.Thresholds)) {
			t := own.Thresholds[name]
			if strings.HasPrefix(t.Basis, "guess") {
				add("guess", "threshold %s on %s has no measured error rate", name, t.Measure)
			}
			if !known[t.Measure] {
				add("unknown_measure", "threshold %s: no rule of the shipped policy bounds %q; if no stage measures it, the rule never speaks%s", name, t.Measure, didYouMean(t.Measure, known))
			}
		}
		for _, e := range own.Evidence {
			if e == "selfie" && !slices.Contains(resolved.Checks, "face") {
				add("unused", "a selfie is asked for, but check face is not required")
			}
		}
	}
	return out
}

// strength orders actions by how little they let through.
func (a Action) strength() int {
	return slices.Index([]Action{Note, Resubmit, Review, Reject}, a)
}

// didYouMean names the known measure that differs least, if one is close.
func didYouMean(name string, known map[string]bool) string {
	best, distance := "", 4
	for _, k := range slices.Sorted(maps.Keys(known)) {
		if d := editDistance(name, k); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

// editDistance counts insertions, deletions and replacements (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Candidate is a cell as it was considered for a case.
type Candidate struct {
	Cell     string `json:"cell"`
	Match    Match  `json:"match"`
	Matches  bool   `json:"matches"`
	Named    int    `json:"named"` // how many fields it names
	Selected bool   `json:"selected"`
}

// Explain lists the cells in the order in which they are preferred for a case,
// the selected one first; the defaults come last and match everything.
func (p *Policy) Explain(c Context) []Candidate {
	out := []Candidate{{Cell: "defaults", Matches: true}}
	rank := []int{0}
	for i, cell := range p.Cells {
		m := cell.Match.normal()
		out = append(out, Candidate{Cell: cmp.Or(cell.Name, fmt.Sprintf("cells[%d]", i)), Match: m, Matches: m.matches(c), Named: m.specificity() / 8})
		rank = append(rank, m.specificity())
	}
	order := make([]int, len(out))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if out[a].Matches != out[b].Matches {
			if out[a].Matches {
				return -1
			}
			return 1
		}
		return rank[b] - rank[a]
	})
	sorted := make([]Candidate, len(out))
	for i, o := range order {
		sorted[i] = out[o]
	}
	sorted[0].Selected = true
	return sorted
}
