package session

import (
	"fmt"
	"strings"
)

//go:generate go test -run TestTheStatesPageIsCurrent -update

// mermaid draws the transitions of the table that are of one drawing as a Mermaid
// state diagram: all in one would be too wide to be read on a phone.
func mermaid(head string, drawn func(Transition) bool) string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n" + head)
	type edge struct{ from, to State }
	labels := map[edge][]string{}
	var order []edge
	ends := map[State]bool{}
	for _, t := range transitions {
		if !drawn(t) {
			continue
		}
		ends[t.To] = true
		e := edge{t.From, t.To}
		if labels[e] == nil {
			order = append(order, e)
		}
		label := string(t.Event)
		if t.Guard == AttemptsLeft || t.Guard == AttemptsExhausted {
			label += " [" + string(t.Guard) + "]"
		}
		labels[e] = append(labels[e], label)
	}
	for _, e := range order {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", e.from, e.to, strings.Join(labels[e], ", "))
	}
	for _, s := range States() {
		if s.Terminal() && ends[s] {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	return b.String()
}

// StatesPage is the text of docs/states.md: the diagram and the table.
func StatesPage() string {
	var b strings.Builder
	b.WriteString("# Session states\n\n")
	b.WriteString("Generated from the one transition table in `session/machine.go`; `go generate ./session` writes it again and a test compares.\n\n")
	b.WriteString("An event that is not in the table for the session's state changes nothing: it is audited as a no-op and answered as such. States without a way out (`approved`, `rejected`, `expired`) are final.\n\n")
	b.WriteString("## To a decision\n\nWithout events that leave the state as it is.\n\n```mermaid\n" + mermaid("    [*] --> initiated\n", func(t Transition) bool { return t.To != Expired && t.To != t.From }) + "```\n\n")
	b.WriteString("## To an end without one\n\nTime is up, somebody cancels, or consent is withdrawn.\n\n```mermaid\n" + mermaid("    direction LR\n", func(t Transition) bool { return t.To == Expired }) + "```\n\n## Every transition\n\n")
	b.WriteString("| from | event | to | by | only with | webhook |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, t := range transitions {
		by := make([]string, len(t.By))
		for i, r := range t.By {
			by[i] = string(r)
		}
		to := string(t.To)
		if t.NextAttempt {
			to += " (next attempt)"
		}
		notice := t.Notice
		if notice != "" {
			notice = "`" + notice + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", t.From, t.Event, to, strings.Join(by, ", "), t.Guard, notice)
	}
	return b.String()
}
