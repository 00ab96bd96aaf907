package pipeline

import (
	"encoding/json"
	"fmt"

	"github.com/proofline/proofline/storage"
)

// artefact is something that a stage hands to later stages. Its data is
// personal and goes to the vault; the rest is stored with the stage's result.
type artefact struct {
	Class   storage.Class   `json:"class"`
	Kind    string          `json:"kind"`
	Subject string          `json:"subject,omitempty"`
	Meta    json.RawMessage `json:"meta,omitempty"`
	Object  string          `json:"object"` // id in the vault

	data []byte
}

// reading is what one reader of fields hands on.
type reading struct {
	Fields []Field `json:"fields"`
	Zone   *zone   `json:"zone,omitempty"`
}

// saveFields keeps the fields that came from a source.
func saveFields(source string) func(*run) ([]artefact, error) {
	return func(r *run) ([]artefact, error) {
		var x reading
		for _, f := range r.fields {
			if f.Source == source {
				x.Fields = append(x.Fields, f)
			}
		}
		if source == "mrz" {
			x.Zone = r.zone
		}
		if len(x.Fields) == 0 && x.Zone == nil {
			return nil, nil
		}
		data, err := json.Marshal(x)
		if err != nil {
			return nil, fmt.Errorf("encode %s fields: %w", source, err)
		}
		return []artefact{{Class: storage.ExtractedFields, Kind: source, data: data}}, nil
	}
}

func loadFields(r *run, a artefact) error {
	var x reading
	if err := json.Unmarshal(a.data, &x); err != nil {
		return fmt.Errorf("decode %s fields: %w", a.Kind, scrub(err))
	}
	r.fields = append(r.fields, x.Fields...)
	if x.Zone != nil {
		r.zone = x.Zone
	}
	return nil
}

// scrub keeps the kind of a decoding error and drops its text, which may quote
// the data.
func scrub(err error) error { return fmt.Errorf("malformed (%T)", err) }
