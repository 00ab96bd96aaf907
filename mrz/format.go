package mrz

import (
	"fmt"
	"strings"
)

// Format builds the lines of a zone with all check digits. Fields hold what
// Parse would return: YYMMDD dates, names in A-Z and spaces (Transliterate
// makes them). Names that do not fit are shortened at the end, which Parse
// then reports as truncated; any other value that does not fit is an *Error.
func Format(f Fields, l Layout) ([]string, error) {
	b := builder{}
	switch l {
	case TD1:
		return b.td1(f)
	case TD2, MRVB:
		return b.twoLines(f, l, 36)
	case TD3, MRVA:
		return b.twoLines(f, l, 44)
	case FrenchNationalID:
		return b.frenchID(f)
	case FrenchDrivingLicense:
		return b.frenchLicence(f)
	case SwissDrivingLicense:
		return b.swissLicence(f)
	}
	return nil, &Error{Code: CodeField, Detail: fmt.Sprintf("unknown layout %q", string(l))}
}

// builder remembers the first field that did not fit.
type builder struct{ err error }

// field pads v to n characters; spaces become fillers.
func (b *builder) field(name, v string, n int) string {
	v = strings.ReplaceAll(v, " ", "<")
	for i := 0; i < len(v); i++ {
		if value[v[i]] < 0 {
			b.fail(name, "only A-Z, 0-9, < and space can be printed")
			return strings.Repeat("<", n)
		}
	}
	if len(v) > n {
		b.fail(name, fmt.Sprintf("longer than %d characters", n))
		v = v[:n]
	}
	return v + strings.Repeat("<", n-len(v))
}

func (b *builder) fail(name, detail string) {
	if b.err == nil {
		b.err = &Error{Code: CodeField, Field: name, Detail: name + ": " + detail}
	}
}

func (b *builder) lines(l ...string) ([]string, error) {
	if b.err != nil {
		return nil, b.err
	}
	return l, nil
}

// names joins the identifiers with a double filler and shortens them to n:
// first the secondary one, and the primary one only as far as leaves room for
// an initial (9303-4 §4.2.2.1, the same in parts 5 to 7).
func (b *builder) names(surname, given string, n int) string {
	s, g := strings.ReplaceAll(surname, " ", "<"), strings.ReplaceAll(given, " ", "<")
	if g != "" {
		if len(s) > n-3 {
			s = strings.TrimRight(s[:n-3], "<")
		}
		s += "<<" + g
	}
	if len(s) > n {
		s = s[:n]
	}
	return b.field("names", s, n)
}

func (b *builder) date(name, v string) string {
	if v == "" {
		return "<<<<<<"
	}
	if len(v) != 6 {
		b.fail(name, "a date is six characters, YYMMDD")
	}
	return b.field(name, v, 6)
}

func (b *builder) sex(v string) string {
	switch v {
	case "":
		return "<"
	case "M", "F", "X", "<":
		return v
	}
	b.fail("sex", "is M, F, X or <")
	return "<"
}

func with(s string) string { return s + string(digitOf(s)) }

func digitOf(parts ...string) byte {
	sum, n := 0, 0
	for _, p := range parts {
		sum, n = digitSum(sum, n, p)
	}
	return byte('0' + sum)
}

// number returns the document number with its digit, 10 characters, and the
// optional data that follow, in which a longer number ends.
func (b *builder) number(number, optional string, room int) (string, string) {
	if len(number) <= 9 {
		return with(b.field("documentNumber", number, 9)), b.field("optional1", optional, room)
	}
	whole := b.field("documentNumber", number, min(len(number), 9+room-1))
	if strings.Contains(whole, "<") {
		// The first filler after the ninth character ends a long number.
		b.fail("documentNumber", "a number longer than nine characters can hold no fillers")
	}
	rest := whole[9:] + string(digitOf(whole))
	if optional != "" {
		rest += "<" + optional
	}
	return whole[:9] + "<", b.field("optional1", rest, room)
}

func (b *builder) td1(f Fields) ([]string, error) {
	number, optional1 := b.number(f.DocumentNumber, f.Optional1, 15)
	one := b.field("documentCode", f.DocumentCode, 2) + b.field("issuingState", f.IssuingState, 3) + number + optional1
	birth, expiry := with(b.date("birthDate", f.BirthDate)), with(b.date("expirationDate", f.ExpirationDate))
	optional2 := b.field("optional2", f.Optional2, 11)
	two := birth + b.sex(f.Sex) + expiry + b.field("nationality", f.Nationality, 3) + optional2
	two += string(digitOf(one[5:30], birth, expiry, optional2))
	return b.lines(one, two, b.names(f.Surname, f.GivenNames, 30))
}

func (b *builder) twoLines(f Fields, l Layout, width int) ([]string, error) {
	one := b.field("documentCode", f.DocumentCode, 2) + b.field("issuingState", f.IssuingState, 3) + b.names(f.Surname, f.GivenNames, width-5)
	birth, expiry := with(b.date("birthDate", f.BirthDate)), with(b.date("expirationDate", f.ExpirationDate))
	middle := b.field("nationality", f.Nationality, 3) + birth + b.sex(f.Sex) + expiry
	var two string
	switch l {
	case TD2:
		number, optional := b.number(f.DocumentNumber, f.Optional1, 7)
		two = number + middle + optional
		two += string(digitOf(number, birth, expiry, optional))
	case TD3:
		number := with(b.field("documentNumber", f.DocumentNumber, 9))
		personal := with(b.field("optional1", f.Optional1, 14))
		if f.Optional1 == "" {
			personal = strings.Repeat("<", 15)
		}
		two = number + middle + personal
		two += string(digitOf(number, birth, expiry, personal))
	default:
		two = with(b.field("documentNumber", f.DocumentNumber, 9)) + middle + b.field("optional1", f.Optional1, width-28)
	}
	return b.lines(one, two)
}

func (b *builder) frenchID(f Fields) ([]string, error) {
	if f.DocumentCode != "ID" || f.IssuingState != "FRA" {
		b.fail("issuingState", "the layout begins with IDFRA")
	}
	one := "IDFRA" + b.field("surname", f.Surname, 25) + b.field("administrativeCode", f.AdministrativeCode, 6)
	two := with(b.field("documentNumber", f.DocumentNumber, 12)) + b.field("givenNames", f.GivenNames, 14) +
		with(b.date("birthDate", f.BirthDate)) + b.sex(f.Sex)
	return b.lines(one, two+string(digitOf(one, two)))
}

func (b *builder) frenchLicence(f Fields) ([]string, error) {
	one := with(b.field("documentCode", f.DocumentCode, 2) + b.field("issuingState", f.IssuingState, 3) + b.field("documentNumber", f.DocumentNumber, 9))
	return b.lines(with(one + b.date("expirationDate", f.ExpirationDate) + b.names(f.Surname, "", 8)))
}

func (b *builder) swissLicence(f Fields) ([]string, error) {
	two := b.field("documentCode", f.DocumentCode, 2) + b.field("issuingState", f.IssuingState, 3) + b.field("optional1", f.Optional1, 12) +
		"<<" + b.date("birthDate", f.BirthDate) + "<<<<<"
	return b.lines(b.field("documentNumber", f.DocumentNumber, 9), two, b.names(f.Surname, f.GivenNames, 30))
}
