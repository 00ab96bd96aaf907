package pipeline

import (
	"context"
	"fmt"
	"time"

	"github.com/proofline/proofline/mrz"
	"github.com/proofline/proofline/mrz/reader"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/quality"
)

// zone is the machine-readable zone of the case: what consistency needs of it
// beyond its fields.
type zone struct {
	Kind           string   `json:"kind"` // the photo that it was read from
	Format         string   `json:"format"`
	DocumentType   string   `json:"document_type"`
	Lines          []string `json:"lines"`
	Valid          bool     `json:"valid"`
	Confidence     float64  `json:"confidence"`
	NamesTruncated bool     `json:"names_truncated,omitempty"`
	BadDates       []string `json:"bad_dates,omitempty"` // fields whose date can not be
}

// runMRZ reads the machine-readable zone: in the straightened documents, where
// lines are level and of known size, and if that gives no valid one, anywhere
// in the photos.
func runMRZ(ctx context.Context, r *run) ([]policy.Finding, error) {
	if r.engines.MRZ == nil {
		return missing("mrz", "case"), nil
	}
	best, where, err := r.readZones(ctx)
	if err != nil || best == nil {
		return nil, err // without a photo there is nothing to say, which is not a pass
	}
	f := policy.Finding{Subject: where}
	if !best.Found {
		f.Assert("document.mrz_not_found", "")
		return []policy.Finding{f}, nil
	}
	f.Measures = append(r.zoneGlare(where, best), policy.Measure{Name: "mrz.confidence", Value: best.Confidence, Unit: "probability"})
	if len(best.Repairs) > 0 {
		f.Assert("document.mrz_repaired", "")
	}
	// Centuries are chosen as of the day of the case, so that the reading of a
	// case does not change with the day on which it runs.
	doc := parseZone(best.Lines, r.c.AsOf)
	if doc == nil {
		f.Assert("document.mrz_unreadable", "")
		return []policy.Finding{f}, nil
	}
	r.zone = &zone{Kind: where, Format: string(doc.Format), DocumentType: doc.Interpreted.DocumentType, Lines: best.Lines,
		Valid: doc.Valid, Confidence: best.Confidence, NamesTruncated: doc.Interpreted.NamesTruncated}
	for _, e := range doc.Errors {
		if e.Code == mrz.CodeDate {
			r.zone.BadDates = append(r.zone.BadDates, fieldName(e.Field))
		}
	}
	if !doc.Valid {
		// A check digit that fails on clearly read characters was printed
		// wrong; on doubtful ones it was read wrong.
		code := policy.Code("document.mrz_unreadable")
		if best.Confidence >= sureReading {
			code = "document.mrz_check_digit"
		}
		for _, e := range doc.Errors {
			if e.Code == mrz.CodeCheckDigit {
				f.Assert(code, fieldName(e.Field))
			}
		}
		if len(f.Assertions) == 0 {
			f.Assert(code, "")
		}
	} else if !best.Valid {
		f.Assert("document.mrz_unreadable", "")
	}
	r.fields = append(r.fields, zoneFields(doc, best.Result)...)
	return []policy.Finding{f}, nil
}

// parseZone is nil where the lines fit no layout: a finding, not a failure.
func parseZone(lines []string, day time.Time) *mrz.Document {
	if d, err := mrz.ParseAt(lines, day); err == nil {
		return d
	}
	return nil
}

// sureReading is the probability of the least certain character above which a
// reading counts as clear. It only chooses between two codes that both keep a
// case from being approved; a guess until measured on misprinted zones.
const sureReading = 0.9

// sighting is a reading and where it was made.
type sighting struct {
	*reader.Result
	straight bool // in the straightened document, not in the photo
}

// readZones returns the best reading of all photos of documents and the kind of
// the photo; nil where there is no photo at all.
func (r *run) readZones(ctx context.Context) (best *sighting, where string, err error) {
	for _, straight := range []bool{true, false} {
		for _, kind := range documentKinds {
			p, err := r.photo(ctx, kind)
			if err != nil {
				return nil, "", err
			}
			if p == nil {
				continue
			}
			m := p.Mat
			if straight {
				if r.documents[kind] == nil {
					continue
				}
				m = r.documents[kind].Rectified
			}
			res, err := r.engines.MRZ.Read(ctx, m)
			if err != nil {
				if ctx.Err() == nil {
					err = &stageError{"mrz", fmt.Errorf("read zone: %w", err)}
				}
				return nil, "", err
			}
			if s := (&sighting{res, straight}); s.better(best) {
				best, where = s, kind
			}
		}
		if best != nil && best.Valid {
			break
		}
	}
	return best, where, nil
}

func (s *sighting) better(than *sighting) bool {
	switch {
	case than == nil || s.Valid && !than.Valid || s.Found && !than.Found:
		return true
	case s.Valid == than.Valid && s.Found == than.Found:
		return s.Confidence > than.Confidence
	}
	return false
}

// zoneGlare measures reflections where the zone was found: a better place than
// the one where it should be, which the document stage measured.
func (r *run) zoneGlare(kind string, s *sighting) []policy.Measure {
	d, p := r.documents[kind], r.photos[kind]
	if !s.straight || d == nil || p == nil {
		return nil
	}
	region := s.Region.Bounds()
	for _, m := range d.inPhoto(p, quality.Document(d.Rectified, d.info(p, &region))) {
		if m.Name == "document.glare_mrz" {
			return []policy.Measure{m}
		}
	}
	return nil
}

// fieldNames maps the names of packages mrz and ocr to ours.
var fieldNames = map[string]string{
	"surname": "surname", "givenNames": "given_names", "documentNumber": "document_number", "birthDate": "birth_date",
	"expirationDate": "expiry_date", "issuingState": "issuing_state", "nationality": "nationality", "sex": "sex",
	"given_names": "given_names", "document_number": "document_number", "birth_date": "birth_date",
	"expiry_date": "expiry_date", "issuing_state": "issuing_state",
}

func fieldName(s string) string {
	if n, ok := fieldNames[s]; ok {
		return n
	}
	return s
}

// zoneFields are the fields of the zone, dates in ISO 8601.
func zoneFields(d *mrz.Document, res *reader.Result) []Field {
	// One check digit of ten fits by chance: what is no zone at all, or was misread
	// throughout, is not made certain by a single one.
	passed := 0
	for _, c := range []mrz.Check{d.Checks.DocumentNumber, d.Checks.BirthDate, d.Checks.ExpirationDate, d.Checks.Composite} {
		if c == mrz.Passed {
			passed++
		}
	}
	sure := func(c mrz.Check) bool { return c == mrz.Passed && (d.Valid || passed > 1) }
	in, fd := d.Interpreted, d.Fields
	var out []Field
	for _, f := range []Field{
		{Name: "surname", Value: fd.Surname},
		{Name: "given_names", Value: fd.GivenNames},
		{Name: "document_number", Value: fd.DocumentNumber, Verified: sure(d.Checks.DocumentNumber)},
		{Name: "birth_date", Value: in.BirthDate, Verified: sure(d.Checks.BirthDate)},
		{Name: "expiry_date", Value: in.ExpirationDate, Verified: sure(d.Checks.ExpirationDate)},
		{Name: "issuing_state", Value: fd.IssuingState},
		{Name: "nationality", Value: fd.Nationality},
		{Name: "sex", Value: in.Sex},
	} {
		if f.Value == "" {
			continue
		}
		f.Source, f.Confidence = "mrz", res.Confidence
		if f.Verified {
			f.Confidence = max(f.Confidence, verifiedConfidence)
		}
		out = append(out, f)
	}
	return out
}

// verifiedConfidence: a wrong character passes a 7-3-1 check digit about once
// in ten (9303-3 §4.9), on top of having been misread.
const verifiedConfidence = 0.95
