package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// A schemaNode is what the reference needs of a JSON Schema. Keys keep their
// order, which is that of the types.
type schemaNode struct {
	Type, Description, Pattern string
	Enum                       []any
	Items                      *schemaNode
	AdditionalProperties       json.RawMessage
	Properties                 orderedNodes
	Required                   []string
}

type orderedNodes []namedNode

type namedNode struct {
	name string
	schemaNode
}

func (o *orderedNodes) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		n := namedNode{name: key.(string)}
		if err := d.Decode(&n.schemaNode); err != nil {
			return err
		}
		*o = append(*o, n)
	}
	return nil
}

// The reference is written from the schema, and the schema from the types that
// read a policy: a key without a text is found here.
func TestThePolicyReferenceHasEveryKeyOfTheSchema(t *testing.T) {
	const page = "../../docs/policy-reference.md"
	var root schemaNode
	if err := json.Unmarshal(policySchema(), &root); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# Policy reference\n\nEvery key of a policy file, written from the schema that `proofline policy schema` prints\n" +
		"(`go test ./cmd/proofline -run Reference -update`). What the rules mean together, with an\nexample, and every reason code: " +
		"[Policy](policy.md). `*` stands for a name of your choice, `[]`\nfor each entry of a list. A duration is `30d`, `36h` or `90m`.\n\n" +
		"## The file\n\n| key | value | |\n| --- | --- | --- |\n")
	keys := 0
	row := func(path string, n schemaNode) {
		keys++
		if n.Description == "" {
			t.Errorf("%s has no text in the schema", path)
		}
		text := n.Description
		if values := valuesOf(n); values != "" {
			text += " " + values
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", path, valueOf(n), strings.ReplaceAll(text, "|", `\|`))
	}
	var walk func(prefix string, in orderedNodes)
	walk = func(prefix string, in orderedNodes) {
		for _, n := range in {
			row(prefix+n.name, n.schemaNode)
			walk(prefix+n.name+".", n.Properties)
			if n.Items != nil {
				walk(prefix+n.name+"[].", n.Items.Properties)
			}
			if m := mapOf(n.schemaNode); m != nil {
				walk(prefix+n.name+".*.", m.Properties)
			}
		}
	}
	var rules orderedNodes
	for _, n := range root.Properties {
		row(n.name, n.schemaNode)
		if n.name == "defaults" {
			rules = n.Properties
		}
	}
	b.WriteString("\n## Rules, in `defaults` and in each of `cells`\n\n| key | value | |\n| --- | --- | --- |\n")
	walk("", rules)
	if keys < 40 {
		t.Errorf("only %d keys were found", keys)
	}
	if *update {
		if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("docs/policy-reference.md is not current (%v); run: go test ./cmd/proofline -run Reference -update", err)
	}
}

func mapOf(n schemaNode) *schemaNode {
	var m schemaNode
	if len(n.AdditionalProperties) == 0 || json.Unmarshal(n.AdditionalProperties, &m) != nil || m.Type == "" {
		return nil
	}
	return &m
}

func valueOf(n schemaNode) string {
	switch m := mapOf(n); {
	case m != nil && m.Type == "object":
		return "rules by name"
	case m != nil:
		return valueOf(*m) + " by name"
	case n.Type == "array" && n.Items != nil && n.Items.Type == "object":
		return "list of rules"
	case n.Type == "array" && n.Items != nil:
		return "list of " + valueOf(*n.Items)
	case n.Type == "object":
		return "rules"
	case n.Pattern != "":
		return "duration"
	case n.Type == "boolean":
		return "true or false"
	case n.Type == "string":
		return "text"
	case n.Type == "integer":
		return "whole number"
	}
	return n.Type
}

// valuesOf lists the values that are allowed; those of reason codes are a page of
// their own.
func valuesOf(n schemaNode) string {
	enum := n.Enum
	if n.Items != nil {
		enum = append(enum, n.Items.Enum...)
	}
	if m := mapOf(n); m != nil {
		enum = append(enum, m.Enum...)
	}
	if len(enum) > 12 {
		return "One of the [reason codes](policy.md#reason-codes)."
	}
	var names []string
	for _, e := range enum {
		if s := fmt.Sprintf("`%v`", e); !slices.Contains(names, s) {
			names = append(names, s)
		}
	}
	return strings.Join(names, ", ")
}
