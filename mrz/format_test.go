package mrz

import (
	"errors"
	"reflect"
	"testing"
)

var samples = map[Layout][]Fields{
	TD1: {
		{DocumentCode: "I", IssuingState: "UTO", Surname: "ERIKSSON", GivenNames: "ANNA MARIA", DocumentNumber: "D23145890", Nationality: "UTO", BirthDate: "740812", Sex: "F", ExpirationDate: "320415", Optional1: "OPT1", Optional2: "OPT 2"},
		{DocumentCode: "ID", IssuingState: "BEL", Surname: "SPECIMEN", GivenNames: "ANNA", DocumentNumber: "592211692174", Nationality: "BEL", BirthDate: "900310", Sex: "<", ExpirationDate: "250930", Optional2: "90031024409"},
		{DocumentCode: "I", IssuingState: "NLD", Surname: "DE BRUIJN", GivenNames: "WILLEKE", DocumentNumber: "123456789012345678801", Nationality: "NLD", BirthDate: "650310", Sex: "X", ExpirationDate: "310802", Optional1: "X"},
	},
	TD2: {
		{DocumentCode: "I", IssuingState: "D", Surname: "MUSTERMANN", GivenNames: "ERIKA", DocumentNumber: "C01X0006H", Nationality: "D", BirthDate: "640812", Sex: "F", ExpirationDate: "320415", Optional1: "AB1"},
		{DocumentCode: "I", IssuingState: "UTO", Surname: "ERIKSSON", GivenNames: "ANNA", DocumentNumber: "12345678910", Nationality: "UTO", BirthDate: "7408<<", Sex: "M", ExpirationDate: "320415"},
	},
	TD3:                  {{DocumentCode: "P", IssuingState: "UTO", Surname: "ERIKSSON", GivenNames: "ANNA MARIA", DocumentNumber: "L898902C3", Nationality: "UTO", BirthDate: "740812", Sex: "F", ExpirationDate: "120415", Optional1: "ZE184226B"}},
	MRVA:                 {{DocumentCode: "V", IssuingState: "UTO", Surname: "ERIKSSON", GivenNames: "ANNA MARIA", DocumentNumber: "L8988901C", Nationality: "XXX", BirthDate: "400907", Sex: "F", ExpirationDate: "961210", Optional1: "6ZE184226B"}},
	MRVB:                 {{DocumentCode: "VB", IssuingState: "D", Surname: "DEDIC", GivenNames: "SIDNAN", DocumentNumber: "D09174053", Nationality: "BIH", BirthDate: "820113", Sex: "M", ExpirationDate: "970801", Optional1: "2020711"}},
	FrenchNationalID:     {{DocumentCode: "ID", IssuingState: "FRA", Surname: "BERTHIER", GivenNames: "CORINNE", DocumentNumber: "880692310285", BirthDate: "651206", Sex: "F", AdministrativeCode: "923255"}},
	FrenchDrivingLicense: {{DocumentCode: "D1", IssuingState: "FRA", Surname: "MARTIN", DocumentNumber: "13AA00002", ExpirationDate: "181231"}},
	SwissDrivingLicense:  {{DocumentCode: "FA", IssuingState: "CHE", Surname: "MARCHAND", GivenNames: "FABIENNE", DocumentNumber: "AAA001D", BirthDate: "800126", Optional1: "305142128097"}},
}

func TestFormattedFieldsParseBack(t *testing.T) {
	for l, all := range samples {
		for _, f := range all {
			lines, err := Format(f, l)
			if err != nil {
				t.Errorf("%s: %v", l, err)
				continue
			}
			d := mustParse(t, lines...)
			if d.Format != l || !d.Valid || !reflect.DeepEqual(d.Fields, f) || len(d.Errors) != 0 {
				t.Errorf("%s %v: %s valid %v\n got %+v\nwant %+v\n%v", l, lines, d.Format, d.Valid, d.Fields, f, d.Errors)
			}
		}
	}
}

func TestLongNamesAreShortenedAndMarked(t *testing.T) {
	f := samples[TD1][0]
	f.Surname, f.GivenNames = "PAPANDROPOULOUS NILAVADHANANANDA", "JONATHON ALEC"
	lines, err := Format(f, TD1)
	if err != nil {
		t.Fatal(err)
	}
	d := mustParse(t, lines...)
	if !d.Interpreted.NamesTruncated || d.Fields.GivenNames != "J" || lines[2] != "PAPANDROPOULOUS<NILAVADHANAN<<J"[:27]+"<<J" {
		t.Errorf("%s %+v", lines[2], d.Fields)
	}
}

func TestWhatDoesNotFitIsNotPrinted(t *testing.T) {
	for name, change := range map[string]func(*Fields){
		"documentNumber": func(f *Fields) { f.DocumentNumber = "1234567890" },
		"issuingState":   func(f *Fields) { f.IssuingState = "UTOP" },
		"birthDate":      func(f *Fields) { f.BirthDate = "19740812" },
		"sex":            func(f *Fields) { f.Sex = "female" },
		"names":          func(f *Fields) { f.Surname = "MÜLLER" },
	} {
		f := samples[TD3][0]
		change(&f)
		_, err := Format(f, TD3)
		var e *Error
		if !errors.As(err, &e) || e.Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}
