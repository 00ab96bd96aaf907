package mrz

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// unseen counts the unordered pairs of different characters of set for which
// the two texts that pair makes have the same check digit, at each of the
// given starts of the 7-3-1 cycle, which must agree.
func unseen(t *testing.T, set string, starts []int, pair func(a, b string) (string, string)) (n, all int) {
	t.Helper()
	for i, start := range starts {
		same, total := 0, 0
		for j := range set {
			for k := range j {
				x, y := pair(set[j:j+1], set[k:k+1])
				lead := strings.Repeat("<", start)
				dx, err := CheckDigit(lead + x)
				if err != nil {
					t.Fatal(err)
				}
				if dy, _ := CheckDigit(lead + y); dx == dy {
					same++
				}
				total++
			}
		}
		if i > 0 && same != n {
			t.Errorf("start %d: %d pairs, but %d at start %d", start, same, n, starts[0])
		}
		n, all = same, total
	}
	return n, all
}

// The table of docs/mrz.md is what an exhaustive count gives.
func TestWhatTheCheckDigitsCanNotSeeIsAsPublished(t *testing.T) {
	page, err := os.ReadFile("../docs/mrz.md")
	if err != nil {
		t.Fatal(err)
	}
	const digits, all = "0123456789", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
	every := []int{0, 1, 2}
	for _, c := range []struct {
		what   string
		starts []int
		pair   func(a, b string) (string, string)
	}{
		{"one character: `a` read as `b`", every, func(a, b string) (string, string) { return a, b }},
		{"neighbours swapped: `ab` as `ba`", every, func(a, b string) (string, string) { return a + b, b + a }},
		{"swapped across one: `a?b` as `b?a`", every, func(a, b string) (string, string) { return a + "7" + b, b + "7" + a }},
		{"swapped across two: `a??b` as `b??a`", every, func(a, b string) (string, string) { return a + "7C" + b, b + "7C" + a }},
		{"twins under weights 7 and 3: `aa` as `bb`", every[:1], func(a, b string) (string, string) { return a + a, b + b }},
		{"twins under 3 and 1 or 1 and 7: `aa` as `bb`", every[1:], func(a, b string) (string, string) { return a + a, b + b }},
	} {
		d, ds := unseen(t, digits, c.starts, c.pair)
		x, xs := unseen(t, all, c.starts, c.pair)
		row := fmt.Sprintf("| %s | %d of %d | %d of %d |", c.what, d, ds, x, xs)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/mrz.md lacks %s", row)
		}
	}
}

// Two digits that are wrong independently of each other cancel in one case of
// nine.
func TestOneInNinePairsOfWrongDigitsCancels(t *testing.T) {
	same, total := 0, 0
	for i := range 100 {
		for j := range 100 {
			if i/10 == j/10 || i%10 == j%10 {
				continue
			}
			total++
			x, _ := CheckDigit(fmt.Sprintf("%02d", i))
			if y, _ := CheckDigit(fmt.Sprintf("%02d", j)); x == y {
				same++
			}
		}
	}
	if same*9 != total {
		t.Errorf("%d of %d", same, total)
	}
}

// The composite digit gives the dates other weights than their own digits do,
// so that twins in a date are seen; numbers keep their weights in all formats
// but the French card, and twins in them stay unseen.
func TestTheCompositeDigitSeesTwinsInDatesOnly(t *testing.T) {
	for _, c := range []struct {
		layout Layout
		line   int
		at     int // where a pair under weights 7 and 3 of its own digit lies
		seen   bool
	}{
		{TD3, 1, 0, false}, {TD3, 1, 28, false}, {TD3, 1, 13, true}, {TD3, 1, 21, true},
		{TD2, 1, 0, false}, {TD2, 1, 13, true}, {TD2, 1, 21, true},
		{TD1, 0, 5, false}, {TD1, 1, 0, true}, {TD1, 1, 8, true},
	} {
		f := Fields{DocumentCode: "I", IssuingState: "UTO", Surname: "ERIKSSON", GivenNames: "ANNA", DocumentNumber: "118902123",
			Nationality: "UTO", BirthDate: "110812", Sex: "F", ExpirationDate: "110415"}
		if c.layout == TD3 {
			f.DocumentCode, f.Optional1 = "P", "11418422"
		}
		lines, err := Format(f, c.layout)
		if err != nil {
			t.Fatal(err)
		}
		l := lines[c.line]
		if l[c.at:c.at+2] != "11" {
			t.Fatalf("%s: %q at %d", c.layout, l, c.at)
		}
		lines[c.line] = l[:c.at] + "33" + l[c.at+2:]
		if d := mustParse(t, lines...); d.Valid == c.seen {
			t.Errorf("%s line %d column %d: valid %v, checks %+v", c.layout, c.line+1, c.at+1, d.Valid, d.Checks)
		}
	}
}
