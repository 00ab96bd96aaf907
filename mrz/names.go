package mrz

import "strings"

// trimEnd removes fillers at the end.
func trimEnd(s string) string { return strings.TrimRight(s, "<") }

// spaced removes fillers at both ends and turns each run of inner fillers
// into one space.
func spaced(s string) string {
	s = strings.Trim(s, "<")
	if strings.IndexByte(s, '<') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '<' {
			b.WriteByte(s[i])
		} else if s[i-1] != '<' {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// setNames splits the name field at the first double filler: the primary
// identifier before it, the secondary one after it (9303-3 §4.6). A field
// without one holds a primary identifier only; a field that begins with one
// has no primary identifier, as India prints for holders with given names only.
func (d *Document) setNames(line, col int, s string) {
	f := &d.Fields
	if i := strings.Index(s, "<<"); i >= 0 {
		f.Surname, f.GivenNames = spaced(s[:i]), spaced(s[i:])
	} else {
		f.Surname = spaced(s)
	}
	d.Interpreted.NamesTruncated = s[len(s)-1] != '<'
	d.Interpreted.SingleName = (f.Surname == "") != (f.GivenNames == "")
	if f.Surname == "" && f.GivenNames == "" {
		d.fail(&Error{Code: CodeName, Line: line, Column: col, Field: "surname", Detail: "no name"})
		return
	}
	for i := 0; i < len(s); i++ {
		if s[i] >= '0' && s[i] <= '9' {
			// 9303-3 §4.6: numeric characters shall not be used in it.
			d.fail(&Error{Code: CodeLetters, Line: line, Column: col + i, Field: "surname", Detail: "digit in the name field"})
			return
		}
	}
}
