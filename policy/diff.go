package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Change is one rule that differs between two policies for the cases of a cell.
type Change struct {
	Cell string `json:"cell"`           // whose cases it concerns
	What string `json:"what"`           // thresholds.face_match, actions.capture.glare, …
	From string `json:"from,omitempty"` // empty: not there before
	To   string `json:"to,omitempty"`   // empty: not there any more
	// Effect is "stricter", "milder" or empty when that can not be said.
	Effect string `json:"effect,omitempty"`
}

// Diff lists what b decides by other rules than a: each pair of resolved cells
// for the cases that either policy has a cell for.
func Diff(a, b *Policy) []Change {
	out := changes("defaults", a.Defaults, b.Defaults)
	seen := map[Match]bool{}
	for _, c := range slices.Concat(a.Cells, b.Cells) {
		m := c.Match.normal()
		if seen[m] {
			continue
		}
		seen[m] = true
		ctx := Context{Segment: m.Segment, Jurisdiction: m.Jurisdiction, DocumentType: m.DocumentType}
		x, y := a.Cell(ctx), b.Cell(ctx)
		x.Fired, y.Fired = nil, nil
		for _, ch := range changes(m.String(), x, y) {
			// What the defaults changed alike is said once.
			if !slices.ContainsFunc(out, func(o Change) bool {
				return o.Cell == "defaults" && o.What == ch.What && o.From == ch.From && o.To == ch.To
			}) {
				out = append(out, ch)
			}
		}
	}
	return out
}

// String names the cases: "jurisdiction ES, document passport".
func (m Match) String() string {
	var parts []string
	for _, f := range []struct{ name, value string }{{"segment", m.Segment}, {"jurisdiction", m.Jurisdiction}, {"document", m.DocumentType}} {
		if f.value != "" {
			parts = append(parts, f.name+" "+f.value)
		}
	}
	if len(parts) == 0 {
		return "defaults"
	}
	return strings.Join(parts, ", ")
}

func changes(where string, a, b Cell) []Change {
	var out []Change
	add := func(what string, from, to any, effect string) {
		if !reflect.DeepEqual(from, to) {
			out = append(out, Change{where, what, text(from), text(to), effect})
		}
	}
	more := func(from, to []string) string { return compare(len(to), len(from)) }
	add("evidence", a.Evidence, b.Evidence, more(a.Evidence, b.Evidence))
	add("checks", a.Checks, b.Checks, more(a.Checks, b.Checks))
	add("documents", a.Documents, b.Documents, "")
	add("attributes", a.Attributes, b.Attributes, "")
	add("resubmissions", a.Resubmissions, b.Resubmissions, "")
	add("minimum_age", a.MinimumAge, b.MinimumAge, "")
	add("expires", a.Expires, b.Expires, "")
	add("step_up", a.StepUps, b.StepUps, "")
	add("review", a.Review, b.Review, "")
	add("screening", a.Screening, b.Screening, more(a.Screening, b.Screening))
	add("duplicates", a.Duplicates, b.Duplicates, "")
	add("burst_light", a.BurstLight, b.BurstLight, "")
	for _, name := range keys(a.Thresholds, b.Thresholds) {
		x, inA := a.Thresholds[name]
		y, inB := b.Thresholds[name]
		switch {
		case !inA:
			add("thresholds."+name, nil, y, "stricter")
		case !inB:
			add("thresholds."+name, x, nil, "milder")
		default:
			add("thresholds."+name, x, y, tighter(x, y))
		}
	}
	for _, code := range keys(a.Actions, b.Actions) {
		x, y := a.action(code), b.action(code)
		add("actions."+string(code), x, y, compare(y.strength(), x.strength()))
	}
	for _, class := range keys(a.Retention, b.Retention) {
		add("retention."+class, a.Retention[class], b.Retention[class], "")
	}
	return out
}

// tighter says whether fewer values pass rule b than rule a.
func tighter(a, b Threshold) string {
	switch {
	case a.Measure != b.Measure || a.Code != b.Code || !slices.Equal(a.Subjects, b.Subjects):
		return ""
	case a.Min != nil && b.Min != nil:
		return compare(*b.Min, *a.Min)
	case a.Max != nil && b.Max != nil:
		return compare(*a.Max, *b.Max)
	}
	return ""
}

func compare[T int | float64](more, than T) string {
	switch {
	case more > than:
		return "stricter"
	case more < than:
		return "milder"
	}
	return ""
}

func keys[K ~string, V any](a, b map[K]V) []K {
	all := maps.Clone(b)
	if all == nil {
		all = map[K]V{}
	}
	maps.Copy(all, a)
	return slices.Sorted(maps.Keys(all))
}

// text shows a rule on one line.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case Threshold:
		side, bound := "min", v.Min
		if v.Max != nil {
			side, bound = "max", v.Max
		}
		if bound == nil {
			break
		}
		s := fmt.Sprintf("%s %s %g → %s", v.Measure, side, *bound, v.Code)
		if len(v.Subjects) > 0 {
			s += " on " + strings.Join(v.Subjects, ", ")
		}
		return s
	case []string:
		return strings.Join(v, ", ")
	case *int:
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	case Duration:
		return v.String()
	case Action:
		return string(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return string(b)
}
