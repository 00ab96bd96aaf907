package specimen

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// AttackKind is a species of presentation attack (ISO/IEC 30107-3).
type AttackKind string

const (
	Screen AttackKind = "screen" // the selfie replayed on a telephone's screen
	Print  AttackKind = "print"  // the selfie printed on paper and held up
)

// AttackKinds lists all of them.
var AttackKinds = []AttackKind{Screen, Print}

// Presented is a photo of an instrument that shows a selfie.
type Presented struct {
	Image   *image.RGBA
	Kind    AttackKind
	Person  string
	FaceBox photo.Rect // the shown face, in pixels of Image
	Quad    photo.Quad // the edge of the shown picture
}

// JPEG encodes the photo.
func (p *Presented) JPEG(quality int) ([]byte, error) { return encodeJPEG(p.Image, quality, 1) }

// Attack shows a selfie to a camera in the way of the kind.
func Attack(kind AttackKind, s *Selfie, seed int64) (*Presented, error) {
	switch kind {
	case Screen:
		return replay(s, seed), nil
	case Print:
		return printed(s, seed), nil
	}
	return nil, fmt.Errorf("present a selfie: unknown kind %q", kind)
}

// instrument is a flat thing with a picture on it.
type instrument struct {
	img   *image.RGBA
	inner photo.Rect // of the picture
}

// show photographs the instrument and carries the truth over. The instrument
// is larger than fill says by its rim, so that the face stays as big as in a
// selfie: an attacker brings the screen close.
func show(kind AttackKind, s *Selfie, in instrument, c Camera) *Presented {
	plane := c.plane(float64(in.img.Rect.Dx()), float64(in.img.Rect.Dy()))
	w, h := float64(in.img.Rect.Dx()), float64(in.img.Rect.Dy())
	quad := plane.corners(w, h)
	scene := backdrop(c.Background, c.Seed, c.Width, c.Height)
	scene = blurredBy(scene, 7, 7) // the room is out of focus
	// The screen's raster must reach the sensor unfiltered: moiré is the
	// aliasing between the two.
	laid := warp(in.img, plane, c.Width, c.Height, gocv.InterpolationLinear, edgeClear)
	dropShadow(scene, quad)
	compose(scene, laid, c.light(plane, w, h))
	out := c.blur(scene)
	c.sensor(out)
	toPicture := stretch(in.inner.W/float64(s.Image.Rect.Dx()), in.inner.H/float64(s.Image.Rect.Dy())).then(translate(in.inner.X, in.inner.Y)).then(plane)
	f := s.FaceBox
	face := boundsOf(photo.Quad{
		toPicture.apply(photo.Point{X: f.X, Y: f.Y}), toPicture.apply(photo.Point{X: f.X + f.W, Y: f.Y}),
		toPicture.apply(photo.Point{X: f.X + f.W, Y: f.Y + f.H}), toPicture.apply(photo.Point{X: f.X, Y: f.Y + f.H}),
	})
	return &Presented{Image: out, Kind: kind, Person: s.Person, FaceBox: face, Quad: toPicture.corners(float64(s.Image.Rect.Dx()), float64(s.Image.Rect.Dy()))}
}

// replay photographs a panel that shows the selfie.
func replay(s *Selfie, seed int64) *Presented {
	in, r := panelOf(s, stream(seed, "replay"))
	cam := Camera{
		Seed: seed, Width: 960, Height: 1280, Background: pick(r, []Background{Desk, Dark, Wood}),
		Rotation: between(r, -4, 4), Tilt: between(r, 5, 13), TiltAxis: between(r, 60, 120), Fill: between(r, 1.04, 1.12), OffsetX: between(r, -0.6, 0.6),
		Falloff: 0.1, Noise: 2.5, Exposure: between(r, -0.1, 0.25), Warmth: between(r, -0.6, -0.2), Defocus: between(r, 0.2, 0.5),
		Glare: []Glare{{X: between(r, 0.1, 0.3), Y: between(r, 0.1, 0.2), Radius: 0.07, Stretch: 1.6, Strength: 0.75}},
	}
	return show(Screen, s, in, cam)
}

// panel is the panel alone.
func panel(s *Selfie, seed int64) instrument {
	in, _ := panelOf(s, stream(seed, "replay"))
	return in
}

// panelOf draws the selfie in the stripes of an RGB panel, with a bezel, the
// panel's contrast and colour, and reflections on its glass.
func panelOf(s *Selfie, r *rand.Rand) (instrument, *rand.Rand) {
	const cell = 3 // image pixels per panel pixel: one stripe per colour
	pw := 360
	ph := pw * s.Image.Rect.Dy() / s.Image.Rect.Dx()
	small := resized(s.Image, pw, ph, gocv.InterpolationArea)
	rim := 26
	in := instrument{img: image.NewRGBA(image.Rect(0, 0, pw*cell+2*rim, ph*cell+2*rim*3))}
	in.inner = photo.Rect{X: float64(rim), Y: float64(rim * 3), W: float64(pw * cell), H: float64(ph * cell)}
	c := &canvas{img: in.img, k: 1, w: float64(in.img.Rect.Dx()), h: float64(in.img.Rect.Dy())}
	c.box(rgb(0x0b0b0d), 0, 0, c.w, c.h)
	c.box(rgb(0x1c1c20), c.w/2-50, float64(rim)*1.2, 100, 8)
	c.roundCorners(50)
	var contrast [256]float64
	for i := range contrast {
		contrast[i] = math.Pow(float64(i)/255, 1.12)
	}
	for y := range ph * cell {
		for x := range pw * cell {
			src := small.PixOffset(x/cell, y/cell)
			at := in.img.PixOffset(x+rim, y+3*rim)
			stripe := x % cell
			dark := 1.0
			if y%cell == cell-1 {
				dark = 0.55 // the black line between rows
			}
			for ch := range 3 {
				// A panel adds contrast, a blue cast and a glow where it
				// should be black.
				v := contrast[small.Pix[src+ch]]
				lit := 0.60
				if ch == stripe {
					lit = 1.55
				}
				v = (0.05 + 0.95*v) * lit * dark * 1.08
				if ch == 2 {
					v *= 1.12
				}
				in.img.Pix[at+ch] = clamp(float32(v * 255))
			}
		}
	}
	// A window and a lamp mirror in the glass.
	mirror(in.img, between(r, 0.5, 0.66))
	return in, r
}

// mirror lays the soft image of a window with a cross-bar over the glass.
func mirror(img *image.RGBA, from float64) {
	const shrink = 8
	b := img.Rect
	w, h := float64(b.Dx()), float64(b.Dy())
	c := &canvas{img: image.NewRGBA(image.Rect(0, 0, b.Dx()/shrink, b.Dy()/shrink)), k: 1.0 / shrink, w: w, h: h}
	for _, pane := range [][2]float64{{0.06, 0.30}, {0.325, 0.57}} {
		lean := 0.16
		at := func(x, y float64) [2]float64 { return [2]float64{(x - lean*y) * w, y * h} }
		c.path(color.RGBA{A: 255}, at(from, pane[0]), at(from+0.3, pane[0]), at(from+0.3, pane[1]), at(from, pane[1]))
	}
	soft := resized(blurredBy(c.img, 1.5, 1.5), b.Dx(), b.Dy(), gocv.InterpolationLinear)
	for i := 0; i < len(img.Pix); i += 4 {
		if a := float64(soft.Pix[i+3]) / 255 * 0.16; a > 0 && img.Pix[i+3] == 255 {
			img.Pix[i], img.Pix[i+1], img.Pix[i+2] = mix(img.Pix[i], 225, a), mix(img.Pix[i+1], 232, a), mix(img.Pix[i+2], 240, a)
		}
	}
}

// printed photographs the selfie on paper and the thumb that holds it.
func printed(s *Selfie, seed int64) *Presented {
	in, r := paperOf(s, stream(seed, "print"))
	cam := Camera{
		Seed: seed, Width: 960, Height: 1280, Background: pick(r, []Background{Desk, Wood, Cloth}),
		Rotation: between(r, -6, 6), Tilt: between(r, 6, 14), TiltAxis: between(r, 20, 160), Fill: between(r, 0.96, 1.04), OffsetX: between(r, -0.6, 0.6), OffsetY: -0.4,
		Falloff: 0.2, Noise: 2.5, Exposure: between(r, -0.3, 0.1), Warmth: between(r, 0, 0.5), Defocus: between(r, 0.6, 1.0),
	}
	p := show(Print, s, in, cam)
	thumb(p.Image, p.Quad)
	return p
}

// paper is the sheet alone.
func paper(s *Selfie, seed int64) instrument {
	in, _ := paperOf(s, stream(seed, "print"))
	return in
}

// paperOf puts the selfie on paper: fewer colours, lifted blacks, halftone dots,
// a white margin and a sheet that is not flat.
func paperOf(s *Selfie, r *rand.Rand) (instrument, *rand.Rand) {
	w := 900
	h := w * s.Image.Rect.Dy() / s.Image.Rect.Dx()
	picture := resized(s.Image, w, h, gocv.InterpolationArea)
	const margin = 46
	in := instrument{img: image.NewRGBA(image.Rect(0, 0, w+2*margin, h+2*margin)), inner: photo.Rect{X: margin, Y: margin, W: float64(w), H: float64(h)}}
	c := &canvas{img: in.img, k: 1, w: float64(w + 2*margin), h: float64(h + 2*margin)}
	c.box(rgb(0xefede8), 0, 0, c.w, c.h)
	angles := [3]float64{0.26, 1.31, 0.79} // 15, 75 and 45 degrees, as printers turn their screens
	curl := between(r, 0, 6.28)
	bend := between(r, 0.10, 0.18)
	for y := range h {
		for x := range w {
			src, at := picture.PixOffset(x, y), in.img.PixOffset(x+margin, y+margin)
			grey := 0.299*float64(picture.Pix[src]) + 0.587*float64(picture.Pix[src+1]) + 0.114*float64(picture.Pix[src+2])
			for ch := range 3 {
				v := (grey*0.34 + float64(picture.Pix[src+ch])*0.66) / 255
				v = 0.17 + 0.71*math.Pow(v, 0.93)
				sin, cos := math.Sincos(angles[ch])
				u, t := float64(x)*cos+float64(y)*sin, -float64(x)*sin+float64(y)*cos
				dot := math.Cos(u*2*math.Pi/4.3) * math.Cos(t*2*math.Pi/4.3)
				v += dot * 0.10 * (1 - math.Abs(2*v-1)*0.6)
				in.img.Pix[at+ch] = clamp(float32(v * 255))
			}
		}
	}
	for y := range in.img.Rect.Dy() {
		for x := range in.img.Rect.Dx() {
			fall := 1 - bend*(0.5+0.5*math.Sin(float64(x)/c.w*4.2+float64(y)/c.h*1.1+curl))
			at := in.img.PixOffset(x, y)
			for ch := range 3 {
				in.img.Pix[at+ch] = uint8(float64(in.img.Pix[at+ch]) * fall)
			}
		}
	}
	return in, r
}

// thumb reaches from the lower edge of the photo over that of the sheet.
func thumb(img *image.RGBA, q photo.Quad) {
	x, y := q[3].X*0.72+q[2].X*0.28, q[3].Y*0.72+q[2].Y*0.28
	w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	c := &canvas{img: image.NewRGBA(img.Rect), k: 1, w: w, h: h}
	tip, lean := y-70, 0.18
	for i := range 22 {
		t := float64(i) / 21
		col := color.RGBA{mix(0x7e, 0xdb, t), mix(0x51, 0xaa, t), mix(0x3f, 0x8d, t), 255}
		half := 66 * (1 - 0.62*t)
		var points [][2]float64
		for j := 0; j <= 24; j++ {
			a := math.Pi + math.Pi*float64(j)/24
			points = append(points, [2]float64{x - 10*t + half*math.Cos(a), tip + 74 + 74*(1-0.3*t)*math.Sin(a)})
		}
		down := h + 40 - tip
		points = append(points, [2]float64{x - 10*t + half*1.25 - lean*down, h + 40}, [2]float64{x - 10*t - half*1.25 - lean*down, h + 40})
		c.path(col, points...)
	}
	var nail [][2]float64
	for j := range 40 {
		a := 2 * math.Pi * float64(j) / 40
		nail = append(nail, [2]float64{x - 8 + 34*math.Cos(a), tip + 50 + 40*math.Sin(a)})
	}
	c.path(color.RGBA{0xe8, 0xc3, 0xb4, 255}, nail...)
	soft := blurredBy(c.img, 3, 3)
	for i := 0; i < len(img.Pix); i += 4 {
		if a := uint32(soft.Pix[i+3]); a > 0 {
			for ch := range 3 {
				img.Pix[i+ch] = uint8(uint32(soft.Pix[i+ch])*9/10 + uint32(img.Pix[i+ch])*(255-a)/255)
			}
		}
	}
}
