package ocr

import (
	"strings"
	"testing"

	"github.com/proofline/proofline/photo"
)

// typeset places words as a printer would: one text per row, columns at the
// given x, ten pixels per letter, rows twenty pixels high.
func typeset(rows ...map[float64]string) *Page {
	p := &Page{}
	for i, r := range rows {
		for x, text := range r {
			for _, w := range strings.Fields(text) {
				width := float64(10 * len([]rune(w)))
				p.Words = append(p.Words, Word{Text: w, Confidence: 0.9, Box: photo.Rect{X: x, Y: float64(40 * i), W: width, H: 20}, Line: i})
				x += width + 8
			}
		}
	}
	return p
}

func values(p *Page) map[string]string {
	m := map[string]string{}
	for _, f := range ExtractFields(p) {
		m[f.Name] = f.Value
	}
	return m
}

func TestValuesAreTakenFromUnderTheirCaptions(t *testing.T) {
	got := values(typeset(
		map[float64]string{0: "Type", 200: "Code", 500: "Passport No./N° du passeport"},
		map[float64]string{0: "P", 200: "UTO", 500: "L898902C3"},
		map[float64]string{0: "Surname/Nom"},
		map[float64]string{0: "ERIKSSON"},
		map[float64]string{0: "Given names/Prénoms"},
		map[float64]string{0: "ANNA MARIA"},
		map[float64]string{0: "Date of birth/Date de naissance", 500: "Sex/Sexe", 700: "Place of birth/Lieu de naissance"},
		map[float64]string{0: "12 AUG/AOÛT 1974", 500: "F", 700: "ZENITH"},
		map[float64]string{0: "Date of expiry/Date d'expiration", 700: "Authority"},
		map[float64]string{0: "15 APR 2012", 700: "PASSPORT OFFICE"},
	))
	for k, want := range map[string]string{
		"document_number": "L898902C3", "surname": "ERIKSSON", "given_names": "ANNA MARIA", "birth_date": "1974-08-12",
		"sex": "F", "place_of_birth": "ZENITH", "expiry_date": "2012-04-15", "authority": "PASSPORT OFFICE",
	} {
		if got[k] != want {
			t.Errorf("%s: %q, want %q", k, got[k], want)
		}
	}
}

func TestValuesAreTakenFromBesideTheirCaptions(t *testing.T) {
	got := values(typeset(
		map[float64]string{0: "Nachname: MUSTERMANN"},
		map[float64]string{0: "Vornamen ERIKA"},
		map[float64]string{0: "Geburtsdatum 12.08.1964"},
		map[float64]string{0: "Gultig bis 2029-02-01"},
	))
	for k, want := range map[string]string{"surname": "MUSTERMANN", "given_names": "ERIKA", "birth_date": "1964-08-12", "expiry_date": "2029-02-01"} {
		if got[k] != want {
			t.Errorf("%s: %q, want %q", k, got[k], want)
		}
	}
}

func TestACaptionWithoutAPossibleValueGivesNoField(t *testing.T) {
	got := values(typeset(
		map[float64]string{0: "Date of birth"},
		map[float64]string{0: "Date of expiry"},
		map[float64]string{0: "31 FEB 2020"},
		map[float64]string{0: "Surname"},
		map[float64]string{0: "12345"},
	))
	if len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

func TestAMisreadLetterInACaptionIsForgiven(t *testing.T) {
	got := values(typeset(map[float64]string{0: "Date of blrth"}, map[float64]string{0: "01 JAN 2000"}))
	if got["birth_date"] != "2000-01-01" {
		t.Errorf("got %v", got)
	}
}

func TestDatesAreReadInAllCommonForms(t *testing.T) {
	for text, want := range map[string]string{
		"12 AUG 1974": "1974-08-12", "12 AUG/AOÛT 74": "1974-08-12", "12.08.1974": "1974-08-12", "12/08/1974": "1974-08-12",
		"1974-08-12": "1974-08-12", "12 08 1974": "1974-08-12", "AUG 12 1974": "1974-08-12", "08/22/1974": "1974-08-22",
		"19740812": "1974-08-12", "1 MÄRZ 2001": "2001-03-01", "03 MAI/MAY 2031": "2031-05-03", "5 déc 1999": "1999-12-05",
		"01SEP1990": "1990-09-01", "2O.O2.l982": "1982-02-20", "1S SEP 2001": "2001-09-15", "3 1 1990": "1990-01-03",
		"31 FEB 2020": "", "AUG 1974": "", "": "", "12": "", "99.99.9999": "", "no date": "",
	} {
		if got, _ := parseDate(text, false); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestDatesInDigitsFollowTheOrderOfTheDocument(t *testing.T) {
	for text, want := range map[string][2]string{
		"05/11/2002": {"2002-11-05", "2002-05-11"}, "07/15/2033": {"2033-07-15", "2033-07-15"}, "2002-05-11": {"2002-05-11", "2002-05-11"},
		"05112002": {"2002-11-05", "2002-05-11"}, "MAY 11 2002": {"2002-05-11", "2002-05-11"},
	} {
		for i, first := range []bool{false, true} {
			if got, _ := parseDate(text, first); got != want[i] {
				t.Errorf("%q, month first %v: %q, want %q", text, first, got, want[i])
			}
		}
	}
}

func FuzzExtractFields(f *testing.F) {
	f.Add("Surname/Nom\nERIKSSON\nDate of birth\n12 AUG 1974")
	f.Add("Sex Sexe Sex\nM F\n\n////")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		var rows []map[float64]string
		for l := range strings.SplitSeq(text, "\n") {
			rows = append(rows, map[float64]string{0: l})
		}
		ExtractFields(typeset(rows...))
	})
}
