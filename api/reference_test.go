package api_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/api-reference.md")

type described struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type operation struct {
	Summary    string                `json:"summary"`
	Tags       []string              `json:"tags"`
	Permission string                `json:"x-permission"`
	Security   []map[string][]string `json:"security"`
	Parameters []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	} `json:"parameters"`
	RequestBody struct{ Content contents } `json:"requestBody"`
	Responses   map[string]struct{ Content contents }
}

type contents map[string]struct{ Schema schema }

type schema struct {
	Ref                  string `json:"$ref"`
	Type                 any
	Format, Description  string
	ContentEncoding      string
	Enum                 []any
	Items                *schema
	Properties           map[string]schema
	AdditionalProperties any
	Required             []string
	Minimum, Maximum     *float64
	MinLength, MaxLength *int
	MinItems, MaxItems   *int
}

// The reference is written from the document that the server serves, so it lists
// every operation and no other.
func TestTheReferenceListsEveryRequestOfTheServedDocument(t *testing.T) {
	const page = "../docs/api-reference.md"
	resp, body := newServer(t, staffed(nil)).send("GET", "/openapi.json", "", "", "", nil)
	if resp.StatusCode != 200 {
		t.Fatalf("%d %s", resp.StatusCode, body)
	}
	var doc described
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			if !slices.ContainsFunc(callers, func(c caller) bool { return slices.Contains(op.Tags, c.tag) }) {
				t.Errorf("%s %s is for no caller: tags %q", method, path, op.Tags)
			}
		}
	}
	got := referencePage(doc)
	if *update {
		if err := os.WriteFile(page, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/api-reference.md is not current (%v); run: go test ./api -run Reference -update", err)
	}
}

type caller struct{ tag, title string }

var callers = []caller{
	{"sessions", "For the relying service"},
	{"capture", "For the capture client"},
	{"staff", "For people with an account"},
}

var credentials = map[string]string{"apiKey": "API key, scope", "clientToken": "client token", "login": "login"}

func referencePage(doc described) []byte {
	var b bytes.Buffer
	b.WriteString("# Requests\n\nEvery request and every object of the API, written from the OpenAPI 3.1 document that the\n" +
		"server makes from its handlers and serves at `/openapi.json` (`go test ./api -run Reference\n-update`). " +
		"What a schema can not tell, and every problem code: [HTTP API](api.md). The\npermissions are those of [access.md](access.md).\n\n" +
		"Any request can also be answered 401, 403, 404, 429, 500 or 503, as a [problem](#problem).\n")
	for _, c := range callers {
		fmt.Fprintf(&b, "\n## %s\n\n| request | what it does | credential | permission |\n| --- | --- | --- | --- |\n", c.title)
		var details bytes.Buffer
		for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
			for _, method := range slices.Sorted(maps.Keys(doc.Paths[path])) {
				op := doc.Paths[path][method]
				if !slices.Contains(op.Tags, c.tag) {
					continue
				}
				name := strings.ToUpper(method) + " " + path
				fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | `%s` |\n", name, requestAnchor(name), op.Summary, credential(op), op.Permission)
				writeOperation(&details, name, op)
			}
		}
		b.Write(details.Bytes())
	}
	b.WriteString("\n## Objects\n")
	for _, name := range slices.Sorted(maps.Keys(doc.Components.Schemas)) {
		s := doc.Components.Schemas[name]
		fmt.Fprintf(&b, "\n### %s\n\n", name)
		if s.Description != "" {
			b.WriteString(s.Description + "\n\n")
		}
		b.WriteString("| field | type | |\n| --- | --- | --- |\n")
		for _, f := range slices.Sorted(maps.Keys(s.Properties)) {
			if f == "$schema" {
				continue
			}
			p := s.Properties[f]
			fmt.Fprintf(&b, "| `%s`%s | %s | %s |\n", f, optional(slices.Contains(s.Required, f)), typeOf(p), cell(describedAs(p)))
		}
	}
	return b.Bytes()
}

func writeOperation(b *bytes.Buffer, name string, op operation) {
	fmt.Fprintf(b, "\n### `%s`\n\n%s.\n", name, strings.TrimSuffix(op.Summary, "."))
	if len(op.Parameters) > 0 {
		b.WriteString("\n| parameter | in | type | |\n| --- | --- | --- | --- |\n")
		for _, p := range op.Parameters {
			fmt.Fprintf(b, "| `%s`%s | %s | %s | %s |\n", p.Name, optional(p.Required), p.In, typeOf(p.Schema), cell(cmp.Or(p.Description, describedAs(p.Schema))))
		}
	}
	if body := contentOf(op.RequestBody.Content); body != "" {
		fmt.Fprintf(b, "\nBody: %s.\n", body)
	}
	var answers []string
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		if status >= "400" {
			continue
		}
		text := status
		if c := contentOf(op.Responses[status].Content); c != "" {
			text += ": " + c
		}
		answers = append(answers, text)
	}
	if len(answers) > 0 {
		fmt.Fprintf(b, "\nAnswer: %s.\n", strings.Join(answers, "; "))
	}
}

func requestAnchor(name string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case strings.ContainsRune("/{}", r):
			return -1
		}
		return r
	}, name))
}

func credential(op operation) string {
	var out []string
	for _, s := range op.Security {
		for _, k := range slices.Sorted(maps.Keys(s)) {
			text := credentials[k]
			if k == "apiKey" {
				text += " `" + strings.Join(s[k], "`, `") + "`"
			}
			out = append(out, text)
		}
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, " or ")
}

func optional(required bool) string {
	if required {
		return ""
	}
	return " (optional)"
}

func contentOf(c contents) string {
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(c)) {
		s := c[kind].Schema
		if kind == "application/json" {
			out = append(out, typeOf(s))
			continue
		}
		out = append(out, "`"+kind+"`")
	}
	return strings.Join(out, ", or ")
}

func typeOf(s schema) string {
	if s.Ref != "" {
		name := s.Ref[strings.LastIndex(s.Ref, "/")+1:]
		return "[" + name + "](#" + strings.ToLower(name) + ")"
	}
	types := []string{}
	switch t := s.Type.(type) {
	case string:
		types = append(types, t)
	case []any:
		for _, x := range t {
			if x != "null" {
				types = append(types, fmt.Sprint(x))
			}
		}
	}
	text := strings.Join(types, " or ")
	switch {
	case text == "array" && s.Items != nil:
		return "list of " + typeOf(*s.Items)
	case text == "" && len(s.Properties) == 0:
		return "any"
	case s.Format == "date-time":
		return "time (RFC 3339)"
	case text == "integer" || text == "number" || s.Format == "" || s.Format == "binary":
		return text
	}
	return text + ", " + s.Format
}

// describedAs is the description with the bounds.
func describedAs(s schema) string {
	var out []string
	if s.Description != "" {
		out = append(out, strings.TrimSuffix(s.Description, "."))
	}
	enum := s.Enum
	if len(enum) == 0 && s.Items != nil {
		enum = s.Items.Enum
	}
	if len(enum) > 0 {
		var names []string
		for _, e := range enum {
			if e != nil {
				names = append(names, fmt.Sprintf("`%v`", e))
			}
		}
		out = append(out, strings.Join(names, ", "))
	}
	number := func(f float64) string { return fmt.Sprintf("%.15g", f) }
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		out = append(out, number(*s.Minimum)+" to "+number(*s.Maximum))
	case s.Minimum != nil:
		out = append(out, "at least "+number(*s.Minimum))
	case s.Maximum != nil:
		out = append(out, "at most "+number(*s.Maximum))
	}
	if s.MaxLength != nil {
		out = append(out, fmt.Sprintf("at most %d characters", *s.MaxLength))
	}
	if s.MaxItems != nil {
		out = append(out, fmt.Sprintf("at most %d", *s.MaxItems))
	}
	if len(out) == 1 && s.Description != "" {
		return s.Description
	}
	return strings.Join(out, "; ")
}

func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "\n", " "), "|", `\|`) }
