package specimen

import (
	"image/color"
	"math"
)

// paper fills the side with a tint that runs from left to right, then lays
// families of sinusoids over it. Printers call such lines guilloches; they are
// fine enough (0.1 mm) to blur away in a bad photo, as on real documents.
func (c *canvas) paper(st *state, seed int64, side string) {
	b := c.img.Bounds()
	for y := range b.Dy() {
		row := c.img.Pix[y*c.img.Stride:]
		v := float64(y) / float64(b.Dy())
		for x := range b.Dx() {
			t := float64(x)/float64(b.Dx())*0.8 + 0.2*v
			p := row[x*4 : x*4+4 : x*4+4]
			p[0], p[1], p[2], p[3] = mix(st.Paper[0].R, st.Paper[1].R, t), mix(st.Paper[0].G, st.Paper[1].G, t), mix(st.Paper[0].B, st.Paper[1].B, t), 255
		}
	}
	r := stream(seed, "guilloche "+side+st.Code)
	for _, family := range []struct {
		col   color.RGBA
		alpha float64
		step  float64
	}{{st.Tint, 0.30, 1.5}, {st.Accent, 0.20, 1.9}, {st.Tint, 0.17, 2.6}} {
		c.waves(family.col, family.alpha, family.step, waveform{
			amp: [3]float64{between(r, 3, 5), between(r, 1.2, 2.4), between(r, 0.5, 1)},
			len: [3]float64{between(r, 55, 90), between(r, 21, 34), between(r, 9, 13)},
			ph:  [3]float64{between(r, 0, 6.28), between(r, 0, 6.28), between(r, 0, 6.28)},
		})
	}
}

// waveform is a sum of three sinusoids, in millimetres and radians.
type waveform struct{ amp, len, ph [3]float64 }

func (w waveform) at(x, shift float64) (y, slope float64) {
	for i := range w.amp {
		q := 2 * math.Pi / w.len[i]
		a := q*x + w.ph[i] + shift*float64(i+1)*0.7
		y += w.amp[i] * math.Sin(a)
		slope += w.amp[i] * q * math.Cos(a)
	}
	return y, slope
}

// waves draws parallel curves y = f(x), each a little out of phase with the
// one before. A curve is at most a few pixels high in one column, so it is
// drawn column by column with exact coverage instead of as a path.
func (c *canvas) waves(col color.RGBA, alpha, step float64, w waveform) {
	const line = 0.11 // mm
	b := c.img.Bounds()
	for k := -8; float64(k)*step < c.h+12; k++ {
		for x := range b.Dx() {
			y, slope := w.at((float64(x)+0.5)/c.k, float64(k)*0.11)
			half := line * c.k / 2 * math.Hypot(1, slope)
			mid := (y + float64(k)*step) * c.k
			lo, hi := mid-half, mid+half
			for py := int(math.Floor(lo)); float64(py) < hi; py++ {
				cover := math.Min(hi, float64(py+1)) - math.Max(lo, float64(py))
				c.blend(x, py, col, alpha*cover)
			}
		}
	}
}

// rosette draws a closed guilloche of n overlaid petal curves around a point.
func (c *canvas) rosette(col color.RGBA, alpha, x, y, radius float64, petals, n int) {
	for k := range n {
		turn := 2 * math.Pi * float64(k) / float64(n*petals)
		var points [][2]float64
		const steps = 240
		for i := 0; i <= steps; i++ {
			a := 2 * math.Pi * float64(i) / steps
			d := radius * (0.66 + 0.26*math.Cos(float64(petals)*(a+turn)) + 0.08*math.Cos(float64(3*petals)*a-turn))
			points = append(points, [2]float64{x + d*math.Cos(a), y + d*math.Sin(a)})
		}
		c.stroke(faded(col, alpha), 0.12, points)
	}
}

// emblem is the arms of a state that does not exist: a sun over waves within a
// ring, in one ink.
func (c *canvas) emblem(col color.RGBA, x, y, r float64) {
	ring := func(radius, width float64) {
		var points [][2]float64
		for i := 0; i <= 90; i++ {
			a := 2 * math.Pi * float64(i) / 90
			points = append(points, [2]float64{x + radius*math.Cos(a), y + radius*math.Sin(a)})
		}
		c.stroke(col, width, points)
	}
	ring(r, r*0.07)
	ring(r*0.86, r*0.03)
	var sun [][2]float64
	for i := range 40 {
		a := math.Pi + math.Pi*float64(i)/39
		d := r * 0.30
		sun = append(sun, [2]float64{x + d*math.Cos(a), y + r*0.06 + d*math.Sin(a)})
	}
	c.path(col, sun...)
	for i := range 9 {
		a := math.Pi + math.Pi*(float64(i)+0.5)/9
		in, out := r*0.38, r*0.66
		c.stroke(col, r*0.07, [][2]float64{{x + in*math.Cos(a), y + r*0.06 + in*math.Sin(a)}, {x + out*math.Cos(a), y + r*0.06 + out*math.Sin(a)}})
	}
	for row := range 3 {
		var wave [][2]float64
		dy := r * (0.2 + 0.17*float64(row))
		half := math.Sqrt(math.Max(0, r*r*0.60-dy*dy))
		for i := 0; i <= 40; i++ {
			px := -half + 2*half*float64(i)/40
			wave = append(wave, [2]float64{x + px, y + dy + r*0.05*math.Sin(px/r*11+float64(row))})
		}
		c.stroke(col, r*0.06, wave)
	}
}
