package specimen

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// matrix is a plane projective map, row by row; it acts on column vectors.
type matrix [9]float64

func identity() matrix              { return matrix{1, 0, 0, 0, 1, 0, 0, 0, 1} }
func translate(x, y float64) matrix { return matrix{1, 0, x, 0, 1, y, 0, 0, 1} }
func stretch(x, y float64) matrix   { return matrix{x, 0, 0, 0, y, 0, 0, 0, 1} }
func rotate(rad float64) matrix {
	s, c := math.Sincos(rad)
	return matrix{c, -s, 0, s, c, 0, 0, 0, 1}
}

// then applies m first and n afterwards.
func (m matrix) then(n matrix) matrix {
	var out matrix
	for r := range 3 {
		for c := range 3 {
			for k := range 3 {
				out[r*3+c] += n[r*3+k] * m[k*3+c]
			}
		}
	}
	return out
}

func (m matrix) apply(p photo.Point) photo.Point {
	w := m[6]*p.X + m[7]*p.Y + m[8]
	return photo.Point{X: (m[0]*p.X + m[1]*p.Y + m[2]) / w, Y: (m[3]*p.X + m[4]*p.Y + m[5]) / w}
}

func (m matrix) corners(w, h float64) photo.Quad {
	return photo.Quad{m.apply(photo.Point{}), m.apply(photo.Point{X: w}), m.apply(photo.Point{X: w, Y: h}), m.apply(photo.Point{Y: h})}
}

// mat is the matrix for pixel indices: an index names the centre of its pixel,
// half a pixel from the continuous coordinates that matrix is about.
func (m matrix) mat() gocv.Mat {
	m = translate(0.5, 0.5).then(m).then(translate(-0.5, -0.5))
	out := gocv.NewMatWithSize(3, 3, gocv.MatTypeCV64F)
	for i, v := range m {
		out.SetDoubleAt(i/3, i%3, v)
	}
	return out
}

type edge = gocv.BorderType

const (
	edgeReplicate = gocv.BorderReplicate
	edgeReflect   = gocv.BorderReflect
	edgeClear     = gocv.BorderConstant // transparent black
)

// warp maps src through m onto a new image.
func warp(src *image.RGBA, m matrix, w, h int, how gocv.InterpolationFlags, border edge) *image.RGBA {
	in := matOf(src)
	defer in.Close()
	t := m.mat()
	defer t.Close()
	out := gocv.NewMat()
	defer out.Close()
	_ = gocv.WarpPerspectiveWithParams(in, &out, t, image.Pt(w, h), how, border, color.RGBA{})
	return imageOf(out)
}

// matOf copies an image into a four-channel Mat in the image's own channel
// order; nothing below depends on which channel is which.
func matOf(img *image.RGBA) gocv.Mat {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	if img.Stride != w*4 || img.Rect.Min != (image.Point{}) {
		img = toRGBA(img)
	}
	m, err := gocv.NewMatFromBytes(h, w, gocv.MatTypeCV8UC4, img.Pix[:w*h*4])
	if err != nil {
		return gocv.NewMatWithSize(h, w, gocv.MatTypeCV8UC4)
	}
	return m
}

func imageOf(m gocv.Mat) *image.RGBA {
	return &image.RGBA{Pix: m.ToBytes(), Stride: m.Cols() * 4, Rect: image.Rect(0, 0, m.Cols(), m.Rows())}
}

// toRGBA copies any image into one that starts at the origin.
func toRGBA(img image.Image) *image.RGBA {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Rect, img, b.Min, draw.Src)
	return out
}
