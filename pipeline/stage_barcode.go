package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

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
		// What no card says: another payload than an issuer's, or a broken one.
		if len(fields) == 0 || slices.ContainsFunc(licence.Oddities, barcode.Oddity.Suspicious) {
			f.Assert("document.barcode_invalid", "")
		}
		f.Measures = append(f.Measures, policy.Measure{Name: "barcode.oddities", Value: float64(len(licence.Oddities)), Unit: "count"})
		for _, x := range fields {
			if (slices.Contains(FieldNames, x.Name) || slices.Contains(r.wantedFields(), x.Name)) && !r.has("barcode", x.Name) {
				r.fields = append(r.fields, x)
			}
		}
	}
	return f, nil
}

// licenceFields are the fields of a licence. Error correction makes a barcode's
// reading all but certain.
func licenceFields(l *barcode.Licence) []Field {
	e := l.Elements
	full := strings.SplitN(e["DAA"], ",", 2) // LAST,FIRST,MIDDLE on the first cards
	if len(full) < 2 {
		full = []string{full[0], ""}
	}
	words := func(ss ...string) string {
		return strings.Join(strings.Fields(strings.ReplaceAll(strings.Join(ss, " "), ",", " ")), " ")
	}
	first := func(ss ...string) string {
		for _, s := range ss {
			if s != "" && !strings.EqualFold(s, "NONE") {
				return s
			}
		}
		return ""
	}
	middle := e["DAD"]
	if strings.EqualFold(middle, "NONE") {
		middle = ""
	}
	given := first(e["DAC"], e["DCT"], full[1])
	if e["DAC"] != "" {
		given = words(given, middle)
	}
	var out []Field
	for _, f := range []Field{
		{Name: "surname", Value: words(first(e["DCS"], e["DAB"], full[0]))},
		{Name: "given_names", Value: words(given)},
		{Name: "document_number", Value: e["DAQ"]},
		{Name: "birth_date", Value: day(e["DBB"])},
		{Name: "expiry_date", Value: day(e["DBA"])},
		{Name: "issue_date", Value: day(e["DBD"])},
		{Name: "sex", Value: map[string]string{"1": "male", "2": "female", "M": "male", "F": "female"}[e["DBC"]]},
		{Name: "issuing_state", Value: l.Country()},
		{Name: "address", Value: words(e["DAG"], e["DAH"], e["DAI"], e["DAJ"], e["DAK"])},
	} {
		if f.Value != "" {
			f.Source, f.Confidence, f.Verified = "barcode", 0.99, true
			out = append(out, f)
		}
	}
	return out
}

// day is a barcode's date in ISO 8601, empty when it is none.
func day(s string) string {
	iso, _ := barcode.Date(s)
	return iso
}
