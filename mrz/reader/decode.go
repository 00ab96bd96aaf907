package reader

import (
	"math"

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
	for i := range r {
		t := fixed(r[i].cols, n)
		raw[i] = cells(r[i].cols, t)
		z.fit = math.Min(z.fit, t.score/math.Max(1, r[i].free.score))
	}
	first := make([]byte, 5)
	for k := range first {
		c, _ := raw[0][k].best()
		first[k] = alphabet[c]
	}
	layout := layoutFor(len(r), n, string(first))
	var sum float64
	for i := range raw {
		b := make([]byte, n)
		z.cells = append(z.cells, make([]cell, n))
		for k := range raw[i] {
			c := weigh(raw[i][k], patterns[layout][i][k])
			z.cells[i][k] = c
			m, p := c.best()
			b[k] = alphabet[m]
			sum += p
		}
		z.lines = append(z.lines, string(b))
	}
	z.mean = sum / float64(n*len(r))
	return z, z.settle(layout)
}

func weigh(c cell, kind byte) cell {
	if kind >= 'a' {
		kind -= 'a' - 'A'
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
