package reader

import (
	"math"
	"slices"

	"github.com/proofline/proofline/photo"
)

// reading is one line as the recogniser sees it.
type reading struct {
	line       line
	cols       columns
	free       track
	confidence float64
	start, end photo.Point // middles of the first and last character
}

// place is the middle of a column in the photo.
func (r reading) place(col int) photo.Point {
	s := r.line.pitch / stripPitch
	u := (float64(col)+0.5)*stride - fullCols/2
	return r.line.at(s*u/(1+r.line.taper*u), 0)
}

// column is the column of the strip that is nearest to a place along the line.
func (r reading) column(p photo.Point) int {
	s := r.line.pitch / stripPitch
	a, _ := r.line.local(p)
	u := a / (s - a*r.line.taper)
	return int(math.Round((u+fullCols/2)/stride - 0.5))
}

// probe reads the middle of a line in both directions and returns it turned
// the right way up. Its score is 1 for twenty certain characters at even steps.
func (w *worker) probe(n line) (line, error) {
	out := n
	out.score = 0
	try := func(l line) error {
		score, err := w.glance(l)
		if err != nil {
			return err
		}
		if l.score = score; score > out.score {
			out = l
		}
		return nil
	}
	for _, l := range []line{n, n.turned()} {
		if err := try(l); err != nil {
			return n, err
		}
	}
	// Letters that are much taller or flatter than usual are looked at once
	// more at their own shape, unless they are like nothing at all.
	if (n.lean < 0.75 || n.lean > 1.35) && out.score >= faintProbe && out.score <= clearProbe {
		l := out
		l.aspect = n.lean
		if err := try(l); err != nil {
			return n, err
		}
	}
	return out, nil
}

// glance scores the middle of a line, read in its direction.
func (w *worker) glance(n line) (float64, error) {
	s := n.pitch / stripPitch
	strip, err := w.levels.cut(n, -probeCols*s/2, s, n.across(), probeCols, stripHeight)
	if err != nil {
		return 0, err
	}
	defer strip.Close()
	c, err := w.net.read(strip)
	if err != nil {
		return 0, err
	}
	t := free(c)
	return confidence(c, t) * t.score / (maxGain * probeCols / stripPitch), nil
}

// read reads a whole line, several times if need be: each reading tells where
// the characters are, from which the ends, the pitch and its taper follow.
func (w *worker) read(n line) (reading, error) {
	var r reading
	for pass := range 4 {
		s := n.pitch / stripPitch
		strip, err := w.levels.cut(n, -fullCols*s/2, s, n.across(), fullCols, stripHeight)
		if err != nil {
			return r, err
		}
		c, err := w.net.read(strip)
		strip.Close()
		if err != nil {
			return r, err
		}
		t := free(c)
		r = reading{line: n, cols: c, free: t, confidence: confidence(c, t)}
		if len(t.at) < 8 {
			return r, nil
		}
		along := make([]float64, len(t.at))
		for i, at := range t.at {
			along[i], _ = n.local(r.place(at))
		}
		r.start, r.end = r.place(t.at[0]), r.place(t.at[len(t.at)-1])
		if pass == 3 {
			return r, nil
		}
		m := between(r.start, r.end, n)
		m.pitch, m.taper = pitchAndTaper(along)
		m.length += m.pitch
		if m, err = w.levels.straighten(m); err != nil {
			return r, err
		}
		da, db := n.local(m.at(0, 0))
		if math.Abs(m.pitch/n.pitch-1) < 0.015 && math.Abs(da) < 2*m.pitch && math.Abs(db) < 0.05*m.tall() &&
			n.angleTo(m) < 0.003 && math.Abs(m.taper-n.taper) < 1e-4 {
			return r, nil
		}
		n = m
	}
	return r, nil
}

// pitchAndTaper fits place = a + b·k + c·k² over the characters k, counted
// from the middle one. Positions are known to a quarter pitch, so the
// curvature only means something over a long line.
func pitchAndTaper(along []float64) (pitch, taper float64) {
	n := len(along)
	var s1, s2, s4, y0, y1, y2 float64
	for i, a := range along {
		k := float64(i) - float64(n-1)/2
		s1++
		s2 += k * k
		s4 += k * k * k * k
		y0 += a
		y1 += a * k
		y2 += a * k * k
	}
	pitch = y1 / s2
	if n < 20 {
		return pitch, 0
	}
	c := (s1*y2 - s2*y0) / (s1*s4 - s2*s2)
	taper = -c / pitch / stripPitch
	return pitch, math.Max(-maxTaper, math.Min(maxTaper, taper))
}

// maxTaper halves the size across over some 600 strip pixels.
const maxTaper = 0.0008

// block finds the lines of the zone that a verified line belongs to, in
// reading order, and what they say. It looks no further once the lines make
// a valid zone.
func (w *worker) block(first line) ([]reading, *zone, error) {
	r, err := w.read(first)
	if err != nil || len(r.free.at) < 20 {
		return nil, nil, err
	}
	lines := []reading{r}
	for _, dir := range []float64{1, -1} {
		cur := r
		for len(lines) < 4 {
			next, ok, err := w.neighbour(cur, dir)
			if err != nil {
				return nil, nil, err
			}
			if !ok {
				break
			}
			if dir > 0 {
				lines = append(lines, next)
			} else {
				lines = slices.Insert(lines, 0, next)
			}
			cur = next
			if z, err := interpret(lines); err != nil || z != nil && z.doc.Valid {
				return lines, z, err
			}
		}
	}
	z, err := interpret(lines)
	return lines, z, err
}
