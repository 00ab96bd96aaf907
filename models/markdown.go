package models

import (
	"fmt"
	"io"
	"strings"
)

//go:generate go test -run TestTheModelsPageIsTheManifest -update .

// WriteMarkdown renders the built-in manifest as the reference part of
// docs/models.md.
func WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	for _, p := range []struct{ name, title string }{
		{Default, "Profile `default`: from the npm registry"},
		{Zoo, "Profile `zoo`: from the models' public repositories"},
	} {
		fmt.Fprintf(&b, "## %s\n\n| role | model | licence | file | bytes |\n| --- | --- | --- | --- | --- |\n", p.title)
		for _, m := range manifest {
			if m.Profile == p.name {
				fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | `%s` | %d |\n", m.Role, m.Role, m.Name, m.Licence, m.File, m.Size)
			}
		}
		b.WriteString("\n")
		for _, m := range manifest {
			if m.Profile == p.name {
				m.markdown(&b)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (m Model) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "### %s\n\n%s\n\n", m.Role, m.Provenance)
	fmt.Fprintf(b, "- SHA-256 `%s`\n", m.SHA256)
	for _, s := range m.Sources {
		switch {
		case s.Kind == "url":
			fmt.Fprintf(b, "- source: <%s>\n", s.URL)
		case s.Convert != "":
			fmt.Fprintf(b, "- source: npm `%s@%s`, made by the converter `%s` from\n", s.Package, s.Version, s.Convert)
			for _, p := range s.From {
				fmt.Fprintf(b, "  - `%s`, SHA-256 `%s`\n", p.Path, p.SHA256)
			}
		case s.Inner != "":
			fmt.Fprintf(b, "- source: npm `%s@%s`, in it `%s`, in that `%s`\n", s.Package, s.Version, s.Path, s.Inner)
		default:
			fmt.Fprintf(b, "- source: npm `%s@%s`, in it `%s`\n", s.Package, s.Version, s.Path)
		}
	}
	in := m.Input
	fmt.Fprintf(b, "- input: %s", in.Layout)
	if in.Width > 0 {
		fmt.Fprintf(b, " `%s`, %d×%d", in.Name, in.Width, in.Height)
	}
	fmt.Fprintf(b, ", %s", in.Channels)
	if in.Scale != 0 {
		fmt.Fprintf(b, ", (p − %g) × %.7g", in.Mean[0], in.Scale)
	}
	fmt.Fprintf(b, "; %s\n", in.Crop)
	for i, o := range m.Outputs {
		fmt.Fprintf(b, "- output %d:", i)
		if o.Name != "" {
			fmt.Fprintf(b, " `%s` %s", o.Name, strings.ReplaceAll(fmt.Sprint(o.Shape), " ", "×"))
		}
		fmt.Fprintf(b, " %s", o.Meaning)
		for c, class := range o.Classes {
			fmt.Fprintf(b, ", %d = %s", c, class)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}
