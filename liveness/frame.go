package liveness

import (
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// maxSegments bounds the work on pictures full of lines.
const maxSegments = 600

// frame looks for long straight edges that could be the rim of a sheet or a
// device around the face. For each direction from 0° to 90° it takes the
// segments along it and across it, and asks on how many sides of the face one
// stands that is at least half as long as the face; a side counts by the
// length found, up to one face length. The value is the best direction's sum.
func frame(scene gocv.Mat, box photo.Rect) (Signal, error) {
	s := Signal{Name: SignalFrame, Unit: "sides"}
	grey, edges, lines := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer grey.Close()
	defer edges.Close()
	defer lines.Close()
	if err := gocv.CvtColor(scene, &grey, gocv.ColorBGRToGray); err != nil {
		return s, err
	}
	if err := gocv.Canny(grey, &edges, 60, 150); err != nil {
		return s, err
	}
	shortest := 0.5 * box.H
	if err := gocv.HoughLinesPWithParams(edges, &lines, 1, math.Pi/180, 40, float32(shortest), float32(0.05*box.H+2)); err != nil {
		return s, err
	}
	var segs []segment
	for i := 0; i < lines.Rows() && i < maxSegments; i++ {
		v := lines.GetVeciAt(i, 0)
		if len(v) == 4 {
			segs = append(segs, segment{
				photo.Point{X: float64(v[0]), Y: float64(v[1])}, photo.Point{X: float64(v[2]), Y: float64(v[3])}})
		}
	}
	s.Value = enclosure(segs, box)
	return s, nil
}

type segment struct{ a, b photo.Point }

// enclosure is 0 to 4: how much of a rectangle's four sides the segments give
// around the box, for the best orientation of the rectangle.
func enclosure(segs []segment, box photo.Rect) float64 {
	c := box.Centre()
	half := math.Max(box.W, box.H) / 2
	var best float64
	for deg := -45; deg < 45; deg += 3 {
		sin, cos := math.Sincos(float64(deg) * math.Pi / 180)
		// right, below, left, above: the length found on each side
		var sides [4]float64
		for _, g := range segs {
			dx, dy := g.b.X-g.a.X, g.b.Y-g.a.Y
			length := math.Hypot(dx, dy)
			if length < 1 {
				continue
			}
			mx, my := (g.a.X+g.b.X)/2-c.X, (g.a.Y+g.b.Y)/2-c.Y
			along := math.Abs(dx*cos+dy*sin) / length // 1 = parallel to the x axis of the rectangle
			u, v := mx*cos+my*sin, -mx*sin+my*cos
			const parallel = 0.9945 // cos 6°
			switch {
			case along >= parallel && math.Abs(v) > half && math.Abs(u) < 2*half:
				k := 1
				if v < 0 {
					k = 3
				}
				sides[k] = math.Max(sides[k], length)
			case along <= 1-parallel+0.1 && math.Abs(u) > half && math.Abs(v) < 2*half:
				k := 0
				if u < 0 {
					k = 2
				}
				sides[k] = math.Max(sides[k], length)
			}
		}
		var sum float64
		for _, l := range sides {
			sum += math.Min(1, l/(2*half))
		}
		best = math.Max(best, sum)
	}
	return best
}
