package barcode

import (
	"strings"
	"time"
	"unicode/utf8"
)

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
