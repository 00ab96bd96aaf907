package document

import (
	"math"

	"github.com/proofline/proofline/photo"
)

// Focal lengths in units of the photo's longer side. Main cameras of phones have
// 23-28 mm equivalent on a 36 mm wide frame, 0.64-0.78; zoomed in or cropped it
// is more. The proportion of a tilted sheet depends on it: focal gives the best
// guess, shortest and longest the range.
const (
	focal    = 0.9
	shortest = 0.68
	longest  = 1.5
)

// shape is what a quadrilateral says about the flat rectangle behind it, seen
// by a pinhole camera that looks at the middle of a w × h frame.
type shape struct {
	aspect float64 // width to height, as the corners are ordered
	lo, hi float64 // between which it lies for any likely focal length
	skew   float64 // |cos| of the angle between the sides: 0 for a true rectangle
	tilt   float64 // radians between the camera's axis and the sheet's normal
	depth  float64 // nearest to farthest corner distance, ≥ 1
}

// seen recovers the rectangle from its picture: the columns of K⁻¹H are its
// sides in space (Zhang and He, "Whiteboard scanning and image enhancement",
// 2007, with the focal length assumed rather than solved for, because the
// solution degenerates when the sheet faces the camera).
func seen(q photo.Quad, w, h float64) (shape, bool) {
	side := math.Max(w, h)
	middle := photo.Point{X: w / 2, Y: h / 2}
	s, ok := seenFrom(q, middle, focal*side)
	if !ok {
		return s, false
	}
	s.lo, s.hi = s.aspect, s.aspect
	// A photo that was cropped no longer has the lens before its middle: the
	// other extreme is that it was cropped around the document.
	own := photo.Point{X: (q[0].X + q[1].X + q[2].X + q[3].X) / 4, Y: (q[0].Y + q[1].Y + q[2].Y + q[3].Y) / 4}
	for _, c := range []photo.Point{middle, own} {
		for _, f := range []float64{shortest, longest} {
			if o, ok := seenFrom(q, c, f*side); ok {
				s.lo, s.hi = math.Min(s.lo, o.aspect), math.Max(s.hi, o.aspect)
				s.skew = math.Min(s.skew, o.skew)
			}
		}
	}
	return s, true
}

func seenFrom(q photo.Quad, centre photo.Point, f float64) (shape, bool) {
	var p photo.Quad
	for i := range q {
		p[i] = photo.Point{X: (q[i].X - centre.X) / f, Y: (q[i].Y - centre.Y) / f}
	}
	m, ok := squareTo(p)
	if !ok {
		return shape{}, false
	}
	// m maps (u, v, 1) of the unit square; its first two columns are the sides.
	a := [3]float64{m[0], m[3], m[6]}
	b := [3]float64{m[1], m[4], m[7]}
	la, lb := norm(a), norm(b)
	if la < 1e-9 || lb < 1e-9 {
		return shape{}, false
	}
	n := [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
	s := shape{
		aspect: la / lb,
		skew:   math.Abs(a[0]*b[0]+a[1]*b[1]+a[2]*b[2]) / (la * lb),
		tilt:   math.Acos(math.Min(1, math.Abs(n[2])/math.Max(norm(n), 1e-12))),
	}
	near, far := math.MaxFloat64, 0.0
	for _, z := range []float64{1, 1 + m[6], 1 + m[7], 1 + m[6] + m[7]} {
		if z <= 0.05 {
			return shape{}, false
		}
		near, far = math.Min(near, z), math.Max(far, z)
	}
	s.depth = far / near
	return s, true
}

func norm(v [3]float64) float64 { return math.Sqrt(v[0]*v[0] + v[1]*v[1] + v[2]*v[2]) }

// squareTo returns the homography, row by row, that takes the unit square to q
// (Heckbert, "Fundamentals of texture mapping and image warping", 1989).
func squareTo(q photo.Quad) ([9]float64, bool) {
	sx := q[0].X - q[1].X + q[2].X - q[3].X
	sy := q[0].Y - q[1].Y + q[2].Y - q[3].Y
	dx1, dx2 := q[1].X-q[2].X, q[3].X-q[2].X
	dy1, dy2 := q[1].Y-q[2].Y, q[3].Y-q[2].Y
	det := dx1*dy2 - dx2*dy1
	if math.Abs(det) < 1e-12 {
		return [9]float64{}, false
	}
	g := (sx*dy2 - dx2*sy) / det
	h := (dx1*sy - sx*dy1) / det
	return [9]float64{
		q[1].X - q[0].X + g*q[1].X, q[3].X - q[0].X + h*q[3].X, q[0].X,
		q[1].Y - q[0].Y + g*q[1].Y, q[3].Y - q[0].Y + h*q[3].Y, q[0].Y,
		g, h, 1,
	}, true
}

// format is a document size of ISO/IEC 7810 or ICAO Doc 9303.
type format struct {
	class  Class
	w, h   float64 // mm
	weight float64 // how plausible the proportion is in front of a camera
}

// formats lists the sizes looked for, all lying: ID-1, ID-3 (passport data
// page), ID-2, the machine readable visas MRV-A and MRV-B (Doc 9303-7), and
// an A4 page. Portrait-format A4 is the same proportion, turned.
var formats = []format{
	{ID1, 85.60, 53.98, 1},
	{PassportPage, 125, 88, 1},
	{ID2, 105, 74, 1},
	{Visa, 120, 80, 0.9},
	{A4Page, 297, 210, 0.8},
}

// plausible rates the proportion: 1 at a known format, falling to 0 at 8.5 %
// off all of them.
func plausible(s shape) float64 {
	best := 0.0
	for _, f := range formats {
		d := s.off(f)
		best = math.Max(best, f.weight*math.Max(0, 1-math.Pow(d/0.085, 2)))
	}
	return best
}

// off is how far f's proportion is from the sheet's, as the logarithm of their
// ratio: from the likely range in full, from the best guess a quarter.
func (s shape) off(f format) float64 {
	a := math.Log(f.w / f.h)
	d := math.Abs(math.Log(s.aspect) - a)
	if s.lo > 0 {
		return 0.25*d + 0.75*math.Max(0, math.Max(math.Log(s.lo)-a, a-math.Log(s.hi)))
	}
	return d
}
