package ocr

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

var (
	numberLike = regexp.MustCompile(`^[A-Z0-9]{5,20}$`)
	nameLike   = regexp.MustCompile(`^[\p{L}][\p{L}\p{M}'’.,\- ]*$`)
	codeLike   = regexp.MustCompile(`^[A-Z]{1,3}$`)
)

// normal brings a text to the normal form of a field; ok is false when it can
// not be a value of that kind.
func (t *Template) normal(field, text string) (value string, ok bool) {
	switch catalogue().Fields[field].Kind {
	case "date":
		return parseDate(text, t.Dates == "mdy")
	case "sex":
		return parseSex(text)
	case "number":
		v := number(text)
		return v, numberLike.MatchString(v) && strings.ContainsAny(v, "0123456789")
	case "code":
		v := strings.ToUpper(strings.Trim(text, " .,:;-_|<"))
		return v, codeLike.MatchString(v)
	case "name":
		v := strings.Trim(strings.ReplaceAll(text, "'", "’"), " .,:;-_|‘’“”\"")
		return v, nameLike.MatchString(v) && letters(v) >= 2 && !captionLike(v)
	}
	v := strings.Trim(strings.ReplaceAll(text, "'", "’"), " .,:;_|‘’“”\"")
	return v, letters(v)+digits(v) >= 2
}

// particles may begin a surname in small letters.
var particles = strings.Fields("van von de da di du del della der den la le el al bin ibn ter ten zu zum zur af av dos das do d’ 't")

// captionLike: a name is not written small, and none of its words is a caption:
// what is, is the rest of a bilingual caption of which a part was misread. Words
// of four letters and less may be both ("NOM").
func captionLike(v string) bool {
	if _, ok := catalogue().labelField(fold(v)); ok && len(v) > 4 && strings.ToUpper(v) != v {
		return true
	}
	for i, w := range strings.Fields(v) {
		if i == 0 && unicode.IsLower([]rune(w)[0]) && !slices.Contains(particles, w) {
			return true
		}
		if len(w) <= 4 || strings.ToUpper(w) == w {
			continue
		}
		if _, ok := catalogue().labelField(fold(w)); ok {
			return true
		}
	}
	return false
}

func letters(s string) (n int) {
	for _, r := range s {
		if unicode.IsLetter(r) {
			n++
		}
	}
	return n
}

func digits(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n
}

// number strips what is printed between the characters of a number and takes a
// letter for the digit it looks like where digits stand on both sides, or at the
// end: issuers mix letters and digits, but hardly one letter into a run of them.
func number(text string) string {
	v := []rune(strings.ToUpper(strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "Ø", "0", "ø", "0").Replace(text)))
	isDigit := func(i int) bool { return i >= 0 && i < len(v) && v[i] >= '0' && v[i] <= '9' }
	lookalike := map[rune]rune{'O': '0', 'Q': '0', 'I': '1', 'L': '1', 'Z': '2', 'S': '5', 'B': '8'}
	for i, r := range v {
		d, is := lookalike[r]
		if !is {
			continue
		}
		before, after := isDigit(i-1), isDigit(i+1)
		if before && (after || i == len(v)-1) && (isDigit(i-2) || isDigit(i+2)) || i == 1 && after && isDigit(2) && isDigit(3) && (r == 'O' || r == 'Q') {
			v[i] = d
		}
	}
	return string(v)
}

var sexes = map[string]string{
	"m": "M", "male": "M", "f": "F", "female": "F", "x": "X", "w": "F", "k": "F", "h": "M", "n": "F", "z": "F",
	"masculin": "M", "feminin": "F", "masculino": "M", "femenino": "F", "weiblich": "F", "mannlich": "M", "diverse": "X",
}

// parseSex reads M, F or X, also doubled as in "M/M" or "F / K". Doubled, the
// letter of English and French counts.
func parseSex(text string) (string, bool) {
	words := strings.Fields(fold(text))
	if len(words) == 0 || len(words) > 3 {
		return "", false
	}
	first := ""
	for _, w := range words {
		v, ok := sexes[w]
		if !ok {
			return "", false
		}
		if w == "m" || w == "f" || w == "x" || first == "" {
			first = v
			if w == "m" || w == "f" || w == "x" {
				return v, true
			}
		}
	}
	// A lone letter that is not one of ICAO's is more likely a misread one.
	if len(words) == 1 && slices.Contains([]string{"n", "z", "h"}, words[0]) {
		return "", false
	}
	return first, true
}
