package main

import (
	"os"
	"reflect"

	"github.com/invopop/jsonschema"

	"github.com/proofline/proofline/policy"
)

type policySchemaCmd struct{}

func (policySchemaCmd) Help() string {
	return "With the schema an editor completes and checks a policy as it is typed: save it, and begin the policy with `# yaml-language-server: $schema=policy.schema.json`. The schema knows names and types; what only the whole file shows is said by `proofline policy check`."
}

func (policySchemaCmd) Run() error {
	_, err := os.Stdout.Write(append(policySchema(), '\n'))
	return err
}

// policySchema is the JSON Schema of a policy file, made from the types that read
// it.
func policySchema() []byte {
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true, DoNotReference: true,
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			switch t {
			case reflect.TypeFor[policy.Duration]():
				return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+d|([0-9.]+(ns|us|µs|ms|s|m|h))+)$`, Description: "Days such as 30d, or 36h, or 90m."}
			case reflect.TypeFor[policy.Code]():
				var codes []any
				for _, c := range policy.Codes() {
					codes = append(codes, string(c.Code))
				}
				return &jsonschema.Schema{Type: "string", Enum: codes}
			case reflect.TypeFor[policy.Action]():
				return &jsonschema.Schema{Type: "string", Enum: []any{policy.Note, policy.Review, policy.Reject, policy.Resubmit}}
			}
			return nil
		},
	}
	s := r.Reflect(&policy.Policy{})
	s.ID, s.Title = "", "Proofline policy"
	s.Required = []string{"name", "version", "defaults"}
	describe(s, map[string]string{
		"defaults": "Rules of every case; a cell replaces what it names.",
		"cells":    "Rules of some cases. The cell that names most of segment, jurisdiction and document wins.",
	})
	cells, _ := s.Properties.Get("cells")
	defaults, _ := s.Properties.Get("defaults")
	for _, c := range []*jsonschema.Schema{defaults, cells.Items} {
		if c == nil {
			continue
		}
		describe(c, map[string]string{
			"evidence":      "Photos that a case needs.",
			"checks":        "Stages that must have been evaluated before a case can be approved.",
			"documents":     "Accepted documents; without it all are.",
			"attributes":    "Fields that the relying service receives.",
			"resubmissions": "How often photos may be asked for again, 0 to 20.",
			"minimum_age":   "Years on the day of the case.",
			"expires":       "How long a session may stay unfinished.",
			"thresholds":    "Bounds on measures, by the rule's name.",
			"actions":       "What a reason code leads to, where the catalogue's action is not wanted.",
			"retention":     "How long each data class is kept, from its writing.",
			"screening":     "Screening lists of which a result is required: sanctions, pep, adverse_media.",
			"review":        "How people work on the cases: queue, SLA, what comes first, blind second looks, the blind sample of automatic decisions, overload.",
			"duplicates":    "Compare with other subjects of the tenant: document_number and face, over a window, with at most max faces. Off without it.",
			"step_up":       "What is asked for in addition when risk signals say so.",
		})
		enum(c, "evidence", policy.EvidenceKinds)
		enum(c, "checks", policy.Stages)
		enum(c, "screening", policy.ScreeningLists)
	}
	b, err := s.MarshalJSON()
	if err != nil {
		panic(err) // a schema made of strings
	}
	return b
}

func describe(s *jsonschema.Schema, texts map[string]string) {
	for name, text := range texts {
		if p, ok := s.Properties.Get(name); ok {
			p.Description = text
		}
	}
}

func enum(s *jsonschema.Schema, name string, values []string) {
	p, ok := s.Properties.Get(name)
	if !ok || p.Items == nil {
		return
	}
	for _, v := range values {
		p.Items.Enum = append(p.Items.Enum, v)
	}
}
