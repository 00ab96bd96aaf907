package document

import (
	"fmt"
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// colours is a blurred picture to compare areas in.
type colours struct {
	w, h int
	p    []byte
}

// newColours also returns the picture that holds the pixels, to be closed.
func newColours(bgr gocv.Mat) (colours, gocv.Mat, error) {
	m := gocv.NewMat()
	err := gocv.Blur(bgr, &m, image.Pt(5, 5))
	var p []byte
	if err == nil {
		p, err = m.DataPtrUint8()
	}
	if err != nil {
		m.Close()
		return colours{}, gocv.Mat{}, fmt.Errorf("compare surfaces: %w", err)
	}
	return colours{m.Cols(), m.Rows(), p}, m, nil
}

func (c colours) at(p photo.Point) ([3]float64, bool) {
	x, y := int(p.X+0.5), int(p.Y+0.5)
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return [3]float64{}, false
	}
	i := 3 * (y*c.w + x)
	return [3]float64{float64(c.p[i]), float64(c.p[i+1]), float64(c.p[i+2])}, true
}

// Distances, in pixels, at which the two sides of a line are compared: beyond
// the blur of the edge, and once more so that a thin dark line does not count.
const near, far = 5.0, 8.0

// across tells, 0 to 1, how different the colours are on the two sides of p: the
// lesser of the differences near and far, where floor counts as fully different.
func (c colours) across(p photo.Point, nx, ny, floor float64) float64 {
	least := floor
	for _, off := range [2]float64{near, far} {
		in, ok1 := c.at(photo.Point{X: p.X + off*nx, Y: p.Y + off*ny})
		out, ok2 := c.at(photo.Point{X: p.X - off*nx, Y: p.Y - off*ny})
		if !ok1 || !ok2 {
			if off == near {
				return 0
			}
			continue
		}
		least = math.Min(least, math.Sqrt(sq(in[0]-out[0])+sq(in[1]-out[1])+sq(in[2]-out[2])))
	}
	return least / floor
}

// compare looks at what lies just inside each side with what lies just outside.
// An outline separates two surfaces nearly everywhere along it; a line of text,
// a printed rule or a crease has the same surface on both sides.
func (c *candidate) compare(pic colours, noise float64) {
	const points = 24
	middle := photo.Point{
		X: (c.quad[0].X + c.quad[1].X + c.quad[2].X + c.quad[3].X) / 4,
		Y: (c.quad[0].Y + c.quad[1].Y + c.quad[2].Y + c.quad[3].Y) / 4}
	floor := math.Max(9, 2*noise)
	var sum, n float64
	for i := range c.quad {
		c.strips[i] = 0
		a, b := c.quad[i], c.quad[(i+1)%4]
		d := a.Distance(b)
		nx, ny := -(b.Y-a.Y)/d, (b.X-a.X)/d
		if (middle.X-a.X)*nx+(middle.Y-a.Y)*ny < 0 {
			nx, ny = -nx, -ny
		}
		var differ, seenPoints float64
		for k := 0; k < points; k++ {
			t := 0.06 + 0.88*(float64(k)+0.5)/points
			p := photo.Point{X: a.X + t*(b.X-a.X), Y: a.Y + t*(b.Y-a.Y)}
			if p.X < near || p.Y < near || p.X > float64(pic.w)-near || p.Y > float64(pic.h)-near {
				continue
			}
			seenPoints++
			differ += pic.across(p, nx, ny, floor)
		}
		if seenPoints < points/3 {
			continue
		}
		c.strips[i] = differ / seenPoints
		sum += c.strips[i]
		n++
	}
	if n > 0 {
		c.step = sum / n
	}
}

func sq(v float64) float64 { return v * v }
