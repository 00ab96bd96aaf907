package reader

import (
	"math"
	"slices"

	"github.com/proofline/proofline/mrz"
)

// zone is one interpretation of a block: which lines, how wide, what they say.
type zone struct {
	readings []reading
	cells    [][]cell // after the grammar
	lines    []string
	doc      *mrz.Document
	repairs  []Repair
	doubtful bool // two repairs fit about equally well
	mean     float64
	fit      float64 // how much of the evidence for characters the width explains
	passed   int     // check digits that hold
	checks   int
}

// decode reads the block's lines as n characters each.
func decode(r []reading, n int) (*zone, error) {
	z := &zone{readings: r}
	raw := make([][]cell, len(r))
	z.fit = 1
	for i, t := range tracks(r, n) {
		raw[i] = cells(r[i].cols, t)
		z.fit = math.Min(z.fit, t.score/math.Max(1, r[i].free.score))
	}
	first := make([]byte, 5)
	for k := range first {
		c, _ := raw[0][k].best()
		first[k] = alphabet[c]
	}
	layout := layoutFor(len(r), n, string(first))
	seen := make([][]byte, len(r))
	for i := range raw {
		seen[i] = make([]byte, n)
		for k := range raw[i] {
			c, _ := raw[i][k].best()
			seen[i][k] = alphabet[c]
		}
	}
	adapt(raw, layout)
	inContext(raw, layout)
	var sum float64
	for i := range raw {
		b := make([]byte, n)
		z.cells = append(z.cells, make([]cell, n))
		for k := range raw[i] {
			c := weigh(raw[i][k], patterns[layout][i][k])
			z.cells[i][k] = c
			m, p := c.best()
			b[k] = alphabet[m]
			if seen[i][k] != b[k] {
				z.repairs = append(z.repairs, Repair{Line: i + 1, Column: k + 1, From: string(seen[i][k]), To: string(b[k]), Why: "field grammar"})
			}
			sum += p
		}
		z.lines = append(z.lines, string(b))
	}
	z.mean = sum / float64(n*len(r))
	z.states(layout)
	return z, z.settle(layout)
}

// tracks places n characters on each line. The lines of a zone begin at one
// margin: a line that seems to begin elsewhere, because something drawn beside
// it looks like a character, follows the line that fits best.
func tracks(r []reading, n int) []track {
	const apart = 6 // columns; a character and a half
	out := make([]track, len(r))
	lead, top := 0, math.Inf(-1)
	for i := range r {
		out[i] = fixed(r[i].cols, n, 0, r[i].cols.n)
		if fit := out[i].score / math.Max(1, r[i].free.score); fit > top {
			lead, top = i, fit
		}
	}
	margin := r[lead].place(out[lead].at[0])
	for i := range r {
		if c := r[i].column(margin); c-apart > out[i].at[0] || c+apart < out[i].at[0] {
			if t := fixed(r[i].cols, n, c-apart, c+apart); t.score > 0 {
				out[i] = t
			}
		}
	}
	return out
}

// lookAlikes are letters and digits that some typefaces print alike.
var lookAlikes = [][2]int{{classOf('O'), 0}, {classOf('D'), 0}, {classOf('Q'), 0}, {classOf('I'), 1}, {classOf('Z'), 2},
	{classOf('S'), 5}, {classOf('G'), 6}, {classOf('B'), 8}}

// adapt learns from the dates how this document prints digits: where they
// show a letter to the recogniser, as the zero of many typefaces shows an O,
// the digit becomes possible wherever both are allowed, for the check digits
// to decide.
func adapt(raw [][]cell, layout mrz.Layout) {
	for _, pair := range lookAlikes {
		letter, digit := pair[0], pair[1]
		var odds float64
		for i := range raw {
			for k, c := range raw[i] {
				if at, p := c.best(); patterns[layout][i][k] == 'D' && at == letter && p > 0.5 {
					odds = math.Max(odds, 1)
				}
			}
		}
		if odds == 0 {
			continue
		}
		for i := range raw {
			for k := range raw[i] {
				if c := &raw[i][k]; patterns[layout][i][k] == 'X' {
					both := c[letter] + c[digit]
					c[letter], c[digit] = both*0.35, both*0.65
				}
			}
		}
	}
}

// inContext weighs look-alikes where letters and digits are both allowed: a
// letter between digits, or a digit between letters, is the rarer thing in
// document and personal numbers.
func inContext(raw [][]cell, layout mrz.Layout) {
	const rarer = 0.3
	for i := range raw {
		kind := make([]int, len(raw[i])) // 1 digit, 2 letter that looks like none, 0 other
		for k, c := range raw[i] {
			switch at, _ := c.best(); {
			case at < 10:
				kind[k] = 1
			case at != filler && !slices.ContainsFunc(lookAlikes, func(p [2]int) bool { return p[0] == at }):
				kind[k] = 2
			}
		}
		for k := range raw[i] {
			if p := patterns[layout][i][k]; p != 'X' && p != 'x' {
				continue
			}
			digits, letters := true, true
			for _, j := range []int{k - 1, k + 1} {
				if j >= 0 && j < len(kind) && (patterns[layout][i][j] == 'X' || patterns[layout][i][j] == 'C') {
					digits = digits && kind[j] != 2
					letters = letters && kind[j] == 2
				}
			}
			for _, pair := range lookAlikes {
				if digits {
					raw[i][k][pair[0]] *= rarer
				} else if letters {
					raw[i][k][pair[1]] *= rarer
				}
			}
		}
	}
}

// alike is how much of a forbidden look-alike's probability counts for the
// character it resembles. The first letter listed for a digit takes it.
const alike = 0.9

func weigh(c cell, kind byte) cell {
	if kind >= 'a' {
		kind -= 'a' - 'A'
	}
	// What looks like a letter where only digits are printed, or the other
	// way round, is its look-alike: typefaces differ more than that.
	for _, pair := range lookAlikes {
		from, to := pair[0], pair[1]
		if kind == 'L' {
			from, to = to, from
		} else if kind != 'D' && kind != 'C' {
			break
		}
		c[to] += alike * c[from]
		c[from] *= 1 - alike
	}
	w := weights[kind]
	var total float64
	for k := range c {
		c[k] *= w[k]
		total += c[k]
	}
	for k := range c {
		c[k] /= total
	}
	return c
}

// settle parses the lines and, when check digits fail, tries to repair them.
func (z *zone) settle(layout mrz.Layout) error {
	d, err := mrz.Parse(z.lines)
	if err != nil {
		return err
	}
	z.doc = d
	z.repair(layout)
	z.passed, z.checks = count(z.doc.Checks)
	return nil
}

func count(c mrz.Checks) (passed, all int) {
	for _, v := range []mrz.Check{c.DocumentNumber, c.BirthDate, c.ExpirationDate, c.PersonalNumber, c.Composite} {
		if v != mrz.NotDefined {
			all++
		}
		if v == mrz.Passed {
			passed++
		}
	}
	return passed, all
}

// confidence is the smallest probability that counts: of every character no
// check digit covers, and, where one does, of the character against those it
// can not be told from (their values agree modulo 10).
func (z *zone) confidence() float64 {
	worst := 1.0
	layout := z.doc.Format
	for i, line := range z.lines {
		for k := range line {
			c := z.cells[i][k]
			at := classOf(line[k])
			p := c[at]
			if z.doc.Valid && patterns[layout][i][k] < 'a' {
				var rivals float64
				for m := range c {
					if m != at && value(m)%10 == value(at)%10 {
						rivals += c[m]
					}
				}
				p = c[at] / (c[at] + rivals + 1e-9)
			}
			worst = math.Min(worst, p)
		}
	}
	return worst
}

func value(class int) int {
	if class == filler {
		return 0
	}
	return class
}
