package ocr

import (
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// orphans are the places above values that begin where captions do and have
// none: an accent of the value runs into the caption, which is not read then.
func orphans(m gocv.Mat, size printSize, rows [][]Word, labels [][]label) []photo.Rect {
	var heights, steps []float64
	var all []photo.Rect
	for _, ls := range labels {
		for _, l := range ls {
			all = append(all, l.box)
		}
	}
	// above is the caption over a value, and the step from one's foot to the other's.
	above := func(v photo.Rect) (photo.Rect, float64, bool) {
		for _, c := range all {
			step := v.Y + v.H - c.Y - c.H
			if d := c.X - v.X; d > -c.H && d < c.H && c.H < v.H && step > 0.8*v.H && step < 3*min(v.H, size.large) {
				return c, step, true
			}
		}
		return photo.Rect{}, 0, false
	}
	var values []photo.Rect
	for i, r := range rows {
		for k, w := range r {
			if !readable(w) || k > 0 && together(r[k-1:k+1]) || slices.ContainsFunc(labels[i], func(l label) bool { return k >= l.from && k < l.to }) {
				continue
			}
			if c, step, ok := above(w.Box); ok {
				heights, steps = append(heights, c.H), append(steps, step)
				continue
			}
			values = append(values, w.Box)
		}
	}
	if len(steps) < 3 {
		return nil
	}
	slices.Sort(heights)
	slices.Sort(steps)
	h, step := heights[len(heights)/2], steps[len(steps)/2]
	var out []photo.Rect
	for _, v := range values {
		if v.H > 1.2*h && slices.ContainsFunc(all, func(c photo.Rect) bool { d := c.X - v.X; return d > -h && d < h }) {
			r := photo.Rect{X: v.X, Y: v.Y + v.H - step - h, W: 3 * h, H: h}
			_, x1 := inkBounds(m, r, v.X, min(v.X+20*h, float64(m.Cols())), 1.5*h)
			if r.W = x1 - r.X; r.Y > 0 {
				out = append(out, r)
			}
		}
	}
	return out
}
