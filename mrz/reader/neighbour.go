package reader

import (
	"math"
	"slices"
)

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
