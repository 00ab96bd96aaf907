package reader

import (
	"strings"

	"github.com/proofline/proofline/mrz"
)

// A pattern has one letter per place of a line: L letter or filler, D digit
// or filler, C check digit, S sex, X anything, and the first letter of the
// document code: P passport, V visa, I card (Doc 9303 parts 4 to 7). Lower
// case means that no check digit covers the place.
var patterns = map[mrz.Layout][]string{
	mrz.TD1:  {"illll" + rep("X", 9) + "C" + rep("X", 15), "DDDDDDCsDDDDDDClll" + rep("X", 11) + "C", rep("l", 30)},
	mrz.TD2:  {"i" + rep("l", 35), rep("X", 9) + "ClllDDDDDDCsDDDDDDC" + rep("X", 7) + "C"},
	mrz.TD3:  {"p" + rep("l", 43), rep("X", 9) + "ClllDDDDDDCsDDDDDDC" + rep("X", 14) + "CC"},
	mrz.MRVA: {"v" + rep("l", 43), rep("X", 9) + "ClllDDDDDDCsDDDDDDC" + rep("x", 16)},
	mrz.MRVB: {"v" + rep("l", 35), rep("X", 9) + "ClllDDDDDDCsDDDDDDC" + rep("x", 8)},
	mrz.FrenchNationalID: {"LLLLL" + rep("L", 25) + rep("X", 6),
		rep("X", 12) + "C" + rep("L", 14) + "DDDDDDCSC"},
}

func rep(s string, n int) string { return strings.Repeat(s, n) }

// weights are how likely a character is at a place before it is seen. What
// the standard forbids stays possible, since documents with such errors
// exist and must be read as printed.
const forbidden = 0.02

var weights = func() map[byte][gap]float64 {
	w := map[byte][gap]float64{}
	set := func(kind byte, common, rare string) {
		var v [gap]float64
		for k := range v {
			v[k] = forbidden
		}
		for i := range len(rare) {
			v[classOf(rare[i])] = 0.2
		}
		for i := range len(common) {
			v[classOf(common[i])] = 1
		}
		w[kind] = v
	}
	set('L', alphabet[10:], "")
	set('P', "P", "")
	set('V', "V", "")
	set('I', "ACI", "P")
	set('D', alphabet[:10], "<")
	set('C', alphabet[:10], "<")
	set('S', "MF<", "X")
	set('X', alphabet, "")
	return w
}()

// layoutFor chooses among layouts of the same size by the first characters.
func layoutFor(lines, width int, first string) mrz.Layout {
	switch {
	case lines == 3:
		return mrz.TD1
	case width == 44 && first[0] == 'V':
		return mrz.MRVA
	case width == 44:
		return mrz.TD3
	case first[0] == 'V':
		return mrz.MRVB
	case first == "IDFRA":
		return mrz.FrenchNationalID
	}
	return mrz.TD2
}
