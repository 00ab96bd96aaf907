package barcode

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// Licence is the content of a North American driving licence's barcode: the
// AAMVA DL/ID Card Design Standard, annex D.
type Licence struct {
	// Issuer is the six-digit issuer identification number.
	Issuer string `json:"issuer"`
	// Version of the standard that the card follows; 0 for the oldest cards.
	Version int `json:"version"`
	// Elements by their three-letter ids (DCS family name, DBB date of birth,
	// DAQ customer number, …), trimmed.
	Elements map[string]string `json:"elements"`
}

// ErrNotAAMVA is returned for content of another kind.
var ErrNotAAMVA = errors.New("barcode: not an AAMVA driving licence")

const maxElements = 128

// ParseAAMVA reads the content of a licence's PDF417 symbol. Compliant cards
// open with "@", LF, RS, CR and "ANSI " or "AAMVA"; many issuers get the
// separators wrong, so only the file type, the issuer and the element ids are
// relied on.
func ParseAAMVA(b []byte) (*Licence, error) {
	if len(b) > maxBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrNotAAMVA, len(b))
	}
	if len(b) == 0 || b[0] != '@' {
		return nil, ErrNotAAMVA
	}
	head := b[:min(len(b), 16)]
	at := -1
	for _, kind := range []string{"ANSI ", "AAMVA", "@AMVA", "ANSI"} {
		if i := bytes.Index(head, []byte(kind)); i >= 0 {
			at = i + len(kind)
			break
		}
	}
	if at < 0 {
		return nil, ErrNotAAMVA
	}
	for at < len(b) && b[at] == ' ' {
		at++
	}
	digits := digitsAt(b, at, 12)
	if len(digits) < 8 {
		return nil, fmt.Errorf("%w: no issuer number", ErrNotAAMVA)
	}
	l := &Licence{Issuer: digits[:6], Elements: map[string]string{}}
	l.Version = int(digits[6]-'0')*10 + int(digits[7]-'0')
	// Elements are separated by LF; the subfile header before the first one
	// ("DL00410278DLDAQ…") has none.
	body := b[at+len(digits):]
	for _, field := range bytes.FieldsFunc(body, func(r rune) bool { return r == '\n' || r == '\r' || r == 0x1e || r == 0x1d }) {
		if len(l.Elements) >= maxElements {
			break
		}
		id, value, ok := element(printable(field))
		if ok {
			if _, dup := l.Elements[id]; !dup {
				l.Elements[id] = value
			}
		}
	}
	if len(l.Elements) == 0 {
		return nil, fmt.Errorf("%w: no data elements", ErrNotAAMVA)
	}
	return l, nil
}

func digitsAt(b []byte, at, most int) string {
	end := at
	for end < len(b) && end-at < most && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	return string(b[min(at, len(b)):end])
}

// element splits "DCSDOE" into DCS and DOE. The first element of a subfile is
// preceded by the subfile designator and its type.
func element(s string) (id, value string, ok bool) {
	for _, kind := range []string{"DL", "ID", "EN"} {
		// "…DL00410278" + "DL" + "DAQ123": the last designator that an id follows.
		if i := strings.LastIndex(s, kind+"D"); i >= 0 && i+5 <= len(s) && (i == 0 || isDigit(s[i-1])) && isID(s[i+2:i+5]) {
			s = s[i+2:]
			break
		}
	}
	if len(s) < 3 || !isID(s[:3]) {
		return "", "", false
	}
	return s[:3], strings.TrimSpace(s[3:]), true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isID: mandatory and optional elements begin with D, jurisdiction-specific
// ones with Z.
func isID(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return s[0] == 'D' || s[0] == 'Z'
}

// printable drops control characters: values end up in comparisons and in
// encrypted results, never in a terminal as escape sequences.
func printable(b []byte) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, string(b))
}

// Date reads an AAMVA date: MMDDCCYY (USA, version 2 and later) or CCYYMMDD
// (Canada, and the first cards). ok is false when it is neither.
func Date(s string) (iso string, ok bool) {
	if len(s) != 8 || digitsAt([]byte(s), 0, 8) != s {
		return "", false
	}
	year := func(y string) bool { return y[:2] == "19" || y[:2] == "20" }
	inRange := func(m, d string) bool { return m >= "01" && m <= "12" && d >= "01" && d <= "31" }
	switch {
	case year(s[4:]) && inRange(s[:2], s[2:4]):
		return s[4:] + "-" + s[:2] + "-" + s[2:4], true
	case year(s[:4]) && inRange(s[4:6], s[6:]):
		return s[:4] + "-" + s[4:6] + "-" + s[6:], true
	}
	return "", false
}
