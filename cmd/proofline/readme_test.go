package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var fence = regexp.MustCompile("(?s)\n```(?:sh)?\n(.*?\n)```\n")

// shellLines are the commands of a page's blocks, joined where they go on.
func shellLines(text string) []string {
	var out []string
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.SplitSeq(strings.ReplaceAll(block[1], "\\\n", " "), "\n") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

var flagForm = regexp.MustCompile(`^--([a-z0-9][a-z0-9.-]*)`)

// A command that a page shows and that does not exist, or has no such flag, is
// found without running it.
func TestCommandsInThePagesExistWithTheirFlags(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	tutorials, err2 := filepath.Glob("../../docs/tutorials/*.md")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	pages = append(pages, tutorials...)
	var c commands
	k := kong.Must(&c, options(t.Context())...)
	seen := 0
	for _, page := range append(pages, "../../README.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range shellLines(string(b)) {
			line, _, _ = strings.Cut(line, " #")
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "proofline" {
				continue
			}
			node, i := k.Model.Node, 1
			for ; i < len(words); i++ {
				j := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == words[i] })
				if j < 0 {
					break
				}
				node = node.Children[j]
			}
			if node == k.Model.Node && !strings.HasPrefix(words[1], "-") && regexp.MustCompile(`^[a-z-]+$`).MatchString(words[1]) {
				t.Errorf("%s: there is no command %s: %s", filepath.Base(page), words[1], line)
				continue
			}
			seen++
			for _, w := range words[i:] {
				m := flagForm.FindStringSubmatch(strings.TrimLeft(w, "["))
				if m == nil {
					continue
				}
				known := false
				flags := node.AllFlags(false)
				if node.DefaultCmd != nil {
					flags = append(flags, node.DefaultCmd.AllFlags(false)...)
				}
				for _, group := range flags {
					known = known || slices.ContainsFunc(group, func(f *kong.Flag) bool { return f.Name == m[1] })
				}
				if !known {
					t.Errorf("%s: %s has no flag --%s: %s", filepath.Base(page), node.FullPath(), m[1], line)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d commands were found", seen)
	}
}
