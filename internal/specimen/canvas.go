package specimen

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"github.com/proofline/proofline/photo"
)

// canvas draws in millimetres from the top left corner of a side and keeps the
// truth of what it has drawn.
type canvas struct {
	img   *image.RGBA
	k     float64 // pixels per millimetre
	w, h  float64 // in millimetres
	truth SideTruth
	types *typefaces
	faces map[faceKey]font.Face
	err   error
}

type faceKey struct {
	f    *sfnt.Font
	size int // in 1/100 px
}

func newCanvas(w, h, dpi float64, side string) (*canvas, error) {
	t, err := faces()
	if err != nil {
		return nil, err
	}
	k := dpi / 25.4
	c := &canvas{img: image.NewRGBA(image.Rect(0, 0, round(w*k), round(h*k))), k: k, w: w, h: h, types: t, faces: map[faceKey]font.Face{}}
	c.truth = SideTruth{Side: side, Width: c.img.Bounds().Dx(), Height: c.img.Bounds().Dy(), PxPerMM: k}
	return c, nil
}

func (c *canvas) face(f *sfnt.Font, mm float64) font.Face {
	key := faceKey{f, round(mm * c.k * 100)}
	if face, ok := c.faces[key]; ok {
		return face
	}
	face, err := sized(f, float64(key.size)/100)
	if err != nil && c.err == nil {
		c.err = fmt.Errorf("size a font: %w", err)
	}
	c.faces[key] = face
	return face
}

// text sets s with its baseline at y and its left end at x; size is the em in
// millimetres. It returns the box of the ink in pixels.
func (c *canvas) text(f *sfnt.Font, size, x, y float64, col color.Color, s string) photo.Rect {
	d := font.Drawer{Dst: c.img, Src: image.NewUniform(col), Face: c.face(f, size), Dot: fixed.Point26_6{X: fix(x * c.k), Y: fix(y * c.k)}}
	b, _ := d.BoundString(s)
	d.DrawString(s)
	return photo.Rect{X: unfix(b.Min.X), Y: unfix(b.Min.Y), W: unfix(b.Max.X - b.Min.X), H: unfix(b.Max.Y - b.Min.Y)}
}

func (c *canvas) width(f *sfnt.Font, size float64, s string) float64 {
	return unfix(font.MeasureString(c.face(f, size), s)) / c.k
}

// fitted is text that shrinks until it is no wider than room.
func (c *canvas) fitted(f *sfnt.Font, size, x, y, room float64, col color.Color, s string) photo.Rect {
	if w := c.width(f, size, s); w > room {
		size *= room / w
	}
	return c.text(f, size, x, y, col, s)
}

func fix(v float64) fixed.Int26_6   { return fixed.Int26_6(math.Round(v * 64)) }
func unfix(v fixed.Int26_6) float64 { return float64(v) / 64 }

// field prints a label and, below it, a value, and records the value.
func (c *canvas) field(st *state, name, label, text, value string, x, y, room float64) {
	c.fitted(c.types.regular, 1.75, x, y, room, st.Ink, label)
	box := c.fitted(c.types.bold, 3.05, x, y+3.1, room, rgb(0x15161c), text)
	c.truth.Fields = append(c.truth.Fields, Field{Name: name, Label: label, Text: text, Value: value, Region: box})
}

// picture copies src into the rectangle, filtered.
func (c *canvas) picture(src image.Image, x, y, w, h float64) photo.Rect {
	r := image.Rect(round(x*c.k), round(y*c.k), round((x+w)*c.k), round((y+h)*c.k))
	draw.CatmullRom.Scale(c.img, r, src, src.Bounds(), draw.Over, nil)
	return photo.FromImage(r)
}

// path fills a polygon given in millimetres.
func (c *canvas) path(col color.RGBA, points ...[2]float64) {
	minX, minY, maxX, maxY := c.w, c.h, 0.0, 0.0
	for _, p := range points {
		minX, minY = math.Min(minX, p[0]), math.Min(minY, p[1])
		maxX, maxY = math.Max(maxX, p[0]), math.Max(maxY, p[1])
	}
	r := image.Rect(int(minX*c.k)-1, int(minY*c.k)-1, int(maxX*c.k)+2, int(maxY*c.k)+2).Intersect(c.img.Bounds())
	if r.Empty() {
		return
	}
	z := vector.NewRasterizer(r.Dx(), r.Dy())
	at := func(p [2]float64) (float32, float32) {
		return float32(p[0]*c.k - float64(r.Min.X)), float32(p[1]*c.k - float64(r.Min.Y))
	}
	for i, p := range points {
		x, y := at(p)
		if i == 0 {
			z.MoveTo(x, y)
		} else {
			z.LineTo(x, y)
		}
	}
	z.ClosePath()
	z.Draw(c.img, r, image.NewUniform(col), image.Point{})
}

// stroke draws a smooth polyline of the given width as one outline, so that a
// translucent line is not darker at its joints.
func (c *canvas) stroke(col color.RGBA, width float64, points [][2]float64) {
	var left, right [][2]float64
	for i, p := range points {
		a, b := points[max(i-1, 0)], points[min(i+1, len(points)-1)]
		dx, dy := b[0]-a[0], b[1]-a[1]
		n := math.Hypot(dx, dy)
		if n == 0 {
			continue
		}
		ox, oy := -dy/n*width/2, dx/n*width/2
		left = append(left, [2]float64{p[0] + ox, p[1] + oy})
		right = append(right, [2]float64{p[0] - ox, p[1] - oy})
	}
	slices.Reverse(right)
	c.path(col, append(left, right...)...)
}

func (c *canvas) box(col color.RGBA, x, y, w, h float64) {
	c.path(col, [2]float64{x, y}, [2]float64{x + w, y}, [2]float64{x + w, y + h}, [2]float64{x, y + h})
}

// blend mixes col into one pixel with the given opacity.
func (c *canvas) blend(x, y int, col color.RGBA, a float64) {
	if a <= 0 || !(image.Point{X: x, Y: y}).In(c.img.Rect) {
		return
	}
	i := c.img.PixOffset(x, y)
	p := c.img.Pix[i : i+3 : i+3]
	p[0] = mix(p[0], col.R, a)
	p[1] = mix(p[1], col.G, a)
	p[2] = mix(p[2], col.B, a)
}

func mix(a, b uint8, t float64) uint8 {
	return uint8(float64(a) + (float64(b)-float64(a))*math.Min(t, 1) + 0.5)
}

func faded(c color.RGBA, alpha float64) color.RGBA {
	return color.RGBA{uint8(float64(c.R) * alpha), uint8(float64(c.G) * alpha), uint8(float64(c.B) * alpha), uint8(255 * alpha)}
}

// right sets text in the state's ink so that it ends at x.
func (s *sheet) right(f *sfnt.Font, size, x, y float64, text string) {
	s.text(f, size, x-s.width(f, size, text), y, s.st.Ink, text)
}

// roundCorners makes what lies outside corners of the given radius
// transparent; 3.18 mm is that of ISO/IEC 7810 cards.
func (c *canvas) roundCorners(mm float64) {
	r := mm * c.k
	b := c.img.Bounds()
	for y := range int(r) + 1 {
		for x := range int(r) + 1 {
			cover := math.Min(1, math.Max(0, r+0.5-math.Hypot(r-float64(x)-0.5, r-float64(y)-0.5)))
			if cover == 1 {
				continue
			}
			for _, p := range []image.Point{{x, y}, {b.Dx() - 1 - x, y}, {x, b.Dy() - 1 - y}, {b.Dx() - 1 - x, b.Dy() - 1 - y}} {
				q := c.img.RGBAAt(p.X, p.Y)
				c.img.SetRGBA(p.X, p.Y, faded(q, cover))
			}
		}
	}
}
