package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// serverCommands read all of the settings, so a variable that none of them knows
// is a mistake, or one of a program beside Proofline.
var serverCommands = []string{"up", "serve", "worker", "demo", "config"}

// warnOfVariables names variables that look like settings and are none: a
// misspelt one leaves a default in force. It is a warning, not an error, because
// the environment is not Proofline's alone (a container platform sets
// PROOFLINE_PORT for a service of that name).
func warnOfVariables(k *kong.Context) []string {
	command, _, _ := strings.Cut(k.Command(), " ")
	if !slices.Contains(serverCommands, command) {
		return nil
	}
	known := map[string]bool{"PROOFLINE_API_KEY": true, "PROOFLINE_MODELS": true, "PROOFLINE_PORTRAITS": true}
	var walk func(n *kong.Node)
	walk = func(n *kong.Node) {
		for _, f := range n.Flags {
			for _, e := range f.Envs {
				known[e] = true
			}
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(k.Model.Node)
	var out []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "PROOFLINE_") || known[name] {
			continue
		}
		warning := fmt.Sprintf("%s is no setting and is ignored", name)
		if near := nearest(name, known); near != "" {
			warning += "; did you mean " + near + "?"
		}
		out = append(out, warning)
	}
	slices.Sort(out)
	return out
}

// nearest is the known name with the fewest letters to change, at most three.
func nearest(name string, known map[string]bool) string {
	best, least := "", 4
	for k := range known {
		if d := letters(name, k); d < least || d == least && best != "" && k < best {
			best, least = k, d
		}
	}
	return best
}

// letters is the edit distance of Levenshtein.
func letters(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j], diagonal = min(row[j]+1, row[j-1]+1, diagonal+cost), row[j]
		}
	}
	return row[len(b)]
}
