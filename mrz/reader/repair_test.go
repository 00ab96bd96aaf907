package reader

import (
	"testing"

	"github.com/proofline/proofline/mrz"
)

// zoneOf makes a zone as if the recogniser were certain of every character,
// but for the places in doubt, which say how likely another one is.
func zoneOf(t *testing.T, lines []string, doubt map[[2]int]map[byte]float64) *zone {
	t.Helper()
	z := &zone{lines: append([]string(nil), lines...)}
	for i, l := range lines {
		cs := make([]cell, len(l))
		for k := range l {
			rest := 1.0
			for c, p := range doubt[[2]int{i, k}] {
				cs[k][classOf(c)] = p
				rest -= p
			}
			cs[k][classOf(l[k])] += rest
		}
		z.cells = append(z.cells, cs)
	}
	if err := z.settle(mrz.TD3); err != nil {
		t.Fatal(err)
	}
	return z
}

var utopia = []string{
	"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
	"L898902C36UTO7408122F1204159ZE184226B<<<<<10",
}

func changed(line string, col int, to byte) string {
	b := []byte(line)
	b[col] = to
	return string(b)
}

func TestADoubtfulCharacterIsRepairedAndReported(t *testing.T) {
	z := zoneOf(t, []string{utopia[0], changed(utopia[1], 1, 'B')}, map[[2]int]map[byte]float64{{1, 1}: {'8': 0.3}})
	if !z.doc.Valid || z.lines[1] != utopia[1] || len(z.repairs) != 1 {
		t.Fatalf("%v %v", z.lines, z.repairs)
	}
	if r := z.repairs[0]; r.Line != 2 || r.Column != 2 || r.From != "B" || r.To != "8" {
		t.Errorf("%+v", r)
	}
}

func TestAWrongPrintedDigitStaysWrong(t *testing.T) {
	for _, col := range []int{3, 9, 14, 19, 27, 43} {
		wrong := changed(utopia[1], col, '0'+(utopia[1][col]-'0'+4)%10)
		z := zoneOf(t, []string{utopia[0], wrong}, map[[2]int]map[byte]float64{{1, 30}: {'I': 0.2}})
		if z.doc.Valid || z.lines[1] != wrong || len(z.repairs) != 0 {
			t.Errorf("column %d: %v %v", col, z.lines[1], z.repairs)
		}
	}
}

func TestTwoRepairsThatFitAreNone(t *testing.T) {
	// 8 and I have values 8 and 18: with either, the same
	// check digit comes out.
	wrong := changed(utopia[1], 1, '9')
	z := zoneOf(t, []string{utopia[0], wrong}, map[[2]int]map[byte]float64{{1, 1}: {'8': 0.2, 'I': 0.2}})
	if z.doc.Valid || len(z.repairs) != 0 || !z.doubtful {
		t.Errorf("%v valid %v doubtful %v", z.repairs, z.doc.Valid, z.doubtful)
	}
}

func TestAValidReadingWithALikelyRivalIsDoubtful(t *testing.T) {
	// 6 and G have values 6 and 16, which no check digit tells apart.
	z := zoneOf(t, utopia, map[[2]int]map[byte]float64{{1, 35}: {'G': 0.3}})
	if !z.doc.Valid || !z.doubtful {
		t.Errorf("valid %v doubtful %v at %c", z.doc.Valid, z.doubtful, utopia[1][35])
	}
	if z := zoneOf(t, utopia, nil); !z.doc.Valid || z.doubtful || z.confidence() < 0.99 {
		t.Errorf("a certain reading: valid %v doubtful %v confidence %v", z.doc.Valid, z.doubtful, z.confidence())
	}
}
