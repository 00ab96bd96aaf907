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
// the right way up, with the confidence of what was read.
func (w *worker) probe(n line) (line, error) {
	s := n.pitch / stripPitch
	bestLine := n
	for _, l := range []line{n, n.turned()} {
		width := math.Min(l.length, probeCols*s)
		strip, err := w.levels.cut(l, -width/2, s, s, probeCols, stripHeight)
		if err != nil {
			return n, err
		}
		c, err := w.net.read(strip)
		strip.Close()
		if err != nil {
			return n, err
		}
		t := free(c)
		expect := width / n.pitch
		l.score = confidence(c, t) * math.Min(1, float64(len(t.at))/math.Max(10, 0.9*expect))
		if l.score > bestLine.score {
			bestLine = l
		}
	}
	return bestLine, nil
}

// read reads a whole line, twice: the first reading tells where the
// characters are, from which the pitch and the ends follow.
func (w *worker) read(n line) (reading, error) {
	var r reading
	for pass := range 2 {
		s := n.pitch / stripPitch
		a := -fullCols * s / 2
		strip, err := w.levels.cut(n, a, s, s, fullCols, stripHeight)
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
		x := func(i int) float64 { return a + (float64(t.at[i])+0.5)*stride*s }
		first, last := x(0), x(len(t.at)-1)
		r.start, r.end = n.at(first, 0), n.at(last, 0)
		pitch := (last - first) / float64(len(t.at)-1)
		if pass == 0 {
			m := between(r.start, r.end, n)
			m.pitch, m.length = pitch, m.length+pitch
			if m, err = w.levels.straighten(m); err != nil {
				return r, err
			}
			drift := math.Abs(pitch/n.pitch-1) > 0.02
			_, off := n.local(m.at(0, 0))
			if !drift && math.Abs(off) < 0.04*pitch && n.angleTo(m) < 0.003 {
				return r, nil
			}
			n = m
		}
	}
	return r, nil
}

// block finds the lines of the zone that a verified line belongs to, in
// reading order.
func (w *worker) block(first line) ([]reading, error) {
	r, err := w.read(first)
	if err != nil || len(r.free.at) < 20 {
		return nil, err
	}
	lines := []reading{r}
	for _, dir := range []float64{-1, 1} {
		cur := r
		for len(lines) < 4 {
			next, ok, err := w.neighbour(cur, dir)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			lines = append(lines, next)
			cur = next
		}
	}
	slices.SortFunc(lines, func(a, b reading) int {
		_, ya := r.line.local(a.line.at(0, 0))
		_, yb := r.line.local(b.line.at(0, 0))
		return compare(ya, yb)
	})
	return lines, nil
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
		n := cur.line.moved(dir*c.off*cur.line.pitch, dir*c.off*cur.line.pitch)
		n, err := w.levels.straighten(n)
		if err != nil {
			return reading{}, false, err
		}
		if _, off := cur.line.local(n.at(0, 0)); math.Abs(off) < 1.2*n.pitch {
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
	s := n.pitch / stripPitch
	cols := max(64, min(1024, int(n.length/s)))
	c := n.moved(dir*2.75*n.pitch, dir*2.75*n.pitch)
	m, err := l.cut(c, -n.length/2, n.length/float64(cols), s, cols, rows)
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
