package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
)

func TestNamesMatchAcrossSpellings(t *testing.T) {
	for _, c := range []struct {
		zone, other string
		cut         bool
		match       bool
	}{
		{"MUELLER", "Müller", false, true},
		{"MULLER", "Müller", false, true},
		{"MUELLER", "Muller", false, true},
		{"GROSS", "Groß", false, true},
		{"SOERENSEN", "Sørensen", false, true},
		{"SORENSEN", "Sørensen", false, true},
		{"AAKESSON", "Åkesson", false, true},
		{"NUNEZ", "Núñez", false, true},
		{"DANGELO", "D’Angelo", false, true},
		{"JEAN PIERRE", "Jean-Pierre", false, true},
		{"DE LA CRUZ", "Delacruz", false, true},
		{"OYKU", "Öykü", false, true},
		{"ISIK", "Işık", false, true},
		{"ANNA MARIA", "Anna", false, true},
		{"ANNA MARIA", "Maria", false, false},
		{"PAPANDROPOULO", "Papandropoulous", true, true},
		{"PAPANDROPOULO", "Papandropoulous", false, false},
		{"MARTIN", "Martinez", false, false},
		{"ERIKSSON", "Ericsson", false, false},
		{"SMITH", "Jones", false, false},
	} {
		l, ok := nameLikeness(c.zone, c.other, c.cut, false)
		if !ok || (l == 1) != c.match {
			t.Errorf("%s and %s: likeness %.2f, comparable %v, want match %v", c.zone, c.other, l, ok, c.match)
		}
		back, _ := nameLikeness(c.other, c.zone, false, c.cut)
		if back != l {
			t.Errorf("%s and %s: %.2f one way, %.2f the other", c.zone, c.other, l, back)
		}
	}
	if _, ok := nameLikeness("IVANOV", "Иванов", false, false); ok {
		t.Error("a name in another script was compared")
	}
}

func FuzzNameLikeness(f *testing.F) {
	f.Add("MUELLER", "Müller", true, false)
	f.Add("", "\xff<<", false, true)
	f.Fuzz(func(t *testing.T, a, b string, cutA, cutB bool) {
		l, _ := nameLikeness(a, b, cutA, cutB)
		if l < 0 || l > 1 {
			t.Fatalf("likeness %v", l)
		}
	})
}

func TestFieldsMatchAcrossNotations(t *testing.T) {
	for _, c := range []struct {
		field, a, b string
		comparable  bool
		match       bool
	}{
		{"birth_date", "1954-01", "1954-01-31", true, true},
		{"birth_date", "1954-02", "1954-01-31", true, false},
		{"document_number", "C01X0006H", "CO1X 0006-H", true, true},
		{"document_number", "C01X0006H", "C01X0007H", true, false},
		{"sex", "female", "F", true, true},
		{"sex", "male", "F", true, false},
		{"sex", "unspecified", "F", false, false},
		{"nationality", "D", "DE", true, true},
		{"nationality", "D<<", "deu", true, true},
		{"nationality", "GBD", "GB", true, true},
		{"nationality", "UTO", "UTO", true, true},
		{"nationality", "FRA", "DEU", true, false},
		{"nationality", "DEU", "German", false, false},
		{"nationality", "FRA", "FRANCE", true, true},
		{"nationality", "FRA", "Germany", true, false},
	} {
		l, ok := likeness(Field{Name: c.field, Value: c.a}, Field{Name: c.field, Value: c.b}, false)
		if ok != c.comparable || ok && (l == 1) != c.match {
			t.Errorf("%s %s and %s: likeness %.2f, comparable %v", c.field, c.a, c.b, l, ok)
		}
	}
}

// sources builds a run that has read these fields.
func sources(claims map[string]string, fs ...Field) *run {
	r := newRun(&Engines{}, policy.Default(), Case{AsOf: time.Date(2026, 6, 1, 13, 0, 0, 0, time.UTC), Claims: claims})
	r.fields = fs
	return r
}

func zoneField(name, value string) Field {
	return Field{Name: name, Value: value, Source: "mrz", Confidence: 0.99, Verified: true}
}

func coded(name, value string) Field {
	return Field{Name: name, Value: value, Source: "barcode", Confidence: 1, Verified: true}
}

func TestConsistencyIsHeldAgainstAPersonOnlyOnASureReading(t *testing.T) {
	visual := func(name, value string, confidence float64) Field {
		return Field{Name: name, Value: value, Source: "visual", Confidence: confidence}
	}
	eighteen := 18
	for _, c := range []struct {
		what string
		run  *run
		want string // code field, …
	}{
		{"everything fits", sources(map[string]string{"surname": "Müller"}, zoneField("surname", "MUELLER"), visual("surname", "MÜLLER", 0.9)), ""},
		{"print differs clearly", sources(nil, zoneField("birth_date", "1990-01-02"), visual("birth_date", "1991-01-02", 0.95)), "consistency.birth_date_mismatch birth_date"},
		{"print differs, badly read", sources(nil, zoneField("birth_date", "1990-01-02"), visual("birth_date", "1991-01-02", 0.5)), "consistency.uncertain_reading birth_date"},
		{"one letter of the print differs", sources(nil, zoneField("surname", "MUELLER"), visual("surname", "MUELLFR", 0.95)), "consistency.uncertain_reading surname"},
		{"another name is printed", sources(nil, zoneField("surname", "MUELLER"), visual("surname", "JOHNSON", 0.95)), "consistency.name_mismatch surname"},
		{"the claim differs", sources(map[string]string{"birth_date": "1991-01-02"}, zoneField("birth_date", "1990-01-02")), "consistency.claim_mismatch birth_date"},
		{"the claim can not be checked", sources(map[string]string{"nationality": "FRA"}, zoneField("birth_date", "1990-01-02")), "system.not_evaluated nationality"},
		{"nothing was read", sources(nil), "consistency.not_comparable "},
		{"expired", sources(nil, zoneField("expiry_date", "2026-05-31")), "document.expired expiry_date"},
		{"valid on its last day", sources(nil, zoneField("expiry_date", "2026-06-01")), ""},
		{"perhaps expired", sources(nil, visual("expiry_date", "2020-05-31", 0.99)), "system.not_evaluated expiry_date"},
		{"expired in two sources", sources(nil, Field{Name: "expiry_date", Value: "2020-05-31", Source: "mrz", Confidence: 0.6}, visual("expiry_date", "2020-05-31", 0.6)), "document.expired expiry_date"},
		{"born tomorrow", sources(nil, zoneField("birth_date", "2026-06-02")), "consistency.impossible_date birth_date"},
		{"expired before birth", sources(nil, zoneField("birth_date", "2020-01-01"), zoneField("expiry_date", "2019-01-01")), "consistency.impossible_date expiry_date, document.expired expiry_date"},
		{"eighteen tomorrow", withAge(sources(nil, zoneField("birth_date", "2008-06-02")), &eighteen), "compliance.under_age birth_date"},
		{"eighteen today", withAge(sources(nil, zoneField("birth_date", "2008-06-01")), &eighteen), ""},
		{"issued before it expires", sources(nil, zoneField("birth_date", "1990-01-02"), visual("issue_date", "2020-01-01", 0.9), zoneField("expiry_date", "2030-01-01")), ""},
		{"print says issued after expiry", sources(nil, visual("issue_date", "2031-01-01", 0.9), zoneField("expiry_date", "2030-01-01")), "consistency.uncertain_reading issue_date"},
		{"barcode says issued before birth", sources(nil, zoneField("birth_date", "1990-01-02"), coded("issue_date", "1989-01-01")), "consistency.impossible_date issue_date"},
		{"issued the day after tomorrow", sources(nil, coded("issue_date", "2026-06-03")), "consistency.impossible_date issue_date"},
		{"issued where it is tomorrow already", sources(nil, coded("issue_date", "2026-06-02")), ""},
		{"age unknown", withAge(sources(nil, zoneField("surname", "X")), &eighteen), "system.not_evaluated birth_date"},
	} {
		fs, err := runConsistency(ctx, c.run)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range fs[0].Assertions {
			got = append(got, string(a.Code)+" "+a.Field)
		}
		slices.Sort(got)
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%s: got %q, want %q", c.what, s, c.want)
		}
	}
}

func withAge(r *run, years *int) *run {
	r.cell.MinimumAge = years
	return r
}
