package specimen

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"gocv.io/x/gocv"
)

// Background is what lies behind the document.
type Background string

const (
	Wood    Background = "wood"
	Cloth   Background = "cloth"
	Desk    Background = "desk"    // plain, softly lit
	Clutter Background = "clutter" // papers, a card, a pen: other quadrilaterals
	Dark    Background = "dark"    // little contrast with dark documents
	White   Background = "white"   // little contrast with light documents
)

// Backgrounds lists all of them.
var Backgrounds = []Background{Wood, Cloth, Desk, Clutter, Dark, White}

func backdrop(b Background, seed int64, w, h int) *image.RGBA {
	r := stream(seed, "backdrop")
	hw, hh := (w+1)/2, (h+1)/2
	img := image.NewRGBA(image.Rect(0, 0, hw, hh))
	n := newNoise(r)
	switch b {
	case Cloth:
		cloth(img, n, pick(r, []color.RGBA{rgb(0x5d6b7d), rgb(0x7c5a50), rgb(0x4e6456), rgb(0x8a8172)}))
	case Desk:
		flat(img, n, pick(r, []color.RGBA{rgb(0x8d8f92), rgb(0xa79c8a), rgb(0x6f7f8c)}), 0.10)
	case Dark:
		flat(img, n, pick(r, []color.RGBA{rgb(0x26282c), rgb(0x2d2623)}), 0.25)
	case White:
		flat(img, n, pick(r, []color.RGBA{rgb(0xe6e5e2), rgb(0xdedfe2)}), 0.04)
	case Clutter:
		flat(img, n, pick(r, []color.RGBA{rgb(0x6c5646), rgb(0x55606a)}), 0.15)
		clutter(img, r)
	default:
		wood(img, n, r)
	}
	return resized(img, w, h, gocv.InterpolationLinear)
}

// matching is a plain table of the mean colour of the document's outermost
// three percent.
func matching(doc *image.RGBA, seed int64, w, h int) *image.RGBA {
	b := doc.Rect
	rim := max(1, b.Dx()*3/100)
	var sum [3]float64
	n := 0.0
	for y := range b.Dy() {
		for x := range b.Dx() {
			p := doc.Pix[doc.PixOffset(x, y):]
			if p[3] < 255 || x >= rim && x < b.Dx()-rim && y >= rim && y < b.Dy()-rim {
				continue
			}
			for ch := range sum {
				sum[ch] += float64(p[ch])
			}
			n++
		}
	}
	n = math.Max(1, n)
	img := image.NewRGBA(image.Rect(0, 0, (w+1)/2, (h+1)/2))
	flat(img, newNoise(stream(seed, "matching")), color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255}, 0.04)
	return resized(img, w, h, gocv.InterpolationLinear)
}

// noise is value noise on a lattice that repeats after 256 cells.
type noise struct{ lattice [256 * 256]float32 }

func newNoise(r *rand.Rand) *noise {
	n := &noise{}
	for i := range n.lattice {
		n.lattice[i] = r.Float32()
	}
	return n
}

func (n *noise) at(x, y float64) float64 {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(fx)&255, int(fy)&255
	u, v := x-fx, y-fy
	u, v = u*u*(3-2*u), v*v*(3-2*v)
	jx, jy := (ix+1)&255, (iy+1)&255
	a, b := float64(n.lattice[iy<<8|ix]), float64(n.lattice[iy<<8|jx])
	c, d := float64(n.lattice[jy<<8|ix]), float64(n.lattice[jy<<8|jx])
	return a + (b-a)*u + (c-a+(a-b-c+d)*u)*v
}

func scaled(c color.RGBA, k float64) color.RGBA {
	return color.RGBA{clamp(float32(float64(c.R) * k)), clamp(float32(float64(c.G) * k)), clamp(float32(float64(c.B) * k)), 255}
}

func flat(img *image.RGBA, n *noise, base color.RGBA, depth float64) {
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			v := n.at(float64(x)/190, float64(y)/190)*0.7 + n.at(float64(x)/2.3, float64(y)/2.3)*0.3
			img.SetRGBA(x, y, scaled(base, 1+depth*2*(v-0.5)))
		}
	}
}

// wood is planks with wavy grain along them.
func wood(img *image.RGBA, n *noise, r *rand.Rand) {
	base := pick(r, []color.RGBA{rgb(0x8a6444), rgb(0xa98058), rgb(0x6b4a34), rgb(0xb79a76)})
	plank := between(r, 130, 210)
	upright := r.IntN(2) == 0
	w, h := img.Rect.Dx(), img.Rect.Dy()
	for y := range h {
		for x := range w {
			u, v := float64(x), float64(y)
			if upright {
				u, v = v, u
			}
			row := math.Floor(v / plank)
			in := v - row*plank
			shift := row * 37.3
			warp := n.at(u/160+shift, v/40) * 2.2
			grain := math.Sin((v/7+warp*3+shift)*1.7)*0.5 + 0.5
			fibre := n.at(u/34+shift, v*0.9)
			k := 0.86 + 0.12*grain + 0.16*(fibre-0.5) + 0.10*(n.at(row*5.5, shift)-0.5)
			if d := math.Min(in, plank-in); d < 2.2 {
				k *= 0.45 + 0.25*d
			}
			img.SetRGBA(x, y, scaled(base, k))
		}
	}
}

// cloth is a weave with soft folds.
func cloth(img *image.RGBA, n *noise, base color.RGBA) {
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			fx, fy := float64(x), float64(y)
			fold := n.at(fx/170+n.at(fx/90, fy/90), fy/120)
			weave := math.Sin(fx*1.9)*math.Sin(fy*1.9)*0.06 + (n.at(fx/1.5, fy/1.5)-0.5)*0.16
			img.SetRGBA(x, y, scaled(base, 0.78+0.42*fold+weave))
		}
	}
}

// clutter strews rectangles that are no documents over the scene.
func clutter(img *image.RGBA, r *rand.Rand) {
	w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	c := &canvas{img: img, k: 1, w: w, h: h}
	sheet := func(cx, cy, sw, sh, turn float64, col color.RGBA) func(x, y float64) [2]float64 {
		sin, cos := math.Sincos(turn)
		at := func(x, y float64) [2]float64 { return [2]float64{cx + x*cos - y*sin, cy + x*sin + y*cos} }
		c.path(color.RGBA{A: 70}, at(-sw/2+4, -sh/2+5), at(sw/2+4, -sh/2+5), at(sw/2+4, sh/2+5), at(-sw/2+4, sh/2+5))
		c.path(col, at(-sw/2, -sh/2), at(sw/2, -sh/2), at(sw/2, sh/2), at(-sw/2, sh/2))
		return at
	}
	for range 2 {
		sw := between(r, 0.35, 0.6) * w
		at := sheet(between(r, 0, w), between(r, 0, h), sw, sw*1.41, between(r, 0, 6.3), rgb(0xe9e7e1))
		for i := range 24 {
			y := -sw*0.6 + float64(i)*sw*0.05
			c.stroke(rgb(0x8c8c90), 1.6, [][2]float64{at(-sw*0.4, y), at(sw*between(r, 0.1, 0.4), y)})
		}
	}
	for range 3 {
		sw := between(r, 0.12, 0.22) * w
		col := pick(r, []color.RGBA{rgb(0x29527a), rgb(0x9c3b32), rgb(0x2f7358), rgb(0xc9a13f), rgb(0x34343a)})
		at := sheet(between(r, 0, w), between(r, 0, h), sw, sw*0.63, between(r, 0, 6.3), col)
		c.stroke(rgb(0xdddddd), 3, [][2]float64{at(-sw*0.4, sw*0.1), at(sw*0.2, sw*0.1)})
	}
	x, y, a := between(r, 0, w), between(r, 0, h), between(r, 0, 6.3)
	sin, cos := math.Sincos(a)
	c.stroke(rgb(0x1d2a4a), 9, [][2]float64{{x, y}, {x + cos*w*0.3, y + sin*w*0.3}})
	c.stroke(rgb(0xb9bcc2), 6, [][2]float64{{x + cos*w*0.3, y + sin*w*0.3}, {x + cos*w*0.32, y + sin*w*0.32}})
}
