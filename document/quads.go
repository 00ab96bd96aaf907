package document

import (
	"math"
	"sort"

	"github.com/proofline/proofline/photo"
)

// candidate is a quadrilateral in work pixels, clockwise from any corner.
type candidate struct {
	quad    photo.Quad
	sides   [4]int // the lines of side i, from corner i to corner i+1
	shape   shape
	score   float64
	support [4]float64
	border  int // how many sides are the frame's own
	step    float64
	whole   bool // the frame itself

	rivals []candidate // other readings of the same sheet, best first
	polish func(candidate) candidate
	strips [4]float64
}

const (
	minArea    = 0.03 // of the frame
	outside    = 0.12 // of the frame's side a corner may lie outside of it
	minSupport = 0.34
	minCutArea = 0.25 // of the frame, for a document that reaches out of it
)

// corner is where two lines meet.
type corner struct {
	p  photo.Point
	ok bool
}

// propose combines pairs of roughly parallel lines into quadrilaterals and
// returns the best by edge support alone, at most keep.
func propose(lines []line, w, h float64, keep int) []candidate {
	n := len(lines)
	meet := make([]corner, n*n)
	for i := range lines {
		for j := range lines {
			a, b := &lines[i], &lines[j]
			det := a.nx*b.ny - a.ny*b.nx
			if math.Abs(det) < 0.6 { // sides meet at 37° or more
				continue
			}
			p := photo.Point{X: (a.rho*b.ny - b.rho*a.ny) / det, Y: (a.nx*b.rho - b.nx*a.rho) / det}
			ok := p.X > -outside*w && p.X < (1+outside)*w && p.Y > -outside*h && p.Y < (1+outside)*h
			meet[i*n+j] = corner{p, ok}
		}
	}
	type pair struct{ a, b int }
	var pairs []pair
	apart := 0.1 * math.Min(w, h)
	centre := photo.Point{X: w / 2, Y: h / 2}
	for i := range lines {
		for j := i + 1; j < n; j++ {
			a, b := &lines[i], &lines[j]
			if a.border && b.border {
				continue
			}
			if c := math.Abs(a.nx*b.nx + a.ny*b.ny); c < 0.85 { // 32°: strong perspective
				continue
			}
			sign := 1.0
			if a.nx*b.nx+a.ny*b.ny < 0 {
				sign = -1
			}
			if math.Abs(a.distance(centre)-sign*b.distance(centre)) < apart {
				continue
			}
			pairs = append(pairs, pair{i, j})
		}
	}
	var out []candidate
	least := minArea * w * h
	for x := range pairs {
		p := pairs[x]
		for y := x + 1; y < len(pairs); y++ {
			r := pairs[y]
			c0, c1, c2, c3 := &meet[p.a*n+r.a], &meet[r.a*n+p.b], &meet[p.b*n+r.b], &meet[r.b*n+p.a]
			if !c0.ok || !c1.ok || !c2.ok || !c3.ok {
				continue
			}
			q := photo.Quad{c0.p, c1.p, c2.p, c3.p}
			if !convex(q) {
				continue
			}
			area := q.Area()
			if area < least {
				continue
			}
			c := candidate{quad: q, sides: [4]int{r.a, p.b, r.b, p.a}}
			if !c.rate(lines, area/(w*h)) {
				continue
			}
			out = append(out, c)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].score > out[j].score })
	if len(out) > keep {
		out = out[:keep]
	}
	return out
}

// convex tells whether q is convex; the corners may run either way round.
func convex(q photo.Quad) bool {
	pos := 0
	for i := range q {
		a, b, c := q[i], q[(i+1)%4], q[(i+2)%4]
		if (b.X-a.X)*(c.Y-b.Y)-(b.Y-a.Y)*(c.X-b.X) > 0 {
			pos++
		}
	}
	return pos == 0 || pos == 4
}

// rate scores c by how well its four sides are supported by edges, and by how
// little those edges run on beyond the corners: the edge of a table does, the
// edge of a card does not.
func (c *candidate) rate(lines []line, area float64) bool {
	var total, weight, least, beyond, ends float64
	least = 1
	for i := range c.quad {
		l := &lines[c.sides[i]]
		a, b := c.quad[i], c.quad[(i+1)%4]
		length := a.Distance(b)
		if length < 24 {
			return false
		}
		if l.border {
			c.border++
			c.support[i] = 0
			continue
		}
		t0, t1 := l.t(a), l.t(b)
		if t0 > t1 {
			t0, t1 = t1, t0
		}
		round := math.Min(0.06*length, 12) // ISO/IEC 7810: corners are rounded, 3.18 mm
		s, signed, seenLength := l.between(t0+round, t1-round)
		if seenLength < 0.3*length {
			return false
		}
		// A step that keeps its sign is worth more than one that flips.
		s = 0.75*s + 0.25*math.Abs(signed)
		c.support[i] = s
		if s < minSupport {
			return false
		}
		least = math.Min(least, s)
		total, weight = total+s*length, weight+length
		reach := math.Max(10, 0.12*length)
		for _, e := range [2][2]float64{{t0 - reach, t0 - 3}, {t1 + 3, t1 + reach}} {
			if s, _, n := l.between(e[0], e[1]); n > 4 {
				beyond += s
				ends++
			}
		}
	}
	if c.border > 2 || weight == 0 || c.border > 0 && area < minCutArea {
		return false
	}
	if ends > 0 {
		beyond /= ends
	}
	c.score = 0.55*total/weight + 0.45*least - 0.22*beyond + 0.25*math.Sqrt(math.Min(area, 0.7)) - 0.14*float64(c.border)
	return true
}

// normalise orders the corners clockwise in the picture, starting so that the
// first side is one of the longer ones and the document stands as upright as
// the photo allows, and recovers the shape.
func (c *candidate) normalise(w, h float64) bool {
	q := c.quad
	var s float64
	for i := range q {
		j := (i + 1) % 4
		s += q[i].X*q[j].Y - q[j].X*q[i].Y
	}
	if s < 0 { // y points down: positive is clockwise
		q = photo.Quad{q[0], q[3], q[2], q[1]}
		c.sides = [4]int{c.sides[3], c.sides[2], c.sides[1], c.sides[0]}
		c.support = [4]float64{c.support[3], c.support[2], c.support[1], c.support[0]}
	}
	sh, ok := seen(q, w, h)
	if !ok {
		return false
	}
	turn := 0
	if sh.aspect < 1 {
		turn = 1
	}
	// Of the two lying positions take the one whose top side is further up; on
	// a tie (document standing) the one that starts further right.
	top := func(k int) float64 {
		a, b := q[k%4], q[(k+1)%4]
		return (a.Y + b.Y) - 0.05*(a.X+b.X)
	}
	if top(turn+2) < top(turn) {
		turn += 2
	}
	c.rotate(q, turn)
	c.shape, ok = seen(c.quad, w, h)
	return ok
}

// rotate makes corner k of q the first.
func (c *candidate) rotate(q photo.Quad, k int) {
	sides, support := c.sides, c.support
	for i := range q {
		c.quad[i] = q[(i+k)%4]
		c.sides[i] = sides[(i+k)%4]
		c.support[i] = support[(i+k)%4]
	}
}

// frameLines are the four sides of the picture, for documents that reach out of
// it.
func frameLines(w, h float64) []line {
	return []line{
		{nx: 0, ny: 1, rho: 0, border: true},
		{nx: 1, ny: 0, rho: w - 1, border: true},
		{nx: 0, ny: 1, rho: h - 1, border: true},
		{nx: 1, ny: 0, rho: 0, border: true},
	}
}
