package ocr

import "testing"

func TestValuesAreFoundByWhatTheyShouldSayWhereCaptionsAreIllegible(t *testing.T) {
	rows := typeset(
		map[float64]string{0: "fomm / fumm", 400: "fwjmf"},
		map[float64]string{0: "ÆVARSDÓTTIR", 400: "A0000000"},
		map[float64]string{0: "ÞURÍÐUR ÖSP"},
		map[float64]string{0: "31 DES/DEC 1966", 400: "KVK/F"},
		map[float64]string{0: "26 MAI/MAY 1999"},
		map[float64]string{0: "26 MAI/MAY 2009"},
		map[float64]string{0: "P<ISLAEVARSDOTTIR<<THURIDUR<OESP<<<<"},
	).rows()
	known := map[string]string{"surname": "AEVARSDOTTIR", "given_names": "THURIDUR OESP", "document_number": "A0000001", "birth_date": "1966-12-31",
		"expiry_date": "2009-05-26", "issue_date": "1999-05-25", "sex": "female", "nationality": "ISL", "personal_number": "31126695"}
	got := map[string]string{}
	for _, f := range anyDocument().byContent(rows, known, []Field{{Name: "given_names"}}) {
		got[f.Name] = f.Value
	}
	want := map[string]string{"surname": "ÆVARSDÓTTIR", "document_number": "A0000000", "birth_date": "1966-12-31", "expiry_date": "2009-05-26"}
	wants(t, got, want)
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
}

func FuzzAlike(f *testing.F) {
	f.Add("surname", "ÆVARSDÓTTIR", "AEVARSDOTTIR")
	f.Add("birth_date", "1966-12-31", "\xff")
	f.Fuzz(func(t *testing.T, field, a, b string) {
		if l := alike(field, a, b); l < 0 || l > 1 {
			t.Fatalf("%v", l)
		}
	})
}

func TestMonthsThatLanguagesNameAlikeAreToldApartByTheSecondLanguage(t *testing.T) {
	for text, want := range map[string]string{
		"13 LIP/JUL 2016": "2016-07-13", "13 LIP/JUN 2016": "2016-06-13", "13 LIP 2016": "", "05 SRP/AUG 2020": "2020-08-05",
		"30 MAR/MARS 1972": "1972-03-30", "01 LIS/NOV 2019": "2019-11-01", "26 MAI/MAY 2009": "2009-05-26", "3 marraskuu 2001": "2001-11-03",
	} {
		if got, _ := parseDate(text, false); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
