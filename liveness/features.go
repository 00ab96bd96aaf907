package liveness

import (
	"math"
	"slices"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/photo"
)

// changes is how much more eyes and mouth change than the rest of the face,
// once the plane's motion is taken back: the largest over the frames.
func (v *view) changes(planes []homography, unit func(photo.Point) photo.Point, width float64) (eyes, mouth float64) {
	c := v.face.Centre()
	ied := v.points[face.RightEye].Distance(v.points[face.LeftEye])
	var all, e, m []float64
	for k := 1; k < len(v.frames); k++ {
		h := planes[k]
		diff := func(centre photo.Point, rx, ry float64) float64 {
			var n, sum, bias float64
			var ds []float64
			for y := -ry; y <= ry; y++ {
				for x := -rx; x <= rx; x++ {
					p := photo.Point{X: centre.X + x, Y: centre.Y + y}
					q := h.at(unit(p))
					a, oka := v.frames[0][0].at(p)
					b, okb := v.frames[k][0].at(photo.Point{X: q.X*width + c.X, Y: q.Y*width + c.Y})
					if oka && okb {
						ds = append(ds, a-b)
						bias += a - b
						n++
					}
				}
			}
			if n < 20 {
				return math.NaN()
			}
			for _, d := range ds {
				sum += math.Abs(d - bias/n)
			}
			return sum / n
		}
		eye := (diff(v.points[face.RightEye], 0.25*ied, 0.15*ied) + diff(v.points[face.LeftEye], 0.25*ied, 0.15*ied)) / 2
		mth := diff(v.points[face.Mouth], 0.4*ied, 0.2*ied)
		rest := diff(photo.Point{X: (v.points[face.RightEye].X + v.points[face.LeftEye].X) / 2, Y: (v.points[face.RightEye].Y+v.points[face.LeftEye].Y)/2 + 0.35*ied}, 0.5*ied, 0.15*ied)
		if math.IsNaN(eye) || math.IsNaN(mth) || math.IsNaN(rest) {
			continue
		}
		e, m, all = append(e, eye), append(m, mth), append(all, rest)
	}
	if len(all) == 0 {
		return 0, 0
	}
	base := math.Max(median(all), 1)
	return slices.Max(e) / base, slices.Max(m) / base
}

func (p *plane) at(q photo.Point) (float64, bool) {
	var one [1]float32
	ok := p.window(one[:], q.X, q.Y, 0)
	return float64(one[0]), ok
}
