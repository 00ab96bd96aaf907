package api

import (
	"cmp"
	"slices"
	"strings"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
)

// liveChecks are the cell's thresholds that a client can hold its live picture
// against: those of picture quality that lead to another photo and that the
// person may know of. Biometric thresholds would teach how to pass them.
func liveChecks(cell policy.Cell) []client.LiveCheck {
	out := []client.LiveCheck{}
	for _, t := range cell.Thresholds {
		info, ok := t.Code.Info()
		if !ok || !info.For("client") || !strings.HasPrefix(string(t.Code), "capture.") || cell.ActionOf(t.Code) != policy.Resubmit {
			continue
		}
		if about, _, _ := strings.Cut(t.Measure, "."); about != "document" && about != "photo" && about != "face" {
			continue
		}
		kinds := t.Subjects
		if len(kinds) == 0 {
			kinds = policy.EvidenceKinds
		}
		for _, k := range kinds {
			if slices.Contains(policy.EvidenceKinds, k) {
				out = append(out, client.LiveCheck{Kind: k, Measure: t.Measure, Min: t.Min, Max: t.Max, Code: string(t.Code)})
			}
		}
	}
	// In the catalogue's order of codes: the first that fails is the one said.
	rank := map[string]int{}
	for i, c := range policy.Codes() {
		rank[string(c.Code)] = i
	}
	slices.SortFunc(out, func(a, b client.LiveCheck) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), cmp.Compare(rank[a.Code], rank[b.Code]), strings.Compare(a.Measure, b.Measure))
	})
	return out
}
