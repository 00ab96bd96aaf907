package mrz

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var today = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

func mustParse(t *testing.T, lines ...string) *Document {
	t.Helper()
	d, err := ParseAt(lines, today)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The example of 9303-4 appendix B.
var utopia = []string{
	"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
	"L898902C36UTO7408122F1204159ZE184226B<<<<<10",
}

func TestPassportOfTheStandardIsRead(t *testing.T) {
	d := mustParse(t, utopia...)
	if !d.Valid || d.Format != TD3 || len(d.Errors) != 0 {
		t.Fatalf("%+v", d)
	}
	f := Fields{DocumentCode: "P", IssuingState: "UTO", Surname: "ERIKSSON", GivenNames: "ANNA MARIA", DocumentNumber: "L898902C3",
		Nationality: "UTO", BirthDate: "740812", Sex: "F", ExpirationDate: "120415", Optional1: "ZE184226B"}
	if d.Fields != f {
		t.Errorf("fields %+v", d.Fields)
	}
	in := d.Interpreted
	if in.BirthDate != "1974-08-12" || in.ExpirationDate != "2012-04-15" || in.Sex != "female" || in.NationalityName != "Utopia (specimens)" {
		t.Errorf("interpreted %+v", in)
	}
}

func TestEachCheckDigitFailsByItself(t *testing.T) {
	for _, c := range []struct {
		col  int
		pick func(Checks) Check
	}{
		{10, func(c Checks) Check { return c.DocumentNumber }},
		{20, func(c Checks) Check { return c.BirthDate }},
		{28, func(c Checks) Check { return c.ExpirationDate }},
		{43, func(c Checks) Check { return c.PersonalNumber }},
		{44, func(c Checks) Check { return c.Composite }},
	} {
		l := []byte(utopia[1])
		l[c.col-1] = '0' + (l[c.col-1]-'0'+5)%10
		d := mustParse(t, utopia[0], string(l))
		if d.Valid || c.pick(d.Checks) != Failed {
			t.Errorf("column %d: %+v", c.col, d.Checks)
		}
		if e := d.Errors[0]; e.Code != CodeCheckDigit || e.Line != 2 || e.Column != c.col {
			t.Errorf("column %d: error %+v", c.col, e)
		}
	}
}

func TestSwissAndFrenchLicencesAreRead(t *testing.T) {
	d := mustParse(t, "D1FRA13AA000026181231MARTIN<<9")
	if d.Format != FrenchDrivingLicense || !d.Valid || d.Fields.DocumentNumber != "13AA00002" || d.Fields.Surname != "MARTIN" || d.Interpreted.ExpirationDate != "2018-12-31" {
		t.Errorf("%+v", d)
	}
	d = mustParse(t, "AAA001D<<", "FACHE305142128097<<800126<<<<<", "MARCHAND<<FABIENNE<<<<<<<<<<<<")
	if d.Format != SwissDrivingLicense || !d.Valid || d.Fields.DocumentNumber != "AAA001D" || d.Fields.GivenNames != "FABIENNE" || d.Interpreted.BirthDate != "1980-01-26" {
		t.Errorf("%+v", d)
	}
}

func TestCenturyPutsBirthInThePastAndExpiryNearIssue(t *testing.T) {
	for _, c := range []struct{ birth, expiry, wantBirth, wantExpiry string }{
		{"260531", "360101", "2026-05-31", "2036-01-01"},
		{"260602", "990101", "1926-06-02", "1999-01-01"},
		{"5401<<", "560101", "1954-01", "2056-01-01"},
		{"54<<<<", "<<<<<<", "1954", ""},
		{"000229", "570101", "2000-02-29", "2057-01-01"},
	} {
		f := mustParse(t, utopia...).Fields
		f.BirthDate, f.ExpirationDate = c.birth, c.expiry
		l, err := Format(f, TD3)
		if err != nil {
			t.Fatal(err)
		}
		d := mustParse(t, l...)
		if d.Interpreted.BirthDate != c.wantBirth || d.Interpreted.ExpirationDate != c.wantExpiry {
			t.Errorf("%v: %+v", c, d.Interpreted)
		}
	}
}

func TestImpossibleDateIsAnErrorWithItsPlace(t *testing.T) {
	f := mustParse(t, utopia...).Fields
	for _, bad := range []string{"740231", "741312", "740800", "<<0812", "74<<12", "7A0812"} {
		f.BirthDate = bad
		l, err := Format(f, TD3)
		if err != nil {
			t.Fatal(err)
		}
		d := mustParse(t, l...)
		if len(d.Errors) != 1 || d.Errors[0].Line != 2 || d.Errors[0].Field != "birthDate" || d.Interpreted.BirthDate != "" {
			t.Errorf("%s: %+v %+v", bad, d.Errors, d.Interpreted)
		}
	}
}

func TestNamesSplitAtTheFirstDoubleFiller(t *testing.T) {
	for _, c := range []struct {
		field, surname, given string
		truncated, single     bool
	}{
		{"ERIKSSON<<ANNA<MARIA", "ERIKSSON", "ANNA MARIA", false, false},
		{"<<FIRST<NAME", "", "FIRST NAME", false, true},
		{"ARKFREITH", "ARKFREITH", "", false, true},
		{"VAN<DER<<<MUELLEN<<ANNA<<<BETA", "VAN DER", "MUELLEN ANNA BETA", false, false},
		{"NILAVADHANANANDA<<CHAYAPA<DEJTHAMRONG<K", "NILAVADHANANANDA", "CHAYAPA DEJTHAMRONG K", true, false},
	} {
		d := mustParse(t, "P<UTO"+c.field+strings.Repeat("<", 39-len(c.field)), utopia[1])
		if d.Fields.Surname != c.surname || d.Fields.GivenNames != c.given || d.Interpreted.NamesTruncated != c.truncated || d.Interpreted.SingleName != c.single {
			t.Errorf("%s: %+v %+v", c.field, d.Fields, d.Interpreted)
		}
	}
}

func TestWhatIsNoZoneIsATypedErrorWithItsPlace(t *testing.T) {
	at := func(l string, i int, s string) string { return l[:i] + s + l[i+1:] }
	for _, c := range []struct {
		name      string
		lines     []string
		code      Code
		line, col int
	}{
		{"nothing", nil, CodeEmpty, 0, 0},
		{"an empty line", []string{""}, CodeLineLength, 1, 0},
		{"four lines", []string{utopia[0], utopia[1], utopia[0], utopia[1]}, CodeTooManyLines, 0, 0},
		{"short second line", []string{utopia[0], utopia[1][:43]}, CodeLineLength, 2, 0},
		{"lower case", []string{utopia[0], at(utopia[1], 3, "a")}, CodeLowerCase, 2, 4},
		{"NUL", []string{at(utopia[0], 9, "\x00"), utopia[1]}, CodeCharacter, 1, 10},
		{"space", []string{at(utopia[0], 9, " "), utopia[1]}, CodeCharacter, 1, 10},
		{"guillemet", []string{at(utopia[0], 1, "«"), utopia[1]}, CodeLookAlike, 1, 2},
		{"Cyrillic A after a look-alike-free start", []string{utopia[0], at(utopia[1], 20, "А")}, CodeLookAlike, 2, 21},
		{"full width", []string{at(utopia[0], 0, "Ｐ"), utopia[1]}, CodeLookAlike, 1, 1},
		{"not UTF-8", []string{at(utopia[0], 5, "\xff"), utopia[1]}, CodeCharacter, 1, 6},
		{"ten megabytes", []string{strings.Repeat("<", 10<<20)}, CodeTooLarge, 1, 0},
	} {
		d, err := Parse(c.lines)
		var e *Error
		if d != nil || !errors.As(err, &e) || e.Code != c.code || e.Line != c.line || e.Column != c.col {
			t.Errorf("%s: %v, %v", c.name, d, err)
		}
	}
}

func TestTextWithAnyLineEndsIsRead(t *testing.T) {
	for _, sep := range []string{"\n", "\r\n", "\r", " \r\n\n\t"} {
		if d, err := ParseText("\n" + utopia[0] + sep + utopia[1] + sep); err != nil || !d.Valid {
			t.Errorf("%q: %v", sep, err)
		}
	}
	if _, err := ParseText(strings.Repeat("A\n", 10<<20)); err == nil {
		t.Error("20 MB of text accepted")
	}
}
