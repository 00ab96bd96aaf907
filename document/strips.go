package document

import (
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

func newColours(bgr gocv.Mat) (colours, gocv.Mat) {
	m := gocv.NewMat()
	gocv.Blur(bgr, &m, image.Pt(5, 5))
	p, err := m.DataPtrUint8()
	if err != nil {
		p = nil
	}
	return colours{m.Cols(), m.Rows(), p}, m
}

func (c colours) at(p photo.Point) ([3]float64, bool) {
	x, y := int(p.X+0.5), int(p.Y+0.5)
	if x < 0 || y < 0 || x >= c.w || y >= c.h || c.p == nil {
		return [3]float64{}, false
	}
	i := 3 * (y*c.w + x)
	return [3]float64{float64(c.p[i]), float64(c.p[i+1]), float64(c.p[i+2])}, true
}

// strips compares what lies just inside each side with what lies just outside.
// An outline separates two surfaces nearly everywhere along it; a line of text,
// a printed rule or a crease has the same surface on both sides.
func (c *candidate) compare(pic colours, noise float64) {
	const points, near, far = 24, 5.0, 8.0
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
			least := math.MaxFloat64
			for _, off := range []float64{near, far} {
				in, ok1 := pic.at(photo.Point{X: p.X + off*nx, Y: p.Y + off*ny})
				out, ok2 := pic.at(photo.Point{X: p.X - off*nx, Y: p.Y - off*ny})
				if !ok1 || !ok2 {
					continue
				}
				least = math.Min(least, math.Sqrt(sq(in[0]-out[0])+sq(in[1]-out[1])+sq(in[2]-out[2])))
			}
			if least == math.MaxFloat64 {
				continue
			}
			seenPoints++
			differ += math.Min(1, least/floor)
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
