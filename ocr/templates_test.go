package ocr

import (
	"slices"
	"testing"
)

func TestTheTemplatesAreWellFormed(t *testing.T) {
	ts, err := parseTemplates()
	if err != nil || len(ts) < 5 {
		t.Fatalf("%d templates, %v", len(ts), err)
	}
}

func read(t *testing.T, class string, p *Page) (string, map[string]string) {
	t.Helper()
	rows := p.rows()
	tpl := choose(rows, class)
	fs, _ := tpl.extract(rows)
	got := map[string]string{}
	for _, f := range fs {
		got[f.Name] = f.Value
	}
	return tpl.Name, got
}

func wants(t *testing.T, got, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s: %q, want %q", k, got[k], v)
		}
	}
}

func TestNumberedFieldsOfALicenceAreReadByTheirNumbers(t *testing.T) {
	name, got := read(t, "id1_front", typeset(
		map[float64]string{80: "DRIVING LICENCE"},
		map[float64]string{0: "1.", 80: "VAN DER BERG"},
		map[float64]string{80: "ANNA MARIA"}, // 2. was not read
		map[float64]string{0: "3.", 80: "12.08.1974 ZENITH"},
		map[float64]string{0: "4a.", 80: "01.02.2020", 400: "4c.", 480: "CIVIL REGISTRY"},
		map[float64]string{0: "4b.", 80: "31.01.2035", 400: "4d.", 480: "7408123456"},
		map[float64]string{0: "S.", 80: "D69908931"}, // 5 misread
		map[float64]string{80: "7 LINDEN WALK, ZENITH"},
	))
	if name != "licence_eu" {
		t.Errorf("read as %s", name)
	}
	wants(t, got, map[string]string{"surname": "VAN DER BERG", "given_names": "ANNA MARIA", "birth_date": "1974-08-12", "place_of_birth": "ZENITH",
		"issue_date": "2020-02-01", "authority": "CIVIL REGISTRY", "expiry_date": "2035-01-31", "personal_number": "7408123456",
		"document_number": "D69908931", "address": "7 LINDEN WALK, ZENITH"})
}

func TestAmericanCardsHaveTheMonthFirstAndCaptionsBeside(t *testing.T) {
	p := typeset(
		map[float64]string{200: "DRIVER LICENSE"},
		map[float64]string{0: "4d DLN", 120: "K20860344", 500: "9 CLASS", 600: "C"},
		map[float64]string{0: "3 DOB", 120: "05/11/2002"},
		map[float64]string{0: "1LN", 120: "ERIKSSON"},
		map[float64]string{0: "2-N", 120: "ANNA MARIA"},
		map[float64]string{0: "4a ISS", 120: "07/16/2023", 500: "4b EXP", 620: "07/15/2033"},
		map[float64]string{0: "15 SEX", 120: "F"},
	)
	for i := range p.Words { // captions are small
		if p.Words[i].Box.X < 110 || p.Words[i].Box.X >= 500 && p.Words[i].Box.X < 590 {
			p.Words[i].Box.H, p.Words[i].Box.Y = 13, p.Words[i].Box.Y+6
		}
	}
	name, got := read(t, "id1_front", p)
	if name != "licence_na" {
		t.Errorf("read as %s", name)
	}
	wants(t, got, map[string]string{"document_number": "K20860344", "birth_date": "2002-05-11", "surname": "ERIKSSON", "given_names": "ANNA MARIA",
		"issue_date": "2023-07-16", "expiry_date": "2033-07-15", "sex": "F"})
}

func TestATallBlotDoesNotJoinRows(t *testing.T) {
	p := typeset(map[float64]string{0: "Surname/Nom"}, map[float64]string{0: "ERIKSSON"}, map[float64]string{0: "Given names"}, map[float64]string{0: "ANNA"})
	p.Words = append(p.Words, Word{Text: "|", Confidence: 0.3, Box: p.Words[0].Box})
	p.Words[len(p.Words)-1].Box.H, p.Words[len(p.Words)-1].Box.X = 160, 400
	wants(t, values(p), map[string]string{"surname": "ERIKSSON", "given_names": "ANNA"})
}

func TestALetterAmongDigitsIsTheDigitItLooksLike(t *testing.T) {
	for text, want := range map[string]string{"DQ6778051": "D06778051", "R8553O953": "R85530953", "L898902C3": "L898902C3", "AB 12-34/56": "AB123456", "SØ6778051": "S06778051"} {
		if got := number(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestReadingsThatAgreeOutweighASingleOne(t *testing.T) {
	f := Field{Name: "document_number", Value: "A1", Confidence: 0.6, Readings: []Reading{{"A1", 0.6, "page"}, {"A7", 0.5, "page sharpened"}, {"A7", 0.6, "page flattened"}}}
	if f.settle(); f.Value != "A7" || f.Confidence != 0.6 {
		t.Errorf("%+v", f)
	}
	// The engine with all letters is believed about letters.
	f = Field{Name: "surname", Value: "SORENSEN", Confidence: 0.95, Readings: []Reading{{"SORENSEN", 0.95, "page"}, {"SØRENSEN", 0.9, "names sharpened"}}}
	if f.settle(); f.Value != "SØRENSEN" {
		t.Errorf("%+v", f)
	}
	if !slices.ContainsFunc(templates(), func(t *Template) bool { return t.Name == "visa" }) {
		t.Error("no visa template")
	}
}

func TestTheRestOfAMisreadCaptionIsNoName(t *testing.T) {
	for text, want := range map[string]bool{"Prénoms": false, "patronymic": false, "Given names": false, "Maria Olivia": true, "VAN DER BERG": true, "Nom": true, "ÞÓRA": true, "van der Berg": true} {
		if _, ok := anyDocument().normal("given_names", text); ok != want {
			t.Errorf("%q: %v, want %v", text, ok, want)
		}
	}
}
