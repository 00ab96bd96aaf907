package pipeline

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// spellings lists how a letter may stand in a machine-readable zone: ICAO 9303-3
// section 6.A gives a recommended transliteration, some letters have two, and
// many states print the plain letter instead. The empty table entry of other
// letters is what is left when diacritics are taken off.
var spellings = map[rune][]string{
	'Ä': {"AE", "A"}, 'Ö': {"OE", "O"}, 'Ü': {"UE", "UXX", "U"}, 'ẞ': {"SS"}, 'Å': {"AA", "A"}, 'Æ': {"AE"}, 'Ø': {"OE", "O"},
	'Œ': {"OE"}, 'Ñ': {"N", "NXX"}, 'Þ': {"TH"}, 'Ð': {"D", "DH"}, 'Đ': {"D", "DJ"}, 'Ł': {"L"}, 'Ħ': {"H"}, 'Ŧ': {"T"},
	'Ĳ': {"IJ"}, 'ı': {"I"}, 'İ': {"I"}, 'Ŋ': {"N"}, 'ĸ': {"Q"},
}

// tokens splits a name into its words in A-Z, each with every spelling that it
// may have in a zone. ok is false when a letter is not Latin: such a name can
// not be compared here.
func tokens(name string) (words [][]string, ok bool) {
	// Apostrophes vanish, hyphens and commas separate (9303-3 section 4.6).
	name = strings.NewReplacer("'", "", "’", "", "`", "", ".", " ", "-", " ", ",", " ", "<", " ").Replace(norm.NFC.String(name))
	for _, w := range strings.Fields(name) {
		forms := []string{""}
		for _, c := range w {
			alt, ok := spell(c)
			if !ok {
				return nil, false
			}
			var next []string
			for _, f := range forms {
				for _, a := range alt {
					if len(next) < 32 { // 2 spellings of 5 letters; more never happens in a word
						next = append(next, f+a)
					}
				}
			}
			forms = next
		}
		words = append(words, forms)
	}
	return words, len(words) > 0
}

func spell(c rune) ([]string, bool) {
	if c == 'ß' {
		c = 'ẞ'
	}
	if s := spellings[c]; s != nil { // before ToUpper: ı and İ have no simple case
		return s, true
	}
	c = unicode.ToUpper(c)
	if c >= 'A' && c <= 'Z' {
		return []string{string(c)}, true
	}
	if s := spellings[c]; s != nil {
		return s, true
	}
	plain := []rune(norm.NFD.String(string(c)))
	if plain[0] >= 'A' && plain[0] <= 'Z' {
		return []string{string(plain[0])}, true
	}
	return nil, false
}

// nameLikeness compares two names: 1 when one may be a spelling of the other,
// smaller with every character that differs. cut says that a or b may have been
// shortened at its end (a zone's name field is).
func nameLikeness(a, b string, cutA, cutB bool) (likeness float64, ok bool) {
	x, okA := tokens(a)
	y, okB := tokens(b)
	if !okA || !okB {
		return 0, false
	}
	// Written together or apart ("DE LA CRUZ", "DELACRUZ") is no difference.
	return max(wordsLikeness(x, y, cutA, cutB), textLikeness(joined(x), joined(y), cutA, cutB)), true
}

// wordsLikeness takes the shorter list of words to be some of the longer one in
// the same order: middle names may be left out of one of the sources, the first
// word may not.
func wordsLikeness(x, y [][]string, cutA, cutB bool) float64 {
	if len(x) > len(y) {
		x, y, cutA, cutB = y, x, cutB, cutA
	}
	total, from := 0.0, 0
	for i, w := range x {
		best, at := 0.0, -1
		for k := from; k < len(y)-(len(x)-1-i); k++ {
			if i == 0 && k > 0 {
				break
			}
			l := textLikeness(w, y[k], cutA && i == len(x)-1, cutB && k == len(y)-1)
			if l > best {
				best, at = l, k
			}
		}
		if at < 0 {
			return 0
		}
		total, from = total+best, at+1
	}
	return total / float64(len(x))
}

func joined(words [][]string) []string {
	forms := []string{""}
	for _, w := range words {
		var next []string
		for _, f := range forms {
			for _, a := range w {
				if len(next) < 64 {
					next = append(next, f+a)
				}
			}
		}
		forms = next
	}
	return forms
}

// digraphs takes off what transliteration adds to a vowel, on both sides: one
// source has MUELLER, another lost the dots of MÜLLER.
var digraphs = strings.NewReplacer("AE", "A", "OE", "O", "UE", "U", "UXX", "U", "NXX", "N", "AA", "A")

// textLikeness is the best of any two spellings.
func textLikeness(a, b []string, cutA, cutB bool) float64 {
	best := 0.0
	for _, s := range a {
		for _, t := range b {
			u, v := s, t
			if cutA && len(u) >= 1 && len(u) < len(v) {
				v = v[:len(u)]
			}
			if cutB && len(v) >= 1 && len(v) < len(u) {
				u = u[:len(v)]
			}
			longest := max(len(u), len(v))
			if longest == 0 {
				continue
			}
			if digraphs.Replace(u) == digraphs.Replace(v) {
				return 1
			}
			best = max(best, 1-float64(distance(u, v))/float64(longest))
		}
	}
	return best
}

// distance is the number of characters to change, add or drop (Levenshtein),
// for strings of at most a few dozen.
func distance(a, b string) int {
	a, b = a[:min(len(a), 128)], b[:min(len(b), 128)]
	row := make([]int, len(b)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for k := range len(b) {
			cost := diagonal
			if a[i] != b[k] {
				cost++
			}
			diagonal = row[k+1]
			row[k+1] = min(cost, row[k]+1, row[k+1]+1)
		}
	}
	return row[len(b)]
}

// confusable letters and digits of OCR, each to one of its kind. OCR-B and most
// print faces draw 0 and O, 1 and I, … nearly alike.
var confusable = strings.NewReplacer("O", "0", "Q", "0", "D", "0", "I", "1", "L", "1", "Z", "2", "S", "5", "B", "8", "G", "6", "T", "7")

// plainNumber strips what people print between the characters of a number.
func plainNumber(s string) string {
	return strings.Map(func(c rune) rune {
		c = unicode.ToUpper(c)
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return c
		}
		return -1
	}, s)
}
