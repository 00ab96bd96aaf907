package specimen

import (
	"image"
	"math"
)

// Foil is an optically variable device (a hologram or kinegram) on the
// document, as it looks under a lamp: fields of gratings that send each
// colour of the light elsewhere, some of them the lamp itself.
type Foil struct {
	X, Y     float64 // middle, of the document's width and height, 0-1
	Radius   float64 // of the document's width
	Strength float64 // 0-1: how much of the light the gratings send back
	Mirror   float64 // 0-1: part of the fields that reflect the lamp, white and burnt out
}

// foils are the devices of a seed: one opaque patch, and on some documents a
// wide, thin one in the laminate across the rest.
func foils(seed int64) []Foil {
	r := stream(seed, "foil")
	out := []Foil{{X: between(r, 0.45, 0.85), Y: between(r, 0.25, 0.5), Radius: between(r, 0.09, 0.16), Strength: between(r, 0.75, 1), Mirror: between(r, 0.05, 0.35)}}
	if r.IntN(2) == 0 {
		out = append(out, Foil{X: between(r, 0.35, 0.65), Y: 0.5, Radius: between(r, 0.35, 0.5), Strength: between(r, 0.25, 0.45)})
	}
	return out
}

// withFoils returns a copy of the side with the devices of c on it.
func (c Camera) withFoils(doc *image.RGBA) *image.RGBA {
	if len(c.Foils) == 0 {
		return doc
	}
	out := image.NewRGBA(doc.Rect)
	copy(out.Pix, doc.Pix)
	for k, f := range c.Foils {
		c.foil(out, f, int64(k))
	}
	return out
}

// foil draws rosettes of grating fields. A field's colour follows from its
// direction and from where it lies (the grating equation: the angle between
// lamp, foil and lens selects the wavelength, and changes slowly along the
// sheet), so that each shows a piece of the spectrum.
func (c Camera) foil(img *image.RGBA, f Foil, k int64) {
	r := stream(c.Seed+1000*k, "gratings")
	w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	cx, cy, radius := f.X*w, f.Y*h, f.Radius*w
	petals := float64(5 + r.IntN(7))
	const rings, sectors = 7, 24
	var phase, bright [rings * sectors]float64
	var mirror [rings * sectors]bool
	for i := range phase {
		phase[i], bright[i], mirror[i] = between(r, 0, 1), between(r, 0.25, 1), r.Float64() < f.Mirror
	}
	slope, turn := between(r, 1.5, 4), between(r, 0, 2*math.Pi)
	for y := max(0, int(cy-radius)); y < min(img.Rect.Dy(), int(cy+radius)+1); y++ {
		for x := max(0, int(cx-radius)); x < min(img.Rect.Dx(), int(cx+radius)+1); x++ {
			dx, dy := (float64(x)-cx)/radius, (float64(y)-cy)/radius
			d, a := math.Hypot(dx, dy), math.Atan2(dy, dx)+math.Pi
			edge := d * (1 + 0.12*math.Cos(petals*a))
			if edge >= 1 {
				continue
			}
			ring := edge * rings
			sector := a/(2*math.Pi)*sectors + 0.8*math.Sin(ring)
			i := int(ring)*sectors + ((int(math.Floor(sector))%sectors)+sectors)%sectors
			// Lines between the fields do not reflect.
			gap := math.Min(math.Abs(ring-math.Round(ring)), math.Abs(sector-math.Round(sector))*d*2)
			light := f.Strength * bright[i] * math.Min(1, gap*8)
			hue := phase[i] + slope*(dx*math.Cos(turn)+dy*math.Sin(turn))
			p := img.Pix[img.PixOffset(x, y):]
			for ch := range 3 {
				v := 0.5 + 0.5*math.Cos(2*math.Pi*(hue-float64(ch)/3))
				if mirror[i] {
					v = 1 // zeroth order: the lamp, all wavelengths
				}
				// What the foil reflects is missing behind it.
				p[ch] = clamp(float32(float64(p[ch])*(1-0.6*light) + 300*light*v))
			}
		}
	}
}
