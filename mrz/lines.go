package mrz

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The largest zone has three lines of 30 or two of 44 characters; text
// beyond these bounds is refused before it is looked at.
const (
	maxLines = 3
	maxText  = 4096
)

// ParseText splits text into lines (\n, \r\n or \r) and parses them. White
// space around lines and empty lines before, between and after are layout and
// are dropped; nothing else is cleaned or corrected.
func ParseText(text string) (*Document, error) {
	if len(text) > maxText {
		return nil, &Error{Code: CodeTooLarge, Detail: fmt.Sprintf("%d bytes of text; a zone has at most 90 characters", len(text))}
	}
	var lines []string
	for _, l := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		if l = strings.Trim(l, " \t"); l != "" {
			lines = append(lines, l)
		}
	}
	return Parse(lines)
}

// checkLines refuses what no zone can hold and names the layout.
func checkLines(lines []string) (Layout, error) {
	if len(lines) == 0 {
		return "", &Error{Code: CodeEmpty, Detail: "no lines"}
	}
	if len(lines) > maxLines {
		return "", &Error{Code: CodeTooManyLines, Detail: fmt.Sprintf("%d lines; a zone has one to three", len(lines))}
	}
	for i, l := range lines {
		if len(l) > maxText {
			return "", &Error{Code: CodeTooLarge, Line: i + 1, Detail: fmt.Sprintf("%d bytes in one line; at most 44", len(l))}
		}
		if err := checkCharacters(i+1, l); err != nil {
			return "", err
		}
	}
	if l := layoutOf(lines); l != "" {
		return l, nil
	}
	return "", lengthError(lines)
}

func checkCharacters(line int, l string) error {
	for j := 0; j < len(l); j++ {
		if value[l[j]] >= 0 {
			continue
		}
		e := &Error{Code: CodeCharacter, Line: line, Column: utf8.RuneCountInString(l[:j]) + 1}
		switch c := l[j]; {
		case c >= 'a' && c <= 'z':
			e.Code, e.Detail = CodeLowerCase, "lower-case letter; a zone is printed in capitals"
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(l[j:])
			if r == utf8.RuneError && size <= 1 {
				e.Detail = "byte that is not UTF-8"
			} else if looksLikeMRZ(r) {
				e.Code, e.Detail = CodeLookAlike, fmt.Sprintf("%U only looks like a zone character", r)
			} else {
				e.Detail = fmt.Sprintf("%U is not A-Z, 0-9 or <", r)
			}
		default:
			e.Detail = fmt.Sprintf("%U is not A-Z, 0-9 or <", rune(c))
		}
		return e
	}
	return nil
}

// looksLikeMRZ knows the characters that keyboards, fonts and OCR engines
// most often put in place of zone characters.
func looksLikeMRZ(r rune) bool {
	switch {
	case r >= 0xFF01 && r <= 0xFF5E: // full-width forms
		return true
	case r >= 0x0410 && r <= 0x042F, r >= 0x0391 && r <= 0x03A9: // Cyrillic and Greek capitals
		return true
	}
	return strings.ContainsRune("«‹〈＜≪⟨❮ｏ०٠○", r)
}

// layoutOf decides by the number and lengths of lines, then by the first
// characters, as Doc 9303 parts 4 to 7 distinguish the documents.
func layoutOf(lines []string) Layout {
	n := len(lines[0])
	switch {
	case len(lines) == 1 && n == 30:
		return FrenchDrivingLicense
	case len(lines) == 2 && n == 44 && len(lines[1]) == 44:
		if lines[0][0] == 'V' {
			return MRVA
		}
		return TD3
	case len(lines) == 2 && n == 36 && len(lines[1]) == 36:
		if lines[0][0] == 'V' {
			return MRVB
		}
		if strings.HasPrefix(lines[0], "IDFRA") {
			return FrenchNationalID
		}
		return TD2
	case len(lines) == 3 && len(lines[1]) == 30 && len(lines[2]) == 30:
		switch n {
		case 30:
			return TD1
		case 9:
			return SwissDrivingLicense
		}
	}
	return ""
}

// lengthError points at the line that keeps a known layout from fitting.
func lengthError(lines []string) error {
	want := map[int]string{1: "30", 2: "44 or 36", 3: "30 (or 9, 30, 30)"}[len(lines)]
	e := &Error{Code: CodeLineLength, Line: 1}
	for i, l := range lines {
		n := len(l)
		if n != 30 && n != 36 && n != 44 || i > 0 && n != len(lines[0]) || len(lines) == 3 && n != 30 {
			e.Line = i + 1
			break
		}
	}
	e.Detail = fmt.Sprintf("%d characters; %d lines have %s each", len(lines[e.Line-1]), len(lines), want)
	return e
}
