package liveness

import (
	"math"

	"github.com/proofline/proofline/photo"
)

// homography maps one view of a plane to another, row by row with h[8] = 1.
type homography [9]float64

func (h homography) at(p photo.Point) photo.Point {
	w := h[6]*p.X + h[7]*p.Y + h[8]
	return photo.Point{X: (h[0]*p.X + h[1]*p.Y + h[2]) / w, Y: (h[3]*p.X + h[4]*p.Y + h[5]) / w}
}

// fitHomography is the homography that takes from to to, by least squares on
// the algebraic error with weights that take back the influence of points that
// do not fit (Huber). ok is false for fewer than eight points or a degenerate
// set. Points should lie around the origin at a scale of about one.
func fitHomography(from, to []photo.Point) (h homography, ok bool) {
	n := len(from)
	if n < 8 || n != len(to) {
		return h, false
	}
	weight := make([]float64, n)
	for i := range weight {
		weight[i] = 1
	}
	for range 4 {
		var a [8][9]float64
		for i := range from {
			x, y, u, v := from[i].X, from[i].Y, to[i].X, to[i].Y
			for _, row := range [2][9]float64{{x, y, 1, 0, 0, 0, -u * x, -u * y, u}, {0, 0, 0, x, y, 1, -v * x, -v * y, v}} {
				for r := range 8 {
					for c := range 9 {
						a[r][c] += weight[i] * row[r] * row[c]
					}
				}
			}
		}
		s, solved := solve(a)
		if !solved {
			return h, false
		}
		copy(h[:8], s[:])
		h[8] = 1
		var errs []float64
		for i := range from {
			errs = append(errs, h.at(from[i]).Distance(to[i]))
		}
		k := 2 * math.Max(median(errs), 1e-6)
		for i, e := range errs {
			weight[i] = math.Min(1, k/math.Max(e, 1e-12))
		}
	}
	return h, true
}

// solve is Gauss's elimination of eight equations in eight unknowns.
func solve(a [8][9]float64) (x [8]float64, ok bool) {
	for c := range 8 {
		best := c
		for r := c + 1; r < 8; r++ {
			if math.Abs(a[r][c]) > math.Abs(a[best][c]) {
				best = r
			}
		}
		if math.Abs(a[best][c]) < 1e-12 {
			return x, false
		}
		a[c], a[best] = a[best], a[c]
		for r := range 8 {
			if r == c {
				continue
			}
			f := a[r][c] / a[c][c]
			for k := c; k < 9; k++ {
				a[r][k] -= f * a[c][k]
			}
		}
	}
	for r := range 8 {
		x[r] = a[r][8] / a[r][r]
	}
	return x, true
}
