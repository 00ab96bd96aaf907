package mrz

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Parse reads the lines of one zone. The error is an *Error and means that no
// known layout fits (wrong number or length of lines, characters outside A-Z,
// 0-9 and <); everything else is in the Document. Centuries are chosen as of
// today; see ParseAt.
func Parse(lines []string) (*Document, error) {
	return ParseAt(lines, time.Now())
}

// ParseAt is Parse as of another day. Two-digit years only mean something
// relative to a day; nothing else depends on it.
func ParseAt(lines []string, now time.Time) (*Document, error) {
	l, err := checkLines(lines)
	if err != nil {
		return nil, err
	}
	// Document and lines are one allocation.
	whole := &struct {
		Document
		lines [maxLines]string
	}{}
	d := &whole.Document
	d.Format, d.Lines = l, append(whole.lines[:0], lines...)
	switch l {
	case TD1:
		d.parseTD1()
	case TD2, MRVB:
		d.parseTwoLines(36)
	case TD3, MRVA:
		d.parseTwoLines(44)
	case FrenchNationalID:
		d.parseFrenchID()
	case FrenchDrivingLicense:
		d.parseFrenchLicence()
	case SwissDrivingLicense:
		d.parseSwissLicence()
	}
	d.Valid = d.Checks.allHold()
	d.interpret(now)
	if len(d.Errors) > 1 {
		slices.SortStableFunc(d.Errors, func(a, b *Error) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	}
	return d, nil
}

// parseTD1 follows 9303-5 §4.2.2.
func (d *Document) parseTD1() {
	a, b, c := d.Lines[0], d.Lines[1], d.Lines[2]
	f := &d.Fields
	f.DocumentCode, f.IssuingState = trimEnd(a[0:2]), trimEnd(a[2:5])
	d.setNumber(1, 6, a[5:14], a[14], a[15:30], &f.Optional1)
	f.BirthDate, f.Sex, f.ExpirationDate = b[0:6], b[7:8], b[8:14]
	f.Nationality, f.Optional2 = trimEnd(b[15:18]), spaced(b[18:29])
	d.setNames(3, 1, c)
	d.Checks.BirthDate = d.check("birthDate", 2, 7, b[6], b[0:6])
	d.Checks.ExpirationDate = d.check("expirationDate", 2, 15, b[14], b[8:14])
	d.Checks.Composite = d.check("composite", 2, 30, b[29], a[5:30], b[0:7], b[8:15], b[18:29])
}

// parseTwoLines follows 9303-6 §4.2.2 (TD2), 9303-4 §4.2.2 (TD3) and 9303-7
// §§4.2.2, 7.2.2 (visas): the first 28 columns of line 2 agree.
func (d *Document) parseTwoLines(width int) {
	a, b := d.Lines[0], d.Lines[1]
	f := &d.Fields
	f.DocumentCode, f.IssuingState = trimEnd(a[0:2]), trimEnd(a[2:5])
	d.setNames(1, 6, a[5:width])
	f.Nationality, f.BirthDate, f.Sex, f.ExpirationDate = trimEnd(b[10:13]), b[13:19], b[20:21], b[21:27]
	switch d.Format {
	case TD2:
		d.setNumber(2, 1, b[0:9], b[9], b[28:35], &f.Optional1)
		d.Checks.Composite = d.check("composite", 2, 36, b[35], b[0:10], b[13:20], b[21:35])
	case TD3:
		f.DocumentNumber, f.Optional1 = trimEnd(b[0:9]), spaced(b[28:42])
		d.Checks.DocumentNumber = d.check("documentNumber", 2, 10, b[9], b[0:9])
		// An empty personal number may carry < in place of its digit
		// (9303-4 §4.2.2.2).
		if f.Optional1 == "" && b[42] == '<' {
			d.Checks.PersonalNumber = Passed
		} else {
			d.Checks.PersonalNumber = d.check("personalNumber", 2, 43, b[42], b[28:42])
		}
		d.Checks.Composite = d.check("composite", 2, 44, b[43], b[0:10], b[13:20], b[21:43])
	default:
		f.DocumentNumber, f.Optional1 = trimEnd(b[0:9]), spaced(b[28:width])
		d.Checks.DocumentNumber = d.check("documentNumber", 2, 10, b[9], b[0:9])
	}
	d.Checks.BirthDate = d.check("birthDate", 2, 20, b[19], b[13:19])
	d.Checks.ExpirationDate = d.check("expirationDate", 2, 28, b[27], b[21:27])
}

// parseFrenchID reads the card issued from 1987 to 2021, an IDFRA zone of two
// lines of 36 that is not a TD2.
func (d *Document) parseFrenchID() {
	a, b := d.Lines[0], d.Lines[1]
	f := &d.Fields
	f.DocumentCode, f.IssuingState = a[0:2], a[2:5]
	f.Surname, f.AdministrativeCode = spaced(a[5:30]), trimEnd(a[30:36])
	f.DocumentNumber, f.GivenNames = trimEnd(b[0:12]), spaced(b[13:27])
	f.BirthDate, f.Sex = b[27:33], b[34:35]
	d.Interpreted.NamesTruncated = a[29] != '<' || b[26] != '<'
	d.Checks.DocumentNumber = d.check("documentNumber", 2, 13, b[12], b[0:12])
	d.Checks.BirthDate = d.check("birthDate", 2, 34, b[33], b[27:33])
	d.Checks.Composite = d.check("composite", 2, 36, b[35], a, b[0:35])
}

// parseFrenchLicence reads the one line of the European card in the layout
// that France has printed since 2013: code, state, number, expiry, name.
func (d *Document) parseFrenchLicence() {
	a := d.Lines[0]
	f := &d.Fields
	f.DocumentCode, f.IssuingState, f.DocumentNumber = trimEnd(a[0:2]), trimEnd(a[2:5]), trimEnd(a[5:14])
	f.ExpirationDate, f.Surname = a[15:21], spaced(a[21:29])
	d.Interpreted.NamesTruncated = a[28] != '<'
	d.Checks.DocumentNumber = d.check("documentNumber", 1, 15, a[14], a[0:14])
	d.Checks.Composite = d.check("composite", 1, 30, a[29], a[0:29])
}

// parseSwissLicence reads the Swiss card, which has no check digits: the
// blank's number with a language letter, then holder number and version,
// then names.
func (d *Document) parseSwissLicence() {
	a, b, c := d.Lines[0], d.Lines[1], d.Lines[2]
	f := &d.Fields
	f.DocumentNumber = trimEnd(a)
	f.DocumentCode, f.IssuingState, f.Optional1, f.BirthDate = trimEnd(b[0:2]), trimEnd(b[2:5]), spaced(b[5:17]), b[19:25]
	d.setNames(3, 1, c)
	d.wantDigits("optional1", 2, 6, b[5:17])
	if b[17:19] != "<<" || b[25:30] != "<<<<<" {
		d.fail(&Error{Code: CodeSeparator, Line: 2, Column: 18, Detail: "fillers expected around the birth date"})
	}
}

// setNumber reads a document number that may continue in the optional data:
// a filler in place of the check digit, then the rest of the number, its check
// digit and a filler (note j to 9303-5 §4.2.2 and to 9303-6 §4.2.2).
func (d *Document) setNumber(line, col int, number string, digit byte, optional string, rest *string) {
	if digit != '<' || optional[0] == '<' {
		d.Fields.DocumentNumber, *rest = trimEnd(number), spaced(optional)
		d.Checks.DocumentNumber = d.check("documentNumber", line, col+9, digit, number)
		return
	}
	end := strings.IndexByte(optional, '<')
	if end < 0 {
		end = len(optional)
	}
	d.Interpreted.LongDocumentNumber = true
	d.Fields.DocumentNumber, *rest = number+optional[:end-1], spaced(optional[end:])
	if d.Fields.IssuingState == "BEL" && holds(optional[end-1], number, "<", optional[:end-1]) == Passed {
		// Belgian cards of some years count the filler as a character of the
		// number, which the standard does not (9303-5 §4.2.4).
		d.Checks.DocumentNumber = Passed
		return
	}
	d.Checks.DocumentNumber = d.check("documentNumber", line, col+9+end, optional[end-1], number, optional[:end-1])
}

func (d *Document) check(field string, line, col int, printed byte, parts ...string) Check {
	c := holds(printed, parts...)
	if c == Failed {
		d.fail(&Error{Code: CodeCheckDigit, Line: line, Column: col, Field: field, Detail: "check digit of " + field + " does not hold"})
	}
	return c
}

func (d *Document) fail(e *Error) { d.Errors = append(d.Errors, e) }

func (d *Document) wantDigits(field string, line, col int, s string) {
	for i := 0; i < len(s); i++ {
		if s[i] != '<' && (s[i] < '0' || s[i] > '9') {
			d.fail(&Error{Code: CodeDigits, Line: line, Column: col + i, Field: field, Detail: "digit expected in " + field})
			return
		}
	}
}
