package specimen

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// lighting holds what light does to each pixel: a gain on everything and a
// gloss on the document. Both are smooth, so they are computed on a coarse
// grid and interpolated.
type lighting struct {
	gain, gloss []float32
	tint        [3]float64
}

const lightGrid = 8 // photo pixels per cell

func (c Camera) light(plane matrix, w, h float64) lighting {
	gw, gh := c.Width/lightGrid+1, c.Height/lightGrid+1
	gain, gloss := make([]float32, gw*gh), make([]float32, gw*gh)
	r := stream(c.Seed, "light")
	from := between(r, 0, 2*math.Pi)
	sy, sx := math.Sincos(from)
	exposure := math.Exp2(c.Exposure / 2.2) // the pixels are gamma coded
	diag := math.Hypot(float64(c.Width), float64(c.Height))
	// The edge of the shadow runs near the document's middle.
	middle := plane.apply(photo.Point{X: w * between(r, 0.35, 0.65), Y: h * between(r, 0.35, 0.65)})
	edge := between(r, 0, 2*math.Pi)
	ey, ex := math.Sincos(edge)
	spots := c.spots(plane, w, h)
	for gy := range gh {
		for gx := range gw {
			x, y := float64(gx*lightGrid), float64(gy*lightGrid)
			dx, dy := (x-float64(c.Width)/2)/diag, (y-float64(c.Height)/2)/diag
			g := exposure * (1 - c.Falloff*0.5 + c.Falloff*(sx*dx+sy*dy))
			g *= 1 - 0.12*4*(dx*dx+dy*dy) // vignetting
			if c.Shadow > 0 {
				d := (ex*(x-middle.X) + ey*(y-middle.Y)) / (0.012 * diag)
				g *= 1 - c.Shadow/(1+math.Exp(-d))
			}
			gain[gy*gw+gx] = float32(g)
			for _, s := range spots {
				u := (s.cos*(x-s.x) + s.sin*(y-s.y)) / s.rx
				v := (-s.sin*(x-s.x) + s.cos*(y-s.y)) / s.ry
				d := u*u + v*v
				gloss[gy*gw+gx] += float32(s.strength * (math.Exp(-d*d) + 0.25*math.Exp(-d/3)))
			}
		}
	}
	return lighting{
		gain: c.full(gain, gw, gh), gloss: c.full(gloss, gw, gh),
		tint: [3]float64{1 + 0.09*c.Warmth, 1, 1 - 0.14*c.Warmth},
	}
}

type spot struct{ x, y, rx, ry, sin, cos, strength float64 }

func (c Camera) spots(plane matrix, w, h float64) []spot {
	var out []spot
	for _, g := range c.Glare {
		at := plane.apply(photo.Point{X: g.X * w, Y: g.Y * h})
		side := plane.apply(photo.Point{X: g.X*w + g.Radius*w, Y: g.Y * h})
		rx := math.Hypot(side.X-at.X, side.Y-at.Y)
		if rx == 0 {
			continue
		}
		stretch := g.Stretch
		if stretch == 0 {
			stretch = 1
		}
		out = append(out, spot{at.X, at.Y, rx, rx * stretch, (side.Y - at.Y) / rx, (side.X - at.X) / rx, g.Strength})
	}
	return out
}

func (c Camera) full(grid []float32, gw, gh int) []float32 {
	m := gocv.NewMatWithSize(gh, gw, gocv.MatTypeCV32F)
	defer m.Close()
	if p, err := m.DataPtrFloat32(); err == nil {
		copy(p, grid)
	}
	out := gocv.NewMat()
	defer out.Close()
	_ = gocv.Resize(m, &out, image.Pt(c.Width, c.Height), 0, 0, gocv.InterpolationLinear)
	p, err := out.DataPtrFloat32()
	if err != nil {
		return make([]float32, c.Width*c.Height)
	}
	return append([]float32(nil), p...)
}

// compose lays the warped document over the scene and lights both.
func compose(scene, laid *image.RGBA, l lighting) {
	tint := [3]float32{float32(l.tint[0]), float32(l.tint[1]), float32(l.tint[2])}
	for i, p := 0, 0; i < len(scene.Pix); i, p = i+4, p+1 {
		a := uint32(laid.Pix[i+3])
		gain, gloss := l.gain[p], l.gloss[p]*float32(a)/255
		for ch := range 3 {
			v := uint32(scene.Pix[i+ch])
			if a > 0 {
				v = uint32(laid.Pix[i+ch]) + v*(255-a)/255
			}
			f := float32(v) * gain * tint[ch]
			if gloss > 0 {
				f += (262 - f) * min(gloss, 1)
			}
			scene.Pix[i+ch] = clamp(f)
		}
		scene.Pix[i+3] = 255
	}
}

func clamp(f float32) uint8 {
	if f <= 0 {
		return 0
	}
	if f >= 255 {
		return 255
	}
	return uint8(f + 0.5)
}

// sensor adds noise, a little coarser than the pixels because cameras
// interpolate colour and denoise.
func (c Camera) sensor(img *image.RGBA) {
	if c.Grey {
		for i := 0; i < len(img.Pix); i += 4 {
			y := uint8((299*uint32(img.Pix[i]) + 587*uint32(img.Pix[i+1]) + 114*uint32(img.Pix[i+2])) / 1000)
			img.Pix[i], img.Pix[i+1], img.Pix[i+2] = y, y, y
		}
	}
	if c.Noise <= 0 {
		return
	}
	const n = 1 << 16
	r := stream(c.Seed, "noise")
	table := make([]int16, n)
	for i := range table {
		table[i] = int16(math.Round(r.NormFloat64() * c.Noise * 16))
	}
	w := img.Rect.Dx()
	for y := range img.Rect.Dy() {
		row := img.Pix[y*img.Stride : y*img.Stride+w*4]
		// A row begins anywhere in the table: it repeats without a pattern.
		at := r.IntN(n)
		var last int32
		for i := 0; i < len(row); i += 4 {
			luma := (int32(table[at&(n-1)])*3 + last) >> 2
			last = int32(table[at&(n-1)])
			for ch := range 3 {
				v := int32(row[i+ch]) + (luma+int32(table[(at+7*ch+1)&(n-1)])/2)>>4
				if c.Grey {
					v = int32(row[i+ch]) + luma>>4
				}
				row[i+ch] = uint8(min(255, max(0, v)))
			}
			at += 5
		}
	}
}
