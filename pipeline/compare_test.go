package pipeline

import (
	"testing"
)

func TestADifferenceIsTheDocumentsOnlyWhenItsReadingsAgree(t *testing.T) {
	visual := func(name, value string, readings ...string) Field {
		return Field{Name: name, Value: value, Source: "visual", Confidence: 0.95, Readings: readings}
	}
	unverified := func(name, value string) Field {
		return Field{Name: name, Value: value, Source: "mrz", Confidence: 0.97}
	}
	for _, c := range []struct {
		what   string
		a, b   Field
		result string
		sure   bool
	}{
		{"one digit differs in all readings", zoneField("document_number", "L12345678"), visual("document_number", "L12345978", "L12345978", "L12345978", "L12345978"), Mismatch, true},
		{"one reading agrees", zoneField("document_number", "L12345678"), visual("document_number", "L12345978", "L12345978", "L12345978", "L12345678"), Mismatch, false},
		{"half of the readings agree", zoneField("document_number", "L12345678"), visual("document_number", "L12345978", "L12345978", "L12345678"), Match, false},
		{"readings that differ among themselves", zoneField("birth_date", "1990-01-02"), visual("birth_date", "1991-01-02", "1991-01-02", "1990-07-02", "1998-01-02"), Mismatch, false},
		{"0 and O", zoneField("document_number", "L02345678"), visual("document_number", "LO2345678", "LO2345678", "LO2345678", "LO2345678"), Match, false},
		{"another name", unverified("surname", "MUELLER"), visual("surname", "JOHNSON", "JOHNSON", "JOHNSON"), Mismatch, true},
		{"a thorn misread", unverified("given_names", "THORA"), visual("given_names", "PORA", "PORA", "PORA", "PORA", "PORA"), Match, false},
		{"a sharp s misread", unverified("surname", "GROSS"), visual("surname", "GROB", "GROB", "GROB", "GROB", "GROB"), Match, false},
		{"dots lost", unverified("surname", "MUELLER"), visual("surname", "MULLER", "MULLER", "MULLER"), Match, false},
		{"one letter of a zone with digraphs", unverified("surname", "AEGISDOTTIR"), visual("surname", "EGISDOTTIB", "EGISDOTTIB", "EGISDOTTIB", "EGISDOTTIB", "EGISDOTTIB"), Mismatch, false},
		{"a zone that was read badly", Field{Name: "surname", Value: "MUELLER", Source: "mrz", Confidence: 0.5}, visual("surname", "JOHNSON", "JOHNSON", "JOHNSON"), Mismatch, false},
		{"the other sex", unverified("sex", "male"), visual("sex", "F", "F", "F"), Mismatch, true},
		{"unspecified sex", unverified("sex", "X"), visual("sex", "F", "F", "F"), NotComparable, false},
	} {
		got := against(c.a, c.b, false)
		if got.Result != c.result || got.Sure != c.sure {
			t.Errorf("%s: %s, sure %v; want %s, %v (%+v)", c.what, got.Result, got.Sure, c.result, c.sure, got)
		}
	}
}

func TestWhatAReaderEasilyTakesForAnotherIsNoSureDifference(t *testing.T) {
	visual := func(name, value string, confidence float64) Field {
		return Field{Name: name, Value: value, Source: "visual", Confidence: confidence, Readings: []string{value, value, value, value}}
	}
	for what, pair := range map[string][2]Field{
		"day and month in the other order": {zoneField("expiry_date", "2033-08-11"), visual("expiry_date", "2033-11-08", 0.95)},
		"a name that is hardly legible":    {zoneField("given_names", "SIGRUN"), visual("given_names", "JRA", 0.48)},
	} {
		if got := against(pair[0], pair[1], false); got.Result != Mismatch || got.Sure {
			t.Errorf("%s: %s, sure %v; want a mismatch that is not sure", what, got.Result, got.Sure)
		}
	}
	if got := against(zoneField("document_number", "T25373805"), visual("document_number", "725373805", 0.95), false); got.Result != Match {
		t.Errorf("T and 7: %s", got.Result)
	}
}
