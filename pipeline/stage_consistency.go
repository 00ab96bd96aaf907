package pipeline

import (
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"

	"github.com/proofline/proofline/mrz"
	"github.com/proofline/proofline/policy"
)

// Confidence from which a difference counts as one of the document and not of
// its reading, where there is a single reading: below it a difference is noted
// and a person looks. docs/fields.md has the error rates of the rules together;
// this value alone was not measured.
const sureDifference = 0.85

// runConsistency compares what different sources say of the same field, and the
// dates with the day of the case. No value enters a finding.
func runConsistency(_ context.Context, r *run) ([]policy.Finding, error) {
	f := policy.Finding{Subject: "case"}
	sources := map[string]map[string]Field{}
	for _, x := range r.fields {
		if sources[x.Source] == nil {
			sources[x.Source] = map[string]Field{}
		}
		sources[x.Source][x.Name] = x
	}
	r.checkDocument(&f)
	if len(r.fields) == 0 {
		f.Assert("consistency.not_comparable", "")
		return []policy.Finding{f}, nil
	}
	claims := map[string]Field{}
	for name, v := range r.c.Claims {
		claims[name] = Field{Name: name, Value: v, Source: "claim", Confidence: 1, Verified: true}
	}
	sources["claim"] = claims
	for _, pair := range [][2]string{{"mrz", "visual"}, {"mrz", "barcode"}, {"barcode", "visual"}, {"mrz", "claim"}, {"barcode", "claim"}, {"visual", "claim"}} {
		for _, name := range FieldNames {
			a, okA := sources[pair[0]][name]
			b, okB := sources[pair[1]][name]
			if !okA || !okB {
				continue
			}
			// The print is asked about a claim only where nothing better speaks.
			if pair == [2]string{"visual", "claim"} && (sources["mrz"][name].Value != "" || sources["barcode"][name].Value != "") {
				continue
			}
			r.compare(&f, a, b)
		}
	}
	for name := range claims {
		if sources["mrz"][name].Value == "" && sources["barcode"][name].Value == "" && sources["visual"][name].Value == "" {
			// What the relying service stated could not be checked at all.
			f.Assert("system.not_evaluated", name)
		}
	}
	r.checkDates(&f, sources)
	return []policy.Finding{f}, nil
}

var mismatchCodes = map[string]policy.Code{
	"surname": "consistency.name_mismatch", "given_names": "consistency.name_mismatch",
	"document_number": "consistency.document_number_mismatch", "birth_date": "consistency.birth_date_mismatch",
	"expiry_date": "consistency.expiry_date_mismatch", "sex": "consistency.sex_mismatch",
	"nationality": "consistency.nationality_mismatch", "issuing_state": "consistency.nationality_mismatch",
}

// likeness compares two values of one field: 1 is a match, ok is false when
// they can not be compared.
func likeness(a, b Field, cutA bool) (float64, bool) {
	verdict := func(match bool) (float64, bool) {
		if match {
			return 1, true
		}
		return 0, true
	}
	switch a.Name {
	case "surname", "given_names":
		l, ok := nameLikeness(a.Value, b.Value, cutA, false)
		if b.Source == "visual" && ok && l < 1 {
			// Letters that are taken for others.
			if m, ok := nameLikeness(a.Value, spelledOut(b.Value, a.Value), cutA, false); ok {
				l = max(l, m)
			}
		}
		return l, ok
	case "birth_date", "expiry_date", "issue_date":
		x, y := a.Value, b.Value
		if len(x) > len(y) {
			x, y = y, x
		}
		// A date with unknown parts ("1954-01") agrees with any that fills them.
		return verdict(strings.HasPrefix(y, x) && len(x) >= 4)
	case "document_number":
		x, y := plainNumber(a.Value), plainNumber(b.Value)
		if x == "" || y == "" {
			return 0, false
		}
		if confusable.Replace(x) == confusable.Replace(y) {
			return 1, true
		}
		return 1 - float64(distance(x, y))/float64(max(len(x), len(y))), true
	case "sex":
		x, y := plainSex(a.Value), plainSex(b.Value)
		if x == "" || y == "" {
			return 0, false // unspecified says nothing about another entry
		}
		return verdict(x == y)
	case "nationality", "issuing_state":
		x, okX := country(a.Value)
		y, okY := country(b.Value)
		if !okX || !okY {
			return 0, false
		}
		return verdict(x == y)
	}
	return 0, false
}

func plainSex(s string) string {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "m", "male":
		return "male"
	case "f", "female":
		return "female"
	}
	return ""
}

// country brings a state code to the three letters of ISO 3166-1, or leaves it
// as ICAO 9303-3 section 5 has it where ISO knows no such code. Of words, English
// names of states are understood ("FRANCE"), adjectives ("German") are not.
func country(s string) (string, bool) {
	if code, ok := stateCode(s); ok {
		return code, true
	}
	code, ok := stateNames()[strings.Join(strings.Fields(strings.ToUpper(s)), " ")]
	return code, ok
}

func stateCode(s string) (string, bool) {
	s = strings.ToUpper(strings.Trim(strings.TrimSpace(s), "<"))
	switch s {
	case "D":
		return "DEU", true
	case "GBD", "GBN", "GBO", "GBP", "GBS": // kinds of British nationality
		return "GBR", true
	case "RKS", "XKX", "XK", "KS":
		return "XKX", true
	}
	if _, ok := mrz.StateName(s); ok && len(s) == 3 {
		return s, true
	}
	if len(s) == 2 || len(s) == 3 {
		if region, err := language.ParseRegion(s); err == nil && region.IsCountry() {
			return region.ISO3(), true
		}
	}
	return "", false
}

// stateNames are the codes of states by their names in capitals.
var stateNames = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for _, code := range mrz.StateCodes() {
		name, _ := mrz.StateName(code)
		// Names of three letters and less could be codes.
		if iso, ok := stateCode(code); ok && len(name) > 3 {
			out[strings.ToUpper(name)] = iso
		}
	}
	return out
})

// dated is the best reading of a date, and whether it may be held against the
// person: confirmed by a check digit or barcode, or by two sources.
func dated(sources map[string]map[string]Field, name string) (t time.Time, sure, found bool) {
	var values []Field
	for _, s := range []string{"mrz", "barcode", "visual"} {
		if x, ok := sources[s][name]; ok {
			values = append(values, x)
		}
	}
	for _, x := range values {
		t, err := time.Parse(time.DateOnly, x.Value)
		if err != nil {
			continue // a date with unknown parts
		}
		agree := 0
		for _, y := range values {
			if y.Value == x.Value {
				agree++
			}
		}
		return t, x.Verified || agree > 1, true
	}
	return time.Time{}, false, false
}

// checkDates looks at expiry, age and order of the dates. A document is called
// expired or a person too young only on a sure reading; otherwise the check
// counts as not made, which a person then makes.
func (r *run) checkDates(f *policy.Finding, sources map[string]map[string]Field) {
	if r.zone != nil {
		for _, name := range r.zone.BadDates {
			f.Assert("consistency.impossible_date", name)
		}
	}
	day := r.c.AsOf.UTC().Truncate(24 * time.Hour)
	birth, birthSure, hasBirth := dated(sources, "birth_date")
	expiry, expirySure, hasExpiry := dated(sources, "expiry_date")
	if hasExpiry && expiry.Before(day) { // valid to the end of its last day
		if expirySure {
			f.Assert("document.expired", "expiry_date")
		} else {
			f.Assert("system.not_evaluated", "expiry_date")
		}
	}
	if hasBirth && birthSure && birth.After(day) {
		f.Assert("consistency.impossible_date", "birth_date")
	}
	if hasBirth && hasExpiry && birthSure && expirySure && !birth.Before(expiry) {
		f.Assert("consistency.impossible_date", "expiry_date")
	}
	r.checkIssue(f, sources, day)
	if r.cell.MinimumAge != nil && *r.cell.MinimumAge > 0 {
		switch comesOfAge := birth.AddDate(*r.cell.MinimumAge, 0, 0); {
		case !hasBirth, !birthSure:
			f.Assert("system.not_evaluated", "birth_date")
		case comesOfAge.After(day):
			f.Assert("compliance.under_age", "birth_date")
		}
	}
}

// checkIssue holds the date of issue against the others: a document is issued
// after the birth of its holder, before it expires, and not in the future (a day
// of which may have begun where it was issued). The date mostly stands in the
// print alone, which may be misread: then it is noted, not held against anybody.
func (r *run) checkIssue(f *policy.Finding, sources map[string]map[string]Field, day time.Time) {
	issue, sure, found := dated(sources, "issue_date")
	if !found {
		return
	}
	birth, birthSure, hasBirth := dated(sources, "birth_date")
	expiry, expirySure, hasExpiry := dated(sources, "expiry_date")
	bad, proved := false, false
	for _, wrong := range []struct{ is, sure bool }{
		{issue.After(day.AddDate(0, 0, 1)), sure},
		{hasBirth && issue.Before(birth), sure && birthSure},
		{hasExpiry && !issue.Before(expiry), sure && expirySure},
	} {
		bad, proved = bad || wrong.is, proved || wrong.is && wrong.sure
	}
	switch {
	case proved:
		f.Assert("consistency.impossible_date", "issue_date")
	case bad:
		f.Assert("consistency.uncertain_reading", "issue_date")
	}
}

// checkDocument holds the kind of document and the jurisdiction against the
// policy.
func (r *run) checkDocument(f *policy.Finding) {
	r.checkKind(f)
	r.checkIssuer(f)
	if j := r.c.Context.Jurisdiction; j != "" && r.cell.Match.Jurisdiction != j {
		for _, c := range r.policy.Cells {
			if c.Match.Jurisdiction != "" && c.Match.Jurisdiction != "*" {
				f.Assert("compliance.jurisdiction_unsupported", "")
				break
			}
		}
	}
}
