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

// probe reads the middle of a line in both directions and returns it turned
// the right way up. Its score is 1 for twenty certain characters at even steps.
func (w *worker) probe(n line) (line, error) {
	out := n
	out.score = 0
	tries := []line{n, n.turned()}
	if n.lean < 0.75 || n.lean > 1.35 {
		n.aspect = n.lean
		tries = append(tries, n, n.turned())
	}
	for i, l := range tries {
		if i == 2 && out.score > clearProbe {
			break
		}
		score, err := w.glance(l)
		if err != nil {
			return n, err
		}
		if l.score = score; score > out.score {
			out = l
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
			u := (float64(at)+0.5)*stride - fullCols/2
			along[i] = s * u / (1 + n.taper*u)
		}
		last := len(along) - 1
		r.start, r.end = n.at(along[0], 0), n.at(along[last], 0)
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

// Lines of a zone are 1.6 to 3.4 pitches apart: 2.5 by the standard, less on
// cards seen at a slant, more in imitations.
const minSpacing, maxSpacing, spacingStep = 1.45, 3.6, 0.25

// neighbour looks for text of the same pitch beside cur, on the side of dir.
func (w *worker) neighbour(cur reading, dir float64) (reading, bool, error) {
	energy, err := w.levels.rowEnergy(cur.line, dir)
	if err != nil {
		return reading{}, false, err
	}
	type candidate struct{ off, e float64 }
	var cand []candidate
	for i := 1; i+1 < len(energy); i++ {
		off := minSpacing + float64(i)*spacingStep/4
		if energy[i] > 0 && energy[i] >= energy[i-1] && energy[i] >= energy[i+1] && off <= maxSpacing {
			cand = append(cand, candidate{off, energy[i]})
		}
	}
	slices.SortFunc(cand, func(a, b candidate) int { return compare(b.e, a.e) })
	for _, c := range cand[:min(2, len(cand))] {
		off := dir * c.off * cur.line.tall()
		n := cur.line.moved(off, off)
		n, err := w.levels.straighten(n)
		if err != nil {
			return reading{}, false, err
		}
		if _, off := cur.line.local(n.at(0, 0)); math.Abs(off) < 1.2*n.tall() {
			continue
		}
		if p, err := w.glance(n); err != nil || p < minProbe {
			if err != nil {
				return reading{}, false, err
			}
			continue
		}
		r, err := w.read(n)
		if err != nil {
			return reading{}, false, err
		}
		if r.belongsTo(cur) {
			return r, true, nil
		}
	}
	return reading{}, false, nil
}

// belongsTo reports whether r looks like another line of cur's zone: as long,
// of the same pitch, beginning at the same margin.
func (r reading) belongsTo(cur reading) bool {
	if r.confidence < 0.45 || len(r.free.at) < 20 {
		return false
	}
	n, m := float64(len(r.free.at)), float64(len(cur.free.at))
	a, _ := cur.line.local(r.start)
	b, _ := cur.line.local(cur.start)
	c, _ := cur.line.local(r.end)
	d, _ := cur.line.local(cur.end)
	p := cur.line.pitch
	return math.Abs(n-m) <= 0.25*m && (math.Abs(a-b) < 3*p || math.Abs(c-d) < 3*p)
}

// rowEnergy is the edge energy beside a line, in steps of a quarter of
// spacingStep from minSpacing, smoothed over the height of a character.
func (l *levels) rowEnergy(n line, dir float64) ([]float64, error) {
	const rows = 88 // 5.5 pitches
	cols := max(64, min(1024, int(n.length/n.pitch*stripPitch)))
	c := n.moved(dir*2.75*n.tall(), dir*2.75*n.tall())
	m, err := l.cut(c, -n.length/2, n.length/float64(cols), n.across(), cols, rows)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	px, err := m.DataPtrUint8()
	if err != nil {
		return nil, err
	}
	e := edgeEnergy(px, cols, rows)
	row := make([]float64, rows)
	for i, v := range e {
		row[i/cols] += v
	}
	if dir < 0 {
		slices.Reverse(row) // now counted away from the line
	}
	n0 := int(math.Ceil((maxSpacing-minSpacing)/(spacingStep/4))) + 2
	out := make([]float64, n0)
	for i := range out {
		mid := (minSpacing + float64(i)*spacingStep/4) * stripPitch
		for y := range row {
			if d := math.Abs(float64(y) + 0.5 - mid); d < 11 {
				out[i] += row[y] * (1 - d/11)
			}
		}
	}
	return out, nil
}
