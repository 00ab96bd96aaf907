package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write docs/cli-reference.md")

const referencePage = "../../docs/cli-reference.md"

// The reference is written from the commands themselves, so it can not tell of
// others.
func TestTheReferenceListsEveryCommandAndFlag(t *testing.T) {
	var c commands
	k := kong.Must(&c, options(t.Context())...)
	got := reference(k.Model.Node)
	if *update {
		if err := os.WriteFile(referencePage, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referencePage)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/cli-reference.md is not current (%v); run: go test ./cmd/proofline -run Reference -update", err)
	}
}

// reference writes the page. A flag that many commands have alike is a setting:
// it stands once, in a table of its own, and the commands name its group.
func reference(root *kong.Node) []byte {
	var leaves []*kong.Node
	users := map[string]int{}
	var walk func(*kong.Node)
	walk = func(n *kong.Node) {
		if n.Hidden {
			return
		}
		for _, child := range n.Children {
			walk(child)
		}
		if len(n.Children) > 0 {
			return
		}
		leaves = append(leaves, n)
		for _, f := range ownFlags(n) {
			users[f.Name+"\x00"+f.Help]++
		}
	}
	walk(root)
	shared := func(f *kong.Flag) bool { return users[f.Name+"\x00"+f.Help] >= 4 }

	var b bytes.Buffer
	b.WriteString("# Command reference\n\n" +
		"Every command with every flag, written from the program (`go test ./cmd/proofline -run\nReference -update`). " +
		"What the commands are for, their output and their exit status:\n[command line](cli.md). " +
		"A flag is also an environment variable, and a key of the configuration\nfile: `--queue.limit` is `PROOFLINE_QUEUE_LIMIT` and `limit` under `queue`.\n\n")
	settings := map[string]*kong.Flag{}
	var order []string
	for _, n := range leaves {
		fmt.Fprintf(&b, "## `%s`\n\n%s\n", n.FullPath(), n.Help)
		if n.Detail != "" {
			fmt.Fprintf(&b, "\n%s\n", strings.TrimSpace(n.Detail))
		}
		var rows, groups []string
		for _, p := range n.Positional {
			rows = append(rows, tableRow("`"+p.Summary()+"`", p.Help, p.Default))
		}
		for _, f := range ownFlags(n) {
			if !shared(f) {
				rows = append(rows, flagRow(f))
				continue
			}
			if settings[f.Name] == nil {
				settings[f.Name], order = f, append(order, f.Name)
			}
			group := "`--" + f.Name + "`"
			if head, _, dotted := strings.Cut(f.Name, "."); dotted {
				group = "`--" + head + ".…`"
			}
			if len(groups) == 0 || groups[len(groups)-1] != group {
				groups = append(groups, group)
			}
		}
		if len(rows) > 0 {
			b.WriteString("\n| | | default |\n| --- | --- | --- |\n" + strings.Join(rows, ""))
		}
		if len(groups) > 0 {
			fmt.Fprintf(&b, "\nAlso [settings](#settings): %s.\n", strings.Join(groups, ", "))
		}
		b.WriteString("\n")
	}
	b.WriteString("## Settings\n\nWhat several commands take.\n\n| | | default |\n| --- | --- | --- |\n")
	for _, name := range order {
		b.WriteString(flagRow(settings[name]))
	}
	return b.Bytes()
}

// ownFlags are the flags of a command, without those that all have.
func ownFlags(n *kong.Node) []*kong.Flag {
	var out []*kong.Flag
	for at := n; at.Parent != nil; at = at.Parent {
		for _, f := range at.Flags {
			if !f.Hidden && f.Name != "help" {
				out = append(out, f)
			}
		}
	}
	return out
}

func flagRow(f *kong.Flag) string {
	name := "--" + f.Name
	switch {
	case f.IsBool():
	case f.PlaceHolder != "":
		name += "=" + f.PlaceHolder
	default:
		name += "=…"
	}
	return tableRow("`"+name+"`", f.Help, f.Default)
}

func tableRow(name, help, value string) string {
	if value != "" {
		value = "`" + value + "`"
	}
	return fmt.Sprintf("| %s | %s | %s |\n", strings.ReplaceAll(name, "|", `\|`), strings.ReplaceAll(help, "|", `\|`), value)
}
