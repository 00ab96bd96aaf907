package pipeline

import (
	"context"
	"fmt"

	"github.com/proofline/proofline/barcode"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
)

// runBarcode reads the barcodes on the documents; one in the format of North
// American licences (AAMVA DL/ID, annex D) yields fields.
func runBarcode(ctx context.Context, r *run) ([]policy.Finding, error) {
	var fs []policy.Finding
	for _, kind := range documentKinds {
		p, err := r.photo(ctx, kind)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue
		}
		f, err := r.barcodes(ctx, kind, p)
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	}
	return fs, nil
}

func (r *run) barcodes(ctx context.Context, kind string, p *photo.Image) (policy.Finding, error) {
	f := policy.Finding{Subject: kind}
	m := p.Mat
	d := r.documents[kind]
	if d != nil {
		m = d.Rectified
	}
	symbols, err := barcode.Read(ctx, m)
	if err == nil && len(symbols) == 0 && d != nil {
		d = nil
		symbols, err = barcode.Read(ctx, p.Mat) // straightening may have lost it
	}
	if err != nil {
		if ctx.Err() == nil {
			err = &stageError{"barcode", fmt.Errorf("read barcodes: %w", err)}
		}
		return f, err
	}
	f.Measures = []policy.Measure{{Name: "barcode.count", Value: float64(len(symbols)), Unit: "count"}}
	if len(symbols) == 0 {
		f.Assert("document.barcode_not_found", "")
		return f, nil
	}
	for _, s := range symbols {
		if s.Format != barcode.PDF417 {
			continue
		}
		licence, err := barcode.ParseAAMVA(s.Bytes)
		if err != nil {
			continue // another issuer's content: not ours to judge
		}
		fields := licenceFields(licence)
		if len(fields) == 0 {
			f.Assert("document.barcode_invalid", "")
		}
		for _, x := range fields {
			if !r.has("barcode", x.Name) {
				r.fields = append(r.fields, x)
			}
		}
	}
	return f, nil
}

// aamva maps element ids to fields; DAC and DCT are the given names of newer
// and of older cards.
var aamva = []struct{ id, field string }{
	{"DCS", "surname"}, {"DAB", "surname"}, {"DAC", "given_names"}, {"DCT", "given_names"}, {"DAQ", "document_number"},
	{"DBB", "birth_date"}, {"DBA", "expiry_date"}, {"DBC", "sex"}, {"DCG", "issuing_state"},
}

// licenceFields are the fields of a licence. Error correction makes a barcode's
// reading all but certain.
func licenceFields(l *barcode.Licence) []Field {
	var out []Field
	seen := map[string]bool{}
	for _, a := range aamva {
		v := l.Elements[a.id]
		if v == "" || seen[a.field] {
			continue
		}
		switch a.field {
		case "birth_date", "expiry_date":
			iso, ok := barcode.Date(v)
			if !ok {
				continue
			}
			v = iso
		case "sex":
			v = map[string]string{"1": "male", "2": "female"}[v]
			if v == "" {
				continue
			}
		}
		seen[a.field] = true
		out = append(out, Field{Name: a.field, Value: v, Source: "barcode", Confidence: 0.99, Verified: true})
	}
	return out
}
