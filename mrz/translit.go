package mrz

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// spelled gives the transliterations that 9303-3 §6 recommends, first the
// table's first choice; where it allows several, all of them, since states
// differ, and O for Ø, which it does not list but which is printed. Letters
// with marks that are not listed lose the mark.
var spelled = map[rune][]string{
	// Table A: Latin letters.
	'À': {"A"}, 'Á': {"A"}, 'Â': {"A"}, 'Ã': {"A"}, 'Ä': {"AE", "A"}, 'Å': {"AA", "A"}, 'Æ': {"AE"}, 'Ç': {"C"},
	'È': {"E"}, 'É': {"E"}, 'Ê': {"E"}, 'Ë': {"E"}, 'Ì': {"I"}, 'Í': {"I"}, 'Î': {"I"}, 'Ï': {"I"}, 'Ð': {"D"},
	'Ñ': {"N", "NXX"}, 'Ò': {"O"}, 'Ó': {"O"}, 'Ô': {"O"}, 'Õ': {"O"}, 'Ö': {"OE", "O"}, 'Ø': {"OE", "O"},
	'Ù': {"U"}, 'Ú': {"U"}, 'Û': {"U"}, 'Ü': {"UE", "UXX", "U"}, 'Ý': {"Y"}, 'Þ': {"TH"}, 'ẞ': {"SS"}, 'ß': {"SS"},
	'Ā': {"A"}, 'Ă': {"A"}, 'Ą': {"A"}, 'Ć': {"C"}, 'Ĉ': {"C"}, 'Ċ': {"C"}, 'Č': {"C"}, 'Ď': {"D"}, 'Đ': {"D"},
	'Ē': {"E"}, 'Ĕ': {"E"}, 'Ė': {"E"}, 'Ę': {"E"}, 'Ě': {"E"}, 'Ĝ': {"G"}, 'Ğ': {"G"}, 'Ġ': {"G"}, 'Ģ': {"G"},
	'Ĥ': {"H"}, 'Ħ': {"H"}, 'Ĩ': {"I"}, 'Ī': {"I"}, 'Ĭ': {"I"}, 'Į': {"I"}, 'İ': {"I"}, 'ı': {"I"}, 'Ĳ': {"IJ"},
	'Ĵ': {"J"}, 'Ķ': {"K"}, 'ĸ': {"Q"}, 'Ĺ': {"L"}, 'Ļ': {"L"}, 'Ľ': {"L"}, 'Ŀ': {"L"}, 'Ł': {"L"}, 'Ń': {"N"},
	'Ņ': {"N"}, 'Ň': {"N"}, 'Ŋ': {"N"}, 'Ō': {"O"}, 'Ŏ': {"O"}, 'Ő': {"O"}, 'Œ': {"OE"}, 'Ŕ': {"R"}, 'Ŗ': {"R"},
	'Ř': {"R"}, 'Ś': {"S"}, 'Ŝ': {"S"}, 'Ş': {"S"}, 'Ș': {"S"}, 'Š': {"S"}, 'Ţ': {"T"}, 'Ț': {"T"}, 'Ť': {"T"},
	'Ŧ': {"T"}, 'Ũ': {"U"}, 'Ū': {"U"}, 'Ŭ': {"U"}, 'Ů': {"U"}, 'Ű': {"U"}, 'Ų': {"U"}, 'Ŵ': {"W"}, 'Ŷ': {"Y"},
	'Ÿ': {"Y"}, 'Ź': {"Z"}, 'Ż': {"Z"}, 'Ž': {"Z"}, 'Ə': {"A", "E"}, 'Ơ': {"O"}, 'Ư': {"U"},
	// Table B: Cyrillic letters. States with other choices print theirs, so
	// the second spellings are those of Belarus, Bulgaria, Serbia, Ukraine and
	// North Macedonia.
	'А': {"A"}, 'Б': {"B"}, 'В': {"V"}, 'Г': {"G", "H"}, 'Д': {"D"}, 'Е': {"E", "IE", "YE"}, 'Ё': {"E", "IO"}, 'Ж': {"ZH", "Z"},
	'З': {"Z"}, 'И': {"I", "Y"}, 'Й': {"I", "Y"}, 'К': {"K"}, 'Л': {"L"}, 'М': {"M"}, 'Н': {"N"}, 'О': {"O"},
	'П': {"P"}, 'Р': {"R"}, 'С': {"S"}, 'Т': {"T"}, 'У': {"U"}, 'Ф': {"F"}, 'Х': {"KH", "H"}, 'Ц': {"TS", "C"},
	'Ч': {"CH", "C"}, 'Ш': {"SH", "S"}, 'Щ': {"SHCH", "SHT"}, 'Ъ': {"IE", ""}, 'Ы': {"Y"}, 'Ь': {""}, 'Э': {"E"},
	'Ю': {"IU", "YU"}, 'Я': {"IA", "YA"}, 'Ґ': {"G"}, 'Є': {"IE", "YE"}, 'І': {"I"}, 'Ї': {"I", "YI"}, 'Ў': {"U"},
	'Ђ': {"D", "DJ"}, 'Ј': {"J"}, 'Љ': {"LJ"}, 'Њ': {"NJ"}, 'Ћ': {"C"}, 'Џ': {"DZ", "DJ"}, 'Ѓ': {"G", "GJ"}, 'Ќ': {"K", "KJ"}, 'Ѕ': {"DZ"},
	'Ѫ': {"U"}, 'Ѵ': {"Y"}, 'Ғ': {"G"}, 'Һ': {"C"},
	// Greek, by ISO 843 as Greek and Cypriot passports print it.
	'Α': {"A"}, 'Β': {"V"}, 'Γ': {"G"}, 'Δ': {"D"}, 'Ε': {"E"}, 'Ζ': {"Z"}, 'Η': {"I"}, 'Θ': {"TH"}, 'Ι': {"I"},
	'Κ': {"K"}, 'Λ': {"L"}, 'Μ': {"M"}, 'Ν': {"N"}, 'Ξ': {"X"}, 'Ο': {"O"}, 'Π': {"P"}, 'Ρ': {"R"}, 'Σ': {"S"},
	'Τ': {"T"}, 'Υ': {"Y"}, 'Φ': {"F"}, 'Χ': {"CH"}, 'Ψ': {"PS"}, 'Ω': {"O"},
}

// Transliterate spells a name of the visual zone as a zone does (9303-3 §§4.6
// and 6): capitals A-Z, one space between parts. Apostrophes and full stops
// are left out, hyphens and commas separate. Letters of scripts without a
// table are dropped.
func Transliterate(name string) string {
	var b strings.Builder
	for _, t := range tokens(name) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		letters := []rune(t)
		for i, r := range letters {
			s := spelledAt(letters, i)
			switch {
			case len(s) == 0:
			case r == 'ة' && i == len(letters)-1:
				b.WriteString(s[1])
			default:
				b.WriteString(s[0])
			}
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// tokens gives the parts of a name in capitals, without marks but the shadda.
func tokens(name string) []string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r == shadda:
			return r
		case strings.ContainsRune("'’ʼ`´.", r), unicode.Is(unicode.Mn, r):
			return -1
		case unicode.IsLetter(r):
			return unicode.ToUpper(r)
		}
		return ' '
	}, name)
	return strings.Fields(name)
}

// spelledAt gives the spellings of one letter in its place: a shadda repeats
// the letter before it, without the X that begins it (9303-3 §6.C, note 3).
func spelledAt(letters []rune, i int) []string {
	if letters[i] != shadda {
		return spellings(letters[i])
	}
	if i == 0 || letters[i-1] == shadda {
		return nil
	}
	var double []string
	for _, s := range spellings(letters[i-1]) {
		double = append(double, strings.TrimLeft(s, "X"))
	}
	return double
}

func spellings(r rune) []string {
	if r >= 'A' && r <= 'Z' {
		return []string{string(r)}
	}
	if s, ok := spelled[r]; ok {
		return s
	}
	if s, ok := arabic[r]; ok {
		return s
	}
	// A letter that is not listed loses its marks.
	if d := []rune(norm.NFD.String(string(r))); len(d) > 1 && unicode.Is(unicode.Mn, d[1]) {
		return spellings(d[0])
	}
	return nil
}

// maxName bounds the names that NameMatches compares.
const maxName = 256

// NameMatches reports whether the name of a zone can be the transliteration
// of a name printed elsewhere, in any of the spellings that 9303-3 §6 allows.
// Spaces and fillers do not count, since states join and split name parts
// differently. With truncated set the zone's name need only be how the other
// begins, or have shortened it part by part (9303-4 §4.2.3).
func NameMatches(zone, printed string, truncated bool) bool {
	if len(zone) > maxName || len(printed) > 4*maxName {
		return false
	}
	z := strings.Join(strings.FieldsFunc(zone, func(r rune) bool { return r == ' ' || r == '<' }), "")
	letters := []rune(strings.Join(tokens(printed), ""))
	// at[i] tells whether z[:i] spells the letters so far.
	at := map[int]bool{0: true}
	for k := range letters {
		next := map[int]bool{}
		for i := range at {
			if truncated && i == len(z) && i > 0 {
				return true
			}
			for _, s := range spelledAt(letters, k) {
				if strings.HasPrefix(z[i:], s) {
					next[i+len(s)] = true
				} else if truncated && i < len(z) && strings.HasPrefix(s, z[i:]) {
					return true
				}
			}
		}
		if at = next; len(at) == 0 {
			break
		}
	}
	return at[len(z)] && z != "" || truncated && shortened(zone, printed)
}

// shortened reports whether each part of the zone's name begins a part of the
// printed one, in order.
func shortened(zone, printed string) bool {
	parts := strings.FieldsFunc(zone, func(r rune) bool { return r == ' ' || r == '<' })
	rest := strings.Fields(Transliterate(printed))
	for _, p := range parts {
		for len(rest) > 0 && !strings.HasPrefix(rest[0], p) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return false
		}
		rest = rest[1:]
	}
	return len(parts) > 0
}
