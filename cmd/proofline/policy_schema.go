package main

import (
	"os"
	"reflect"
	"strings"

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
	describe(s, "", map[string]string{
		"name":         "Named in every decision.",
		"version":      "Named in every decision; what counts is the hash of the rules.",
		"defaults":     "Rules of every case; a cell replaces what it names.",
		"calibrations": "Calibrations that target_fmr is resolved through. Written by Proofline when it archives the policy; leave it out.",
		"cells":        "Rules of some cases. The cell that names most of segment, jurisdiction and document wins.",
	})
	cells, _ := s.Properties.Get("cells")
	defaults, _ := s.Properties.Get("defaults")
	for _, c := range []*jsonschema.Schema{defaults, cells.Items} {
		if c == nil {
			continue
		}
		describe(c, "", cellTexts)
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

// cellTexts says what each key of a cell is for; "*" is a name that the author
// chooses.
var cellTexts = map[string]string{
	"name":                       "Of a cell; decisions and explanations name it.",
	"match":                      "Which cases a cell is for; of one cell all that it names must fit. Not in the defaults.",
	"match.segment":              "The segment of the session, such as retail.",
	"match.jurisdiction":         "The jurisdiction of the session, such as ES.",
	"match.document":             "The document type of the session.",
	"evidence":                   "Photos that a case needs.",
	"checks":                     "Stages that must have been evaluated before a case can be approved.",
	"documents":                  "Accepted documents: types, MRZ formats, document types of the zone or classes. Without it all are.",
	"attributes":                 "Fields that the relying service receives of an approved case.",
	"resubmissions":              "How often photos may be asked for again, 0 to 20.",
	"minimum_age":                "Years on the day of the case, 0 to 120; younger is compliance.under_age.",
	"expires":                    "How long a session may stay unfinished.",
	"thresholds":                 "Bounds on measures, by the rule's name.",
	"thresholds.*.measure":       "What is bounded; a measure that could not be taken never passes.",
	"thresholds.*.subjects":      "Photos (or case) that the rule is for; without it all.",
	"thresholds.*.min":           "Below it the code is raised. One of min, max and target_fmr.",
	"thresholds.*.max":           "Above it the code is raised.",
	"thresholds.*.target_fmr":    "A false match rate in place of min: the calibration gives the bound.",
	"thresholds.*.code":          "The reason code that is raised.",
	"thresholds.*.rank":          "Rules on one measure are tried by rank, the lowest first; the first that fails speaks.",
	"thresholds.*.basis":         "Where the number comes from: \"measured: …\" with error rate and data, or \"guess\".",
	"actions":                    "What a reason code leads to, where the catalogue's action is not wanted.",
	"retention":                  "How long each data class is kept, from its writing: capture_image, biometric_template, extracted_fields, outcome, consent, review_note.",
	"residency":                  "The region of storage.regions where evidence of the case has to lie; without it the main store.",
	"step_up":                    "What is asked for in addition when risk signals say so.",
	"step_up[].name":             "Decisions name the rules that fired.",
	"step_up[].when":             "Bounds on risk signals, all of which must be met, each in the direction in which it is riskier.",
	"step_up[].when.*.min":       "For a signal that is riskier when higher.",
	"step_up[].when.*.max":       "For a signal that is riskier when lower.",
	"step_up[].missing":          "A signal that was not stated counts as risky.",
	"step_up[].evidence":         "Photos needed in addition.",
	"step_up[].checks":           "Stages required in addition.",
	"step_up[].thresholds":       "Tighter bounds, by the rule's name.",
	"step_up[].review":           "A person looks, whatever was found.",
	"screening":                  "Screening lists of which a result is required: sanctions, pep, adverse_media.",
	"review":                     "How people work on the cases: queue, SLA, what comes first, blind second looks, the blind sample of automatic decisions, overload.",
	"review.queue":               "Name of the queue; default when left out.",
	"review.sla":                 "How long a case may wait for a person, 1m to 90d.",
	"review.risk_first":          "How much sooner a case of the highest risk is looked at. With value_first at most the SLA.",
	"review.value_first":         "How much sooner a case at stake of value_full or more is looked at.",
	"review.value_full":          "The amount from which value_first counts in full.",
	"review.second":              "Share of cases that two people judge blindly, 0 to 1.",
	"review.overload":            "What changes while more cases wait than people can do.",
	"review.overload.above":      "More waiting cases than this are an overload, 1 to 1000000.",
	"review.overload.sla":        "The longer SLA of new cases meanwhile.",
	"review.overload.risk_first": "How much more risk counts meanwhile.",
	"review.sample":              "Share of automatic decisions that a person judges blindly; it changes no case.",
	"review.sample.approved":     "Share of automatic approvals, 0 to 1.",
	"review.sample.rejected":     "Share of automatic rejections, 0 to 1.",
	"review.sample.within":       "How soon it should be judged; at most the retention of capture_image. 72h when left out.",
	"duplicates":                 "Compare with other subjects of the tenant: document_number and face, over a window, with at most max faces. Off without it.",
	"duplicates.document_number": "By a keyed hash of issuing state and number.",
	"duplicates.face":            "By an encrypted template of the selfie's face.",
	"duplicates.window":          "How far back, 1h to 400d.",
	"duplicates.max":             "With how many faces at most, the newest; 1 to 2000.",
	"burst_light":                "The capture page lights the face with its own screen while it takes selfie_burst.",
}

// describe gives each key below s the text of its path.
func describe(s *jsonschema.Schema, path string, texts map[string]string) {
	if s == nil {
		return
	}
	if s.Properties != nil {
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			at := path + p.Key
			if text, ok := texts[at]; ok {
				p.Value.Description = text
			}
			if s.Title != "" {
				continue // the file itself; its cells have texts of their own
			}
			describe(p.Value, at+".", texts)
		}
	}
	describe(s.AdditionalProperties, path+"*.", texts)
	if s.Items != nil {
		describe(s.Items, strings.TrimSuffix(path, ".")+"[].", texts)
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
