package barcode

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Licence is the content of a North American driving licence's barcode: the
// AAMVA DL/ID Card Design Standard, annex D.
type Licence struct {
	// Issuer is the six-digit issuer identification number.
	Issuer string `json:"issuer"`
	// Version of the standard that the card follows; 0 for the oldest cards.
	Version int `json:"version"`
	// Type is that of the first subfile: DL a licence, ID an identity card, EN an
	// enhanced licence; empty when it could not be told.
	Type string `json:"type,omitempty"`
	// Elements by their three-letter ids (DCS family name, DBB date of birth,
	// DAQ customer number, …), trimmed, without control characters.
	Elements map[string]string `json:"elements"`
	// Oddities are deviations from the standard, without any value.
	Oddities []Oddity `json:"oddities,omitempty"`
}

// Oddity is one deviation of a payload from the standard.
type Oddity struct {
	Code    string `json:"code"`
	Element string `json:"element,omitempty"`
}

// The codes of Oddity. Suspicious ones do not happen on cards by mere
// sloppiness; the others do.
const (
	OddHeader     = "header"             // separators or file type written otherwise than D.12.3 says
	OddSeparators = "separators"         // elements follow each other without a separator
	OddDuplicate  = "duplicate_element"  // an element twice with different values: suspicious
	OddUnknown    = "unknown_element"    // not in the standard
	OddTooLong    = "element_too_long"   // longer than any version allows: suspicious beyond twice that
	OddOversized  = "element_oversized"  // more than twice as long: suspicious
	OddControl    = "control_characters" // inside a value: suspicious
	OddEncoding   = "encoding"           // bytes that are no text in ISO 8859-1 or UTF-8: suspicious
	OddDate       = "impossible_date"    // suspicious
	OddTooMany    = "too_many_elements"  // suspicious
	OddIssuer     = "issuer_unknown"     // a number that AAMVA has not assigned
	OddRegion     = "issuer_mismatch"    // jurisdiction or country are not the issuer's: suspicious
	OddAge        = "age_threshold"      // the days of turning 18, 19 or 21 are not those of the date of birth: suspicious
	OddPercent    = "format_directives"  // "%s", "${": nothing that a card says: suspicious
)

// Suspicious reports whether the deviation is one that only a made-up or broken
// payload has.
func (o Oddity) Suspicious() bool {
	return slices.Contains([]string{OddDuplicate, OddOversized, OddControl, OddEncoding, OddDate, OddTooMany, OddRegion, OddAge, OddPercent}, o.Code)
}

// ErrNotAAMVA is returned for content of another kind.
var ErrNotAAMVA = errors.New("barcode: not an AAMVA driving licence")

const maxElements = 128

// ParseAAMVA reads the content of a licence's PDF417 symbol. Compliant cards
// open with "@", LF, RS, CR and "ANSI " or "AAMVA"; many issuers get the
// separators wrong, so only the file type, the issuer and the element ids are
// relied on. What is odd about the content is listed in Oddities; a payload can
// be anything, and nothing of it is trusted.
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
	l := &Licence{Elements: map[string]string{}}
	if !bytes.HasPrefix(b, []byte("@\n\x1e\rANSI ")) && !bytes.HasPrefix(b, []byte("@\n\x1e\rAAMVA")) {
		l.odd(OddHeader, "")
	}
	for at < len(b) && b[at] == ' ' {
		at++
	}
	digits := digitsAt(b, at, 12)
	if len(digits) < 8 {
		return nil, fmt.Errorf("%w: no issuer number", ErrNotAAMVA)
	}
	l.Issuer = digits[:6]
	l.Version = int(digits[6]-'0')*10 + int(digits[7]-'0')
	body, encoded := text(b[at+len(digits):])
	if !encoded {
		l.odd(OddEncoding, "")
	}
	fields := strings.FieldsFunc(body, func(r rune) bool { return r == '\n' || r == '\r' || r == 0x1e || r == 0x1d })
	l.readElements(fields)
	if len(l.Elements) == 0 {
		return nil, fmt.Errorf("%w: no data elements", ErrNotAAMVA)
	}
	l.check()
	return l, nil
}

// readElements takes the elements out of the separated fields. The subfile
// header before the first element ("DL00410278DLDAQ…") has no separator.
func (l *Licence) readElements(fields []string) {
	if len(fields) <= 3 {
		var glued []string
		for _, f := range fields {
			parts := unglue(f)
			if len(parts) > 1 {
				l.odd(OddSeparators, "")
			}
			glued = append(glued, parts...)
		}
		fields = glued
	}
	for _, field := range fields {
		if len(l.Elements) >= maxElements {
			l.odd(OddTooMany, "")
			return
		}
		id, value, kind, ok := element(field)
		if !ok {
			continue
		}
		if l.Type == "" {
			l.Type = kind
		}
		clean := printable(value)
		if clean != value {
			l.odd(OddControl, id)
		}
		clean = strings.TrimSpace(clean)
		if old, dup := l.Elements[id]; dup {
			if old != clean {
				l.odd(OddDuplicate, id)
			}
			continue
		}
		l.Elements[id] = clean
	}
}

// check lists what about the elements is not as the standard has it.
func (l *Licence) check() {
	for id, v := range l.Elements {
		info, known := tables().elements[id]
		n := utf8.RuneCountInString(v)
		switch {
		case !known && id[0] != 'Z':
			l.odd(OddUnknown, id)
		case known && n > 2*info.Max, n > 200:
			l.odd(OddOversized, id)
		case known && n > info.Max:
			l.odd(OddTooLong, id)
		}
		if strings.Contains(v, "${") || hasDirective(v) {
			l.odd(OddPercent, id)
		}
		if info.Kind == "date" && v != "" && strings.Trim(v, "0") != "" {
			if _, ok := Date(v); !ok && !strings.EqualFold(v, "NONE") {
				l.odd(OddDate, id)
			}
		}
	}
	l.checkAges()
	issuer, ok := Issuer(l.Issuer)
	switch {
	case !ok:
		l.odd(OddIssuer, "")
	default:
		if v := l.Elements["DAJ"]; v != "" && v != issuer.Code && l.Elements["DAO"] == "" {
			l.odd(OddRegion, "DAJ")
		}
		if v := l.Elements["DCG"]; v != "" && v != issuer.Country && !(issuer.Country == "CAN" && v == "CDN") {
			l.odd(OddRegion, "DCG")
		}
	}
	slices.SortFunc(l.Oddities, func(a, b Oddity) int { return strings.Compare(a.Code+a.Element, b.Code+b.Element) })
}

// odd notes a deviation once. Codes and elements bound their number.
func (l *Licence) odd(code, element string) {
	if o := (Oddity{code, element}); !slices.Contains(l.Oddities, o) {
		l.Oddities = append(l.Oddities, o)
	}
}

// Country is that of element DCG, of the issuer where the card has none.
func (l *Licence) Country() string {
	switch v := l.Elements["DCG"]; {
	case v == "CDN":
		return "CAN"
	case v != "":
		return v
	}
	i, _ := Issuer(l.Issuer)
	return i.Country
}

// Truncated says that a name was too long for its element (DDE, DDF, DDG).
func (l *Licence) Truncated(id string) bool { return l.Elements[id] == "T" }

// hasDirective finds what a C program would take for a format, "%n", "%08x". A
// per cent sign alone may stand in an address.
func hasDirective(s string) bool {
	for i := strings.IndexByte(s, '%'); i >= 0 && i+1 < len(s); {
		j := i + 1
		for j < len(s) && strings.IndexByte("0123456789.-+#*$lh", s[j]) >= 0 {
			j++
		}
		if j < len(s) && strings.IndexByte("diouxXeEfgGcspnvq", s[j]) >= 0 {
			return true
		}
		k := strings.IndexByte(s[i+1:], '%')
		if k < 0 {
			return false
		}
		i += 1 + k
	}
	return false
}

// text decodes: UTF-8 where it is that, else ISO 8859-1, the character set of
// the standard (D.5). ok is false where neither gives text.
func text(b []byte) (s string, ok bool) {
	if utf8.Valid(b) {
		return string(b), true
	}
	r := make([]rune, len(b))
	ok = true
	for i, c := range b {
		r[i] = rune(c)
		if c >= 0x80 && c < 0xa0 { // C1 control characters
			ok = false
		}
	}
	return string(r), ok
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
func element(s string) (id, value, kind string, ok bool) {
	for _, k := range []string{"DL", "ID", "EN"} {
		// "…DL00410278" + "DL" + "DAQ123": the last designator that a known id
		// follows. A value such as "…1IDDAC" is not cut: only before the first
		// element there are nothing but designators and digits.
		i := strings.LastIndex(s, k)
		for ; i >= 0; i = strings.LastIndex(s[:i], k) {
			if i+5 <= len(s) && isID(s[i+2:i+5]) && onlySubfiles(s[:i]) {
				break
			}
		}
		if i >= 0 {
			s, kind = s[i+2:], k
			break
		}
	}
	// "ZT" and what follows it: a jurisdiction's own subfile.
	if len(s) >= 5 && s[0] == 'Z' && s[2] == 'Z' && isID(s[2:5]) {
		s = s[2:]
	}
	if len(s) < 3 || !isID(s[:3]) {
		return "", "", "", false
	}
	return s[:3], s[3:], kind, true
}

// onlySubfiles: two letters and eight digits, repeated, or nothing.
func onlySubfiles(s string) bool {
	for len(s) >= 10 {
		if !isUpper(s[0]) || !isUpper(s[1]) || len(digitsAt([]byte(s), 2, 8)) != 8 {
			return false
		}
		s = s[10:]
	}
	return s == ""
}

// unglue splits elements that follow each other without separators, as readers
// that drop control characters leave them: at each id of the standard that was
// not there before. A name may hold such letters ("HUNDAKER" holds DAK only
// after it was seen), so the result is marked.
func unglue(s string) []string {
	seen := map[string]bool{}
	var out []string
	start := 0
	for i := 0; i+3 <= len(s); i++ {
		id := s[i : i+3]
		if _, known := tables().elements[id]; !known || seen[id] {
			continue
		}
		seen[id] = true
		if len(seen) > 1 {
			out = append(out, s[start:i])
			start = i
		}
		i += 2
		if len(out) > maxElements {
			break
		}
	}
	return append(out, s[start:])
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// isID: mandatory and optional elements begin with D, those of learners'
// permits with P, jurisdiction-specific ones with Z.
func isID(s string) bool {
	for i := range len(s) {
		if !isUpper(s[i]) {
			return false
		}
	}
	return s[0] == 'D' || s[0] == 'Z' || s[0] == 'P'
}

// printable drops control characters: values end up in comparisons and in
// encrypted results, never in a terminal as escape sequences.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, s)
}

// Date reads an AAMVA date: MMDDCCYY (USA, version 2 and later) or CCYYMMDD
// (Canada, and the first cards). ok is false when it is neither.
func Date(s string) (iso string, ok bool) {
	if len(s) != 8 || digitsAt([]byte(s), 0, 8) != s {
		return "", false
	}
	for _, layout := range []string{"01022006", "20060102"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1900 && t.Year() < 2100 {
			return t.Format(time.DateOnly), true
		}
	}
	return "", false
}
