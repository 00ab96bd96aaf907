package specimen

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Selfie is a simulated second photo of a person. It is made from the same
// source picture as the portrait on their document, by other framing, pose-like
// warp, light, colour and noise: good enough to run a pipeline on, no measure
// of how a matcher does on photos really taken at another time.
type Selfie struct {
	Image   *image.RGBA
	Person  string
	FaceBox photo.Rect // brows to chin, approximately, in pixels of Image
}

// SelfieOptions leaves everything to the seed when zero.
type SelfieOptions struct {
	Seed   int64
	Height int     // of the photo, 1280 when zero; the width follows from the source's shape
	Plain  bool    // no variation of pose, light and colour
	Dark   bool    // a badly lit room
	Blur   float64 // standard deviation, px
}

// TakeSelfie makes a selfie of a person.
func TakeSelfie(p *Person, o SelfieOptions) (*Selfie, error) {
	src, err := p.source()
	if err != nil {
		return nil, err
	}
	if o.Height == 0 {
		o.Height = 1280
	}
	r := stream(o.Seed, "selfie "+p.ID)
	cut := p.Selfie
	k := float64(o.Height) / float64(cut[3])
	w, h := float64(cut[2])*k, float64(o.Height)
	m := translate(-float64(cut[0]), -float64(cut[1])).then(stretch(k, k))
	c := Camera{Seed: o.Seed, Width: round(w), Height: o.Height, Noise: 2, Defocus: o.Blur}
	if !o.Plain {
		m = m.then(translate(-w/2, -h/2)).then(stretch(1.03, 1.03)).
			then(rotate(between(r, -0.05, 0.05))).
			then(tilted(between(r, -0.12, 0.12), between(r, 1.2, 1.9), 1.4*h)).
			then(translate(w/2+between(r, -0.015, 0.015)*w, h/2+between(r, -0.015, 0.015)*h))
		c.Falloff, c.Exposure, c.Warmth, c.Noise = between(r, 0.1, 0.35), between(r, -0.25, 0.3), between(r, -0.5, 0.5), between(r, 1.5, 3.5)
	}
	if o.Dark {
		c.Exposure, c.Noise = -4.2, 9
	}
	img := warp(src, m, round(w), o.Height, gocv.InterpolationCubic, edgeReflect)
	blank := image.NewRGBA(img.Rect)
	compose(img, blank, c.light(identity(), w, h))
	img = c.blur(img)
	c.sensor(img)
	return &Selfie{Image: img, Person: p.ID, FaceBox: faceBox(p, m)}, nil
}

// faceBox follows from the eyes: an adult's face is about 2.2 eye distances
// wide and, from brows to chin, 2.5 high.
func faceBox(p *Person, m matrix) photo.Rect {
	a, b := m.apply(photo.Point{X: p.Eyes[0], Y: p.Eyes[1]}), m.apply(photo.Point{X: p.Eyes[2], Y: p.Eyes[3]})
	d := math.Hypot(b.X-a.X, b.Y-a.Y)
	x, y := (a.X+b.X)/2, (a.Y+b.Y)/2
	return photo.Rect{X: x - 1.1*d, Y: y - 0.75*d, W: 2.2 * d, H: 2.5 * d}
}

// JPEG encodes the selfie.
func (s *Selfie) JPEG(quality int) ([]byte, error) { return encodeJPEG(s.Image, quality, 1) }
