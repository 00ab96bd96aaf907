package pipeline

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// mistaken lists the letters that print may have where a reading has another: ß
// among capitals is hardly ever read as one, and marks are lost or taken for
// each other. The machine-readable zone spells these letters out.
var mistaken = map[rune]string{'B': "ß", 'R': "ß", '8': "ß", 'P': "Þ", 'D': "Ð", 'A': "ÅÄÆ", 'O': "ÖØŒ", 'U': "Ü", 'N': "Ñ"}

// spelledOut decides between letters that look alike by how the zone spells the
// name: GROR is GROß where the zone has GROSS, ÄSA is ÅSA where it has AASA. A
// reading that the zone's spelling already fits is left as it is, and so is one
// that differs in anything else.
func spelledOut(read, zone string) string {
	words, other := strings.Fields(read), strings.FieldsFunc(strings.ToUpper(zone), func(c rune) bool { return c == ' ' || c == '<' })
	if len(words) != len(other) {
		return read
	}
	for i, w := range words {
		parts := strings.Split(w, "-")
		if len(parts) > 1 { // a hyphen is a filler in the zone: words of their own
			return read
		}
		words[i] = spelledWord(w, other[i])
	}
	return strings.Join(words, " ")
}

// spelledWord is the word with the fewest other letters that the zone's may stand
// for; the word itself where there is none or more than one.
func spelledWord(read, zone string) string {
	letters := []rune(norm.NFC.String(strings.NewReplacer("’", "", "'", "").Replace(read)))
	if len(letters) != len([]rune(norm.NFC.String(read))) || len(letters) > 40 {
		return read // an apostrophe: names with one have none of these letters
	}
	best, changes, several, steps := "", len(letters)+1, false, 0
	var walk func(i int, rest, done string, n int)
	walk = func(i int, rest, done string, n int) {
		if steps++; steps > 4000 || n > changes {
			return
		}
		if i == len(letters) {
			if rest == "" && (n < changes || done != best) {
				several = n == changes
				best, changes = done, n
			}
			return
		}
		own, ok := spell(letters[i])
		if !ok && letters[i] != '8' {
			return
		}
		for _, s := range own {
			if strings.HasPrefix(rest, s) {
				walk(i+1, rest[len(s):], done+string(letters[i]), n)
			}
		}
		base := []rune(norm.NFD.String(string(letters[i])))
		for _, l := range mistaken[unicode.ToUpper(base[0])] {
			// A letter with a mark over it is no ligature.
			if l == letters[i] || len(base) > 1 && (l == 'Æ' || l == 'Œ') {
				continue
			}
			for _, s := range spellings[unicode.ToUpper(sharp(l))] {
				if len(s) > 1 && strings.HasPrefix(rest, s) {
					walk(i+1, rest[len(s):], done+string(l), n+1)
				}
			}
		}
	}
	walk(0, zone, "", 0)
	if best == "" || several {
		return read
	}
	return best
}

func sharp(c rune) rune {
	if c == 'ß' {
		return 'ẞ'
	}
	return c
}
