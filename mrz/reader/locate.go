package reader

import (
	"math"
	"slices"

	"gocv.io/x/gocv"
)

// The search for lines works on the photo reduced to these longer sides. In
// each, one closing kernel joins characters whose pitch is between
// kernel/1.4 and kernel/0.5 pixels but not neighbouring lines, which are 2.5
// pitches apart (2.54 mm and, on two lines, 6.35 mm: 9303-3 §4.4 and figures
// of parts 4 to 7). The levels overlap so that a zone between 0.5 % and 3.6 %
// of the longer side per character is joined in at least one.
var searchSides = []int{1200, 760, 480}

const (
	closing      = 9
	minElongated = 5.0 // of a fragment, length over height
	minLine      = 7.0 // of a line, or of so much of it that the reader finds the rest
	maxFragments = 400
	maxMeasured  = 90 // lines whose pitch is measured
)

// masking is how the text mask is made.
type masking struct {
	threshold float64 // of Otsu's
	opening   int     // pixels; removes thinner links
	lines     int     // that are probed; a zone is nearly always among the first two
}

// searches are tried in turn until a zone is read: the second finds faint
// text, the third text that drawn lines or a frame touch.
var searches = []masking{{0.8, 3, 8}, {0.45, 3, 4}, {0.8, 7, 4}}

// findLines returns elongated textured regions of the photo, longest first.
func findLines(sheets []sheet, how masking) ([]line, error) {
	var all []line
	for _, s := range sheets {
		found, err := fragments(s, how)
		if err != nil {
			return nil, err
		}
		all = append(all, joined(found)...)
	}
	for _, l := range all {
		all = append(all, split(l)...)
	}
	slices.SortFunc(all, func(a, b line) int { return compare(b.length, a.length) })
	var out []line
	for _, l := range all {
		if l.length >= minLine*l.height && !slices.ContainsFunc(out, func(o line) bool { return sameLine(o, l) }) {
			out = append(out, l)
		}
	}
	if len(out) > maxMeasured {
		slices.SortFunc(out, func(a, b line) int { return compare(b.length/b.height, a.length/a.height) })
		out = out[:maxMeasured]
	}
	return out, nil
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// sameLine reports that l lies within o.
func sameLine(o, l line) bool {
	if o.angleTo(l) > 0.06 || l.length < 0.75*o.length || l.height > 1.5*o.height || o.height > 1.5*l.height {
		return false
	}
	for _, end := range []float64{-l.length / 2, l.length / 2} {
		a, b := o.local(l.at(end, 0))
		if math.Abs(b) > 0.5*math.Max(o.height, l.height) || math.Abs(a) > o.length/2+2*l.height {
			return false
		}
	}
	return true
}

// fragments finds dark, finely structured, elongated regions at one scale.
func fragments(s sheet, how masking) ([]line, error) {
	mask, err := inkMask(s, how)
	if err != nil {
		return nil, err
	}
	defer mask.Close()
	labels, stats, centroids := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer labels.Close()
	defer stats.Close()
	defer centroids.Close()
	n := gocv.ConnectedComponentsWithStatsWithParams(mask, &labels, &stats, &centroids, 8, gocv.MatTypeCV16U, gocv.CCL_DEFAULT)
	ids, err := labels.DataPtrUint16()
	if err != nil {
		return nil, err
	}
	return elongated(ids, s.ink.Cols(), min(n, 1<<16-1), s.scale), nil
}

// elongated turns components into lines by their second moments: a filled
// rectangle of length L has variance L²/12 along its axis.
func elongated(ids []uint16, width, n int, scale float64) []line {
	type sums struct{ n, x, y, xx, yy, xy float64 }
	s := make([]sums, n+1)
	for i, id := range ids {
		if id == 0 || int(id) > n {
			continue
		}
		x, y := float64(i%width), float64(i/width)
		c := &s[id]
		c.n++
		c.x += x
		c.y += y
		c.xx += x * x
		c.yy += y * y
		c.xy += x * y
	}
	var out []line
	for _, c := range s[1:] {
		if c.n < 40 {
			continue
		}
		mx, my := c.x/c.n, c.y/c.n
		vx, vy, vxy := c.xx/c.n-mx*mx, c.yy/c.n-my*my, c.xy/c.n-mx*my
		mid, d := (vx+vy)/2, math.Hypot((vx-vy)/2, vxy)
		l1, l2 := mid+d, math.Max(mid-d, 1.0/12)
		length, height := math.Sqrt(12*l1), math.Sqrt(12*l2)
		if height < 3 || length < 2.5*height || c.n < 0.55*length*height {
			continue
		}
		th := 0.5 * math.Atan2(2*vxy, vx-vy)
		out = append(out, line{x: (mx + 0.5) / scale, y: (my + 0.5) / scale, ux: math.Cos(th), uy: math.Sin(th),
			length: length / scale, height: height / scale})
	}
	slices.SortFunc(out, func(a, b line) int { return compare(b.length, a.length) })
	return out[:min(len(out), maxFragments)]
}

// joined merges fragments of one line: collinear, alike in height, with a
// gap of few characters. It keeps what was merged from, too.
func joined(f []line) []line {
	out := slices.Clone(f)
	for i := range f {
		cur := f[i]
		if cur.length < minElongated*cur.height {
			continue
		}
		used := map[int]bool{i: true}
		for again := true; again; {
			again = false
			for j, g := range f {
				if used[j] || g.height > 1.7*cur.height || cur.height > 1.7*g.height || g.length < 3*g.height && g.angleTo(cur) > 0.5 ||
					g.length >= 3*g.height && g.angleTo(cur) > 0.12 {
					continue
				}
				a, b := cur.local(g.at(0, 0))
				if math.Abs(b) > 0.45*cur.height || math.Abs(a) > (cur.length+g.length)/2+4*cur.height {
					continue
				}
				lo := math.Min(-cur.length/2, a-g.length/2)
				hi := math.Max(cur.length/2, a+g.length/2)
				side := b
				p, q := cur.at(lo, 0), cur.at(hi, 0)
				if a < 0 {
					p = cur.at(lo, side)
				} else {
					q = cur.at(hi, side)
				}
				cur = between(p, q, cur)
				used[j], again = true, true
			}
		}
		if len(used) > 1 {
			out = append(out, cur)
		}
	}
	return out
}

// split proposes the lines within a region that joined two or three of them:
// with lines 2 to 2.5 pitches apart, the middles of the outer ones lie about
// a third of the height from the middle.
func split(l line) []line {
	r := l.length / l.height
	if r < 3 || r > 15 {
		return nil
	}
	var out []line
	for _, part := range []struct{ off, height float64 }{{-0.36, 0.27}, {0, 0.2}, {0.36, 0.27}} {
		m := l.moved(part.off*l.height, part.off*l.height)
		m.height = part.height * l.height
		out = append(out, m)
	}
	return out
}
