package mrz

import "testing"

func TestNamesAreSpelledAsTheStandardRecommends(t *testing.T) {
	for in, want := range map[string]string{
		"Müller":               "MUELLER",
		"Strauß":               "STRAUSS",
		"D'Artagnan":           "DARTAGNAN",
		"Smith-Jones":          "SMITH JONES",
		"Ævarsdóttir, Þuríður": "AEVARSDOTTIR THURIDUR",
		"Иванов Юрий":          "IVANOV IURII",
		"Αλέξης":               "ALEXIS",
		"Nguyễn":               "NGUYEN",
		"Łukasz Żółć":          "LUKASZ ZOLC",
		"e\u0301te\u0301":      "ETE",
		"عبّاس":                "EBBAS",
		"فضّة":                 "FXDZDZXAH",
		"محمد":                 "MXHMD",
	} {
		if got := Transliterate(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestZoneNameMatchesAnyAllowedSpelling(t *testing.T) {
	for _, c := range []struct {
		zone, printed string
		truncated, ok bool
	}{
		{"MUELLER", "Müller", false, true},
		{"MULLER", "Müller", false, true},
		{"MILLER", "Müller", false, false},
		{"MAENNIK", "Männik", false, true},
		{"VAN DER MUELLEN", "van der Müllen", false, true},
		{"VANDERMUELLEN", "van der Müllen", false, true},
		{"ZELENSKYI", "Зеленський", false, true},
		{"ERIKSSON", "Eriksson Anna", false, false},
		{"NILAVADHANANANDA CHAYAPA DEJTHAMRONG K", "Nilavadhanananda Chayapa Dejthamrong Krasuang", true, true},
		{"NILAVADH CHAYAPA D K", "Nilavadhanananda Chayapa Dejthamrong Krasuang", true, true},
		{"NILAVADH", "Nilavadhanananda", false, false},
		{"FXDZDZXAH", "فِضّة", false, true},
		{"MOHAMMED", "محمد", false, false},
		{"", "", false, false},
		{"ANNA", "", false, false},
	} {
		if got := NameMatches(c.zone, c.printed, c.truncated); got != c.ok {
			t.Errorf("%q and %q: %v", c.zone, c.printed, got)
		}
	}
}

func FuzzNameMatches(f *testing.F) {
	f.Add("MUELLER", "Müller", true)
	f.Fuzz(func(t *testing.T, zone, printed string, truncated bool) {
		NameMatches(zone, printed, truncated)
		tr := Transliterate(printed)
		for i := range tr {
			if tr[i] != ' ' && (tr[i] < 'A' || tr[i] > 'Z') {
				t.Fatalf("%q became %q", printed, tr)
			}
		}
	})
}
