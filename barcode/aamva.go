package barcode

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
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
