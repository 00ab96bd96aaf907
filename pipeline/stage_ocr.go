package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/proofline/proofline/ocr"
	"github.com/proofline/proofline/policy"
)

// runOCR reads the printed text of the straightened documents: the fields that
// are compared with other sources, and those that the policy hands on. Nothing
// else is read line by line, and nothing else is kept.
func runOCR(ctx context.Context, r *run) ([]policy.Finding, error) {
	rd := r.engines.Text()
	if rd == nil {
		return missing("ocr", "case"), nil
	}
	var fs []policy.Finding
	for _, kind := range documentKinds {
		d := r.documents[kind]
		if d == nil {
			continue
		}
		res, err := rd.Read(ctx, ocr.Sheet{Image: d.Rectified, Class: string(d.Class)}, ocr.Options{Doubt: r.doubtful, Fields: r.wantedFields(), Known: r.zoneValues()})
		if err != nil {
			if ctx.Err() == nil {
				err = &stageError{"ocr", fmt.Errorf("read text: %w", err)}
			}
			return nil, err
		}
		f := policy.Finding{Subject: kind}
		f.Measures = []policy.Measure{
			{Name: "ocr.words", Value: float64(len(res.Words)), Unit: "count"},
			{Name: "ocr.captions", Value: float64(res.Captions), Unit: "count"},
		}
		if len(res.Words) > 0 {
			f.Measures = append(f.Measures, policy.Measure{Name: "ocr.confidence", Value: res.Confidence, Unit: "ratio"})
		}
		if !res.Legible() {
			f.Assert("document.text_unreadable", "")
		}
		f.Measures = append(f.Measures, policy.Measure{Name: "ocr.fields", Value: float64(r.keepVisual(res)), Unit: "count"})
		fs = append(fs, f)
	}
	return fs, nil
}

// zoneValues are what a zone that was read well says, by field.
func (r *run) zoneValues() map[string]string {
	out := map[string]string{}
	if r.zone == nil || !r.zone.Valid {
		return out
	}
	for _, f := range r.fields {
		if f.Source == "mrz" {
			out[f.Name] = f.Value
		}
	}
	return out
}

// wantedFields are those that are compared or handed on.
func (r *run) wantedFields() []string {
	wanted := slices.Clone(FieldNames)
	for _, name := range append([]string{"issue_date"}, r.cell.Attributes...) {
		if slices.Contains(PrintedFields, name) && !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
	}
	return wanted
}

// keepVisual adds the fields of a side that are wanted and not yet known.
func (r *run) keepVisual(res *ocr.Result) int {
	wanted, kept := r.wantedFields(), 0
	for _, x := range res.Fields {
		if !slices.Contains(wanted, x.Name) || strings.TrimSpace(x.Value) == "" || r.has("visual", x.Name) {
			continue
		}
		f := Field{Name: x.Name, Value: x.Value, Source: "visual", Confidence: x.Confidence}
		for _, reading := range x.Readings {
			f.Readings = append(f.Readings, reading.Value)
		}
		if z := r.zoneName(f.Name); z != "" {
			f.Value = spelledOut(f.Value, z)
		}
		r.fields = append(r.fields, f)
		kept++
	}
	return kept
}

// zoneName is a name as a zone spells it that was read well.
func (r *run) zoneName(field string) string {
	if field != "surname" && field != "given_names" {
		return ""
	}
	return r.zoneValues()[field]
}

// doubtful: another part of the document says something else. The print is then
// read again, in other ways, before anything is made of it.
func (r *run) doubtful(x ocr.Field) bool {
	for _, f := range r.fields {
		if f.Source == "visual" || f.Name != x.Name {
			continue
		}
		l, ok := likeness(f, Field{Name: x.Name, Value: x.Value, Source: "visual"}, r.truncated(f))
		if ok && l < 1 {
			return true
		}
	}
	return false
}

func (r *run) truncated(f Field) bool {
	return f.Source == "mrz" && r.zone != nil && r.zone.NamesTruncated
}

func (r *run) has(source, name string) bool {
	for _, f := range r.fields {
		if f.Source == source && f.Name == name {
			return true
		}
	}
	return false
}
