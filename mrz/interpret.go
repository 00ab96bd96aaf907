package mrz

import (
	"cmp"
	"strconv"
	"time"
)

// interpret fills Interpreted and adds an error for each field whose content
// the grammar of its layout does not allow.
func (d *Document) interpret(now time.Time) {
	f, in := &d.Fields, &d.Interpreted
	pos := positionsOf(d.Format)
	today := dayOf(now)
	var room [2 * len("2006-01-02")]byte
	dates, born := room[:0], 0 // both dates share one string
	in.DocumentType = documentType(d.Format, f.DocumentCode)
	d.checkDocumentCode()
	if p := pos.state; p.line > 0 {
		in.IssuingStateName = d.state("issuingState", p, f.IssuingState)
	}
	if p := pos.nationality; p.line > 0 {
		in.NationalityName = d.state("nationality", p, f.Nationality)
	}
	birthYear := 0
	if p := pos.birth; p.line > 0 {
		birth := d.date("birthDate", p, f.BirthDate)
		birthYear = birth.bornBy(today)
		dates = birth.iso(dates, birthYear)
		born = len(dates)
		in.BirthDatePrecision = birth.precision()
		if birth.yearKnown() {
			in.BirthDateCentury = "latest_not_in_future"
		}
	}
	if p := pos.expiry; p.line > 0 {
		expiry := d.date("expirationDate", p, f.ExpirationDate)
		year := expiry.endsNear(today, birthYear)
		dates = expiry.iso(dates, year)
		in.ExpirationDatePrecision = expiry.precision()
		if expiry.yearKnown() {
			in.ExpirationDateCentury = "within_69_years_past_to_30_ahead"
		}
	}
	both := string(dates)
	in.BirthDate, in.ExpirationDate = both[:born], both[born:]
	if p := pos.sex; p.line > 0 {
		switch f.Sex {
		case "M":
			in.Sex = "male"
		case "F":
			in.Sex = "female"
		case "<":
			in.Sex = "unspecified"
		case "X":
			// 9303 prints < in the zone and X in the visual zone; several
			// states print X in both, which says the same.
			in.Sex = "unspecified"
		default:
			d.fail(&Error{Code: CodeSex, Line: p.line, Column: p.col, Field: "sex", Detail: "sex is M, F, X or <"})
		}
	}
}

type position struct{ line, col int }

type positions struct{ state, nationality, birth, expiry, sex position }

// Where each layout prints the fields that interpret looks at.
var (
	threeLines    = positions{position{1, 3}, position{2, 16}, position{2, 1}, position{2, 9}, position{2, 8}}
	twoLines      = positions{position{1, 3}, position{2, 11}, position{2, 14}, position{2, 22}, position{2, 21}}
	frenchID      = positions{state: position{1, 3}, birth: position{2, 28}, sex: position{2, 35}}
	frenchLicence = positions{state: position{1, 3}, expiry: position{1, 16}}
	swissLicence  = positions{state: position{2, 3}, birth: position{2, 20}}
)

func positionsOf(l Layout) *positions {
	switch l {
	case TD1:
		return &threeLines
	case FrenchNationalID:
		return &frenchID
	case FrenchDrivingLicense:
		return &frenchLicence
	case SwissDrivingLicense:
		return &swissLicence
	}
	return &twoLines
}

// documentType follows 9303-4 §4.4 (P), note k to 9303-5 and -6 §4.2.2 (A, C,
// I), 9303-5 appendix C (AC for crew members) and 9303-7 §§4.2.2, 7.2.2 (V).
func documentType(l Layout, code string) string {
	switch {
	case l == FrenchDrivingLicense || l == SwissDrivingLicense:
		return "driving_licence"
	case code == "AC":
		return "crew_certificate"
	case code == "":
		return "other"
	}
	switch code[0] {
	case 'P':
		return "passport"
	case 'V':
		return "visa"
	case 'A', 'C', 'I':
		return "identity_card"
	}
	return "other"
}

// checkDocumentCode reports a first letter that the parts of Doc 9303 do not
// foresee for the size of the document.
func (d *Document) checkDocumentCode() {
	line, ok := 1, false
	var first byte
	if d.Fields.DocumentCode != "" {
		first = d.Fields.DocumentCode[0]
	}
	switch d.Format {
	case TD1, TD2:
		ok = first == 'A' || first == 'C' || first == 'I' || first == 'P'
	case TD3:
		ok = first == 'P'
	case FrenchDrivingLicense:
		ok = first == 'D'
	case SwissDrivingLicense:
		line, ok = 2, first == 'F'
	default:
		ok = true // the letter chose the layout
	}
	if !ok {
		d.fail(&Error{Code: CodeDocumentCode, Line: line, Column: 1, Field: "documentCode", Detail: "document code is not one of " + string(d.Format)})
	}
}

func (d *Document) state(field string, p position, code string) string {
	name, ok := StateName(code)
	if !ok {
		d.fail(&Error{Code: CodeState, Line: p.line, Column: p.col, Field: field, Detail: field + " is not in the table of 9303-3 §5"})
	}
	return name
}

// date is a YYMMDD value; -1 marks a part printed as fillers (9303-3 §4.8).
type date struct{ yy, mm, dd int }

func (d *Document) date(field string, p position, s string) date {
	part := func(i int) int {
		if s[i:i+2] == "<<" {
			return -1
		}
		n, err := strconv.Atoi(s[i : i+2])
		if err != nil || s[i] == '+' || s[i] == '-' {
			return -2
		}
		return n
	}
	v := date{part(0), part(2), part(4)}
	bad := ""
	switch {
	case v.yy == -2 || v.mm == -2 || v.dd == -2:
		d.wantDate(field, p, s)
		return date{-2, -2, -2}
	case v.yy < 0 && (v.mm >= 0 || v.dd >= 0), v.mm < 0 && v.dd >= 0:
		bad = "known part after an unknown one"
	case v.mm == 0 || v.mm > 12:
		bad = "no such month"
	case v.mm > 0 && (v.dd == 0 || v.dd > daysIn(v.yy, v.mm)):
		bad = "no such day"
	default:
		return v
	}
	d.fail(&Error{Code: CodeDate, Line: p.line, Column: p.col, Field: field, Detail: field + ": " + bad})
	return date{-2, -2, -2}
}

func (d *Document) wantDate(field string, p position, s string) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			d.fail(&Error{Code: CodeDigits, Line: p.line, Column: p.col + i, Field: field, Detail: "digit expected in " + field})
			return
		}
	}
}

// daysIn allows 29 February in every year divisible by four, whichever the
// century: 1900 and 2000 look alike in two digits.
func daysIn(yy, mm int) int {
	switch mm {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if yy%4 == 0 {
			return 29
		}
		return 28
	}
	return 31
}

func (v date) yearKnown() bool { return v.yy >= 0 }

// day is a date with its century.
type day struct{ year, month, day int }

func dayOf(t time.Time) day {
	y, m, d := t.UTC().Date()
	return day{y, int(m), d}
}

func (d day) after(o day) bool {
	return cmp.Or(cmp.Compare(d.year, o.year), cmp.Compare(d.month, o.month), cmp.Compare(d.day, o.day)) > 0
}

// bornBy chooses the latest century in which the date is not after today.
func (v date) bornBy(today day) int {
	if v.yy < 0 {
		return 0
	}
	y := today.year/100*100 + v.yy
	if (day{y, max(v.mm, 1), max(v.dd, 1)}).after(today) {
		y -= 100
	}
	return y
}

// endsNear chooses the century that puts an expiry between 69 years before
// and 30 years after today (no document is issued for longer), but not before
// the holder's birth.
func (v date) endsNear(today day, birthYear int) int {
	if v.yy < 0 {
		return 0
	}
	y := today.year/100*100 + v.yy
	if y > today.year+30 {
		y -= 100
	} else if y < today.year-69 {
		y += 100
	}
	if y < birthYear {
		y += 100
	}
	return y
}

func (v date) precision() string {
	switch {
	case v.yy == -2:
		return ""
	case v.yy < 0:
		return "none"
	case v.mm < 0:
		return "year"
	case v.dd < 0:
		return "month"
	}
	return "day"
}

// iso appends the date in ISO 8601, as far as it is known.
func (v date) iso(b []byte, year int) []byte {
	if v.yy < 0 {
		return b
	}
	b = append(b, byte('0'+year/1000%10), byte('0'+year/100%10), byte('0'+year/10%10), byte('0'+year%10))
	for _, n := range [2]int{v.mm, v.dd} {
		if n < 0 {
			break
		}
		b = append(b, '-', byte('0'+n/10), byte('0'+n%10))
	}
	return b
}
