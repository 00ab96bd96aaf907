package reader

import (
	"math"
	"slices"

	"github.com/proofline/proofline/mrz"
)

// Limits of repair. A character may change only to one that the recogniser
// itself gave at least minAlternative; all changes together may cost no more
// than maxCost (natural log of how much less likely the result is than the
// first choice); the next best repair must be less likely by margin. A
// document printed with a wrong check digit has no such alternatives, so it
// stays invalid.
const (
	minAlternative = 0.015
	maxCost        = 4.2
	margin         = 2.0
	maxChanges     = 2
	maxOptions     = 24

	// A first choice whose digits hold is doubtful when another reading that
	// satisfies them is less likely by no more than this.
	doubtCost        = 4.5
	doubtAlternative = 0.005
)

type option struct {
	line, col int
	to        int
	cost      float64
}

// repair looks for the one most likely reading under which all check digits
// hold, and abstains when there are two. A first choice whose digits hold
// stays, but is doubtful when another reading is about as likely: 7-3-1 does
// not see G for 6, nor some pairs such as OO for 00.
func (z *zone) repair(layout mrz.Layout) {
	least, limit := minAlternative, maxCost
	if z.doc.Valid {
		least, limit = doubtAlternative, doubtCost
	}
	var opts []option
	for i, line := range z.lines {
		for k := range line {
			if patterns[layout][i][k] >= 'a' {
				continue
			}
			c := z.cells[i][k]
			at, p := c.best()
			for m, q := range c {
				if m != at && q >= least {
					opts = append(opts, option{i, k, m, math.Log(p / q)})
				}
			}
		}
	}
	slices.SortFunc(opts, func(a, b option) int { return compare(a.cost, b.cost) })
	opts = opts[:min(len(opts), maxOptions)]
	s := search{zone: z, opts: opts, limit: limit}
	for i := range z.lines {
		s.lines = append(s.lines, []byte(z.lines[i]))
	}
	s.try(0, 0, nil)
	if len(s.found) == 0 {
		return
	}
	if z.doc.Valid {
		z.doubtful = true
		return
	}
	slices.SortFunc(s.found, func(a, b fix) int { return compare(a.cost, b.cost) })
	bestFix := s.found[0]
	if len(s.found) > 1 && s.found[1].cost-bestFix.cost < margin {
		z.doubtful = true
		return
	}
	for _, o := range bestFix.changes {
		b := []byte(z.lines[o.line])
		z.repairs = append(z.repairs, Repair{Line: o.line + 1, Column: o.col + 1, From: string(b[o.col]), To: string(alphabet[o.to]),
			Why: "check digits"})
		b[o.col] = alphabet[o.to]
		z.lines[o.line] = string(b)
	}
	z.doc = bestFix.doc
}

type fix struct {
	changes []option
	cost    float64
	doc     *mrz.Document
}

type search struct {
	zone  *zone
	opts  []option
	limit float64
	lines [][]byte
	found []fix
}

// try changes options from index i on, depth first.
func (s *search) try(i int, cost float64, changed []option) {
	for ; i < len(s.opts); i++ {
		o := s.opts[i]
		if cost+o.cost > s.limit {
			return // options are sorted by cost
		}
		if slices.ContainsFunc(changed, func(c option) bool { return c.line == o.line && c.col == o.col }) {
			continue
		}
		old := s.lines[o.line][o.col]
		s.lines[o.line][o.col] = alphabet[o.to]
		next := append(slices.Clone(changed), o)
		text := make([]string, len(s.lines))
		for k := range s.lines {
			text[k] = string(s.lines[k])
		}
		if d, err := mrz.Parse(text); err == nil && d.Valid && d.Format == s.zone.doc.Format {
			s.found = append(s.found, fix{next, cost + o.cost, d})
		}
		if len(next) < maxChanges {
			s.try(i+1, cost+o.cost, next)
		}
		s.lines[o.line][o.col] = old
	}
}
