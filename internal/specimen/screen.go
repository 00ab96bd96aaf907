package specimen

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Panel is a display that a photo of the document is shown on and photographed
// from again.
type Panel struct {
	Columns int     // of the panel's pixels across the frame
	Turn    float64 // degrees by which the camera is turned against it
	Tilt    float64 // degrees away from the camera
	Axis    float64
}

// displayFor chooses the display of a seed, from a coarse monitor to a telephone
// whose pixels nearly match the sensor's.
func displayFor(seed int64) *Panel {
	r := stream(seed, "panel")
	return &Panel{Columns: int(between(r, 420, 1500)), Turn: between(r, -4, 4), Tilt: between(r, 0, 8), Axis: between(r, 0, 360)}
}

// photographed shows img on the panel and photographs it from there. Every
// photo pixel is the mean of nine samples of stripes of red, green and blue with
// dark gaps between them: where their pitch and the sensor's do not match,
// moiré appears, as it does in a camera. It returns the map from img to the photo.
func (p Panel) photographed(img *image.RGBA) (*image.RGBA, matrix) {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	rows := p.Columns * h / w
	shown := resized(img, p.Columns, rows, gocv.InterpolationArea)
	fw, fh := float64(w), float64(h)
	// The display fills the frame and a little more.
	m := translate(-fw/2, -fh/2).then(stretch(1.06, 1.06)).then(rotate(p.Turn * math.Pi / 180)).
		then(tilted(p.Tilt*math.Pi/180, p.Axis*math.Pi/180, 1.3*math.Max(fw, fh))).then(translate(fw/2, fh/2))
	back := m.inverse()
	out := image.NewRGBA(img.Rect)
	k := float64(p.Columns) / fw
	const n = 3
	var light [256]float64 // of a panel's pixel by its level
	for i := range light {
		light[i] = 0.03 + 0.97*math.Pow(float64(i)/255, 2.2)
	}
	for y := range h {
		for x := range w {
			var sum [3]float64
			for i := range n * n {
				at := back.apply(photo.Point{X: float64(x) + (float64(i%n)+0.5)/n, Y: float64(y) + (float64(i/n)+0.5)/n})
				u, v := at.X*k, at.Y*k
				cx, cy := math.Floor(u), math.Floor(v)
				if cx < 0 || cy < 0 || int(cx) >= p.Columns || int(cy) >= rows {
					continue
				}
				fu, fv := u-cx, v-cy
				if fv > 0.82 {
					continue // the gap between two rows
				}
				ch := min(2, int(fu*3))
				if in := fu*3 - float64(ch); in > 0.86 {
					continue
				}
				sum[ch] += light[shown.Pix[shown.PixOffset(int(cx), int(cy))+ch]]
			}
			o := out.Pix[out.PixOffset(x, y):]
			for ch, v := range sum {
				// Back to gamma-coded levels; 3 stripes, less the gaps.
				o[ch] = clamp(float32(255 * math.Pow(math.Min(1, v/(n*n)*3/(0.82*0.86)), 1/2.2)))
			}
			o[2] = clamp(float32(o[2]) * 1.04)
			o[3] = 255
		}
	}
	return out, m
}

// inverse of a projective map, up to scale.
func (m matrix) inverse() matrix {
	return matrix{
		m[4]*m[8] - m[5]*m[7], m[2]*m[7] - m[1]*m[8], m[1]*m[5] - m[2]*m[4],
		m[5]*m[6] - m[3]*m[8], m[0]*m[8] - m[2]*m[6], m[2]*m[3] - m[0]*m[5],
		m[3]*m[7] - m[4]*m[6], m[1]*m[6] - m[0]*m[7], m[0]*m[4] - m[1]*m[3],
	}
}
