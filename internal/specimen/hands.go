package specimen

import (
	"image"
	"image/color"
	"math"

	"github.com/proofline/proofline/photo"
)

// Finger reaches over the edge of the document from outside of it.
type Finger struct {
	Side  int     // 0 top, 1 right, 2 bottom, 3 left, of the document
	At    float64 // where on the side, 0-1
	Depth float64 // of the tip inside the edge, of the document's longer side
	Width float64 // of the document's longer side
	Lean  float64 // sideways per length
	Tone  color.RGBA
}

// Tones of skin, from light to dark.
var Tones = []color.RGBA{rgb(0xf0d6c2), rgb(0xe3b598), rgb(0xcf9a76), rgb(0xa9734f), rgb(0x7b4d34), rgb(0x4f3224)}

// hand is the fingers of a seed, whose tips reach from deep[0] to deep[1]
// millimetres over the edge of a document of that many millimetres.
func hand(seed int64, long float64, deep [2]float64) []Finger {
	r := stream(seed, "hand")
	tone := pick(r, Tones)
	sides := [][]int{{1, 3}, {2}, {3}, {1}, {2, 2}}[r.IntN(5)]
	var out []Finger
	for i, s := range sides {
		at := between(r, 0.25, 0.75)
		if len(sides) == 2 && sides[0] == sides[1] { // both thumbs at the lower edge
			at = []float64{between(r, 0.12, 0.3), between(r, 0.7, 0.88)}[i]
		}
		out = append(out, Finger{Side: s, At: at, Depth: between(r, deep[0], deep[1]) / long, Width: between(r, 14, 19) / long, Lean: between(r, -0.35, 0.35), Tone: tone})
	}
	return out
}

// fingers draws the fingers of c over the lit scene; gain is the light on them.
func (c Camera) fingers(scene *image.RGBA, plane matrix, w, h, gain float64) {
	for _, f := range c.Fingers {
		f.draw(scene, plane, w, h, gain)
	}
}

func (f Finger) draw(scene *image.RGBA, plane matrix, w, h, gain float64) {
	long := math.Max(w, h)
	corner := [4]photo.Point{{}, {X: w}, {X: w, Y: h}, {Y: h}}
	a, b := corner[f.Side], corner[(f.Side+1)%4]
	side := math.Hypot(b.X-a.X, b.Y-a.Y)
	tx, ty := (b.X-a.X)/side, (b.Y-a.Y)/side
	ox, oy := ty, -tx // outward: the corners run clockwise with y down
	foot := photo.Point{X: a.X + f.At*(b.X-a.X), Y: a.Y + f.At*(b.Y-a.Y)}
	half, depth := f.Width*long/2, f.Depth*long
	// s runs along the side, t outward from the tip.
	at := func(s, t float64) [2]float64 {
		s += f.Lean * (t - depth)
		p := plane.apply(photo.Point{X: foot.X + s*tx + (t-depth)*ox, Y: foot.Y + s*ty + (t-depth)*oy})
		return [2]float64{p.X, p.Y}
	}
	layer := &canvas{img: image.NewRGBA(scene.Rect), k: 1, w: float64(scene.Rect.Dx()), h: float64(scene.Rect.Dy())}
	const layers = 16
	for i := range layers {
		u := float64(i) / (layers - 1)
		col := scaled(f.Tone, gain*(0.62+0.38*math.Sqrt(u)))
		k := half * (1 - 0.7*u)
		var points [][2]float64
		for j := 0; j <= 24; j++ { // the tip, a half circle
			sin, cos := math.Sincos(math.Pi * float64(j) / 24)
			points = append(points, at(-k*cos, half-k*sin))
		}
		far := 3 * long
		points = append(points, at(k*1.1, far), at(-k*1.1, far))
		layer.path(col, points...)
	}
	var nail [][2]float64
	for j := range 32 {
		sin, cos := math.Sincos(2 * math.Pi * float64(j) / 32)
		nail = append(nail, at(0.5*half*cos, 0.75*half+0.55*half*sin))
	}
	layer.path(scaled(color.RGBA{mix(f.Tone.R, 0xff, 0.25), mix(f.Tone.G, 0xdc, 0.25), mix(f.Tone.B, 0xd2, 0.25), 255}, gain), nail...)
	soft := blurredBy(layer.img, 2, 2)
	for i := 0; i < len(scene.Pix); i += 4 {
		if a := uint32(soft.Pix[i+3]); a > 0 {
			for ch := range 3 {
				scene.Pix[i+ch] = uint8(min(255, uint32(soft.Pix[i+ch])+uint32(scene.Pix[i+ch])*(255-a)/255))
			}
		}
	}
}
