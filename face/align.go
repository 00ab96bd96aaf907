package face

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/photo"
)

// frame is the upright, centred square that an embedding network takes a face
// in, and where it wants the face's points there.
type frame struct {
	size    int
	anchors func(Face) (from, to []photo.Point)
}

var arcFrame = frame{112, arcAnchors}

// template holds where ArcFace (Deng et al., CVPR 2019) wants the points of a
// face in the 112×112 image. Its mouth corners are averaged for detectors that
// give the mouth's centre only.
var template = struct {
	rightEye, leftEye, nose, rightMouth, leftMouth photo.Point
}{
	photo.Point{X: 38.2946, Y: 51.6963}, photo.Point{X: 73.5318, Y: 51.5014},
	photo.Point{X: 56.0252, Y: 71.7366},
	photo.Point{X: 41.5493, Y: 92.3655}, photo.Point{X: 70.7299, Y: 92.2041},
}

// arcAnchors lists a face's points beside their places in the template.
func arcAnchors(f Face) (from, to []photo.Point) {
	from = append(from, f.Points[RightEye], f.Points[LeftEye], f.Points[Nose])
	to = append(to, template.rightEye, template.leftEye, template.nose)
	if len(f.MouthCorners) == 2 {
		return append(from, f.MouthCorners...), append(to, template.rightMouth, template.leftMouth)
	}
	mouth := photo.Point{
		X: (template.rightMouth.X + template.leftMouth.X) / 2,
		Y: (template.rightMouth.Y + template.leftMouth.Y) / 2,
	}
	return append(from, f.Points[Mouth]), append(to, mouth)
}

// similarity is x' = a·x − b·y + tx, y' = b·x + a·y + ty.
type similarity struct{ a, b, tx, ty float64 }

func (s similarity) scale() float64 { return math.Hypot(s.a, s.b) }

func (s similarity) at(p photo.Point) photo.Point {
	return photo.Point{X: s.a*p.X - s.b*p.Y + s.tx, Y: s.b*p.X + s.a*p.Y + s.ty}
}

// fitSimilarity is the least-squares similarity transform from one set of
// points to another (Umeyama 1991, in two dimensions without reflection).
func fitSimilarity(from, to []photo.Point) (similarity, bool) {
	n := float64(len(from))
	if len(from) < 2 || len(from) != len(to) {
		return similarity{}, false
	}
	var cf, ct photo.Point
	for i := range from {
		cf.X, cf.Y = cf.X+from[i].X/n, cf.Y+from[i].Y/n
		ct.X, ct.Y = ct.X+to[i].X/n, ct.Y+to[i].Y/n
	}
	var a, b, spread float64
	for i := range from {
		p, q := from[i].Sub(cf), to[i].Sub(ct)
		a += p.X*q.X + p.Y*q.Y
		b += p.X*q.Y - p.Y*q.X
		spread += p.X*p.X + p.Y*p.Y
	}
	if !(spread > 1e-6) {
		return similarity{}, false
	}
	s := similarity{a: a / spread, b: b / spread}
	if !(s.scale() > 1e-4) {
		return similarity{}, false
	}
	moved := s.at(cf)
	s.tx, s.ty = ct.X-moved.X, ct.Y-moved.Y
	return s, true
}

// align cuts the face out upright at its place in the frame. The caller closes
// the result. ok is false when the points span no transform.
func (to frame) align(m gocv.Mat, f Face) (out gocv.Mat, ok bool, err error) {
	if len(f.Points) <= Mouth {
		return gocv.Mat{}, false, nil
	}
	s, ok := fitSimilarity(to.anchors(f))
	if !ok {
		return gocv.Mat{}, false, nil
	}
	src, s, err := to.shrink(m, f, s)
	if err != nil {
		return gocv.Mat{}, false, fmt.Errorf("align face: %w", err)
	}
	defer src.Close()
	w := gocv.NewMatWithSize(2, 3, gocv.MatTypeCV64F)
	defer w.Close()
	for i, v := range []float64{s.a, -s.b, s.tx, s.b, s.a, s.ty} {
		w.SetDoubleAt(i/3, i%3, v)
	}
	how := gocv.InterpolationLinear
	if s.scale() > 1.2 {
		how = gocv.InterpolationCubic // enlarging a small portrait
	}
	out = gocv.NewMat()
	err = gocv.WarpAffineWithParams(src, &out, w, image.Pt(to.size, to.size), how, gocv.BorderReplicate, color.RGBA{})
	if err != nil {
		out.Close()
		return gocv.Mat{}, false, fmt.Errorf("align face: %w", err)
	}
	return out, true, nil
}

// shrink cuts the neighbourhood of a face that is much larger than in the
// frame and scales it down by averaging, because WarpAffine samples single
// pixels and would alias. It returns the transform that fits the new image.
func (to frame) shrink(m gocv.Mat, f Face, s similarity) (gocv.Mat, similarity, error) {
	whole := image.Rect(0, 0, m.Cols(), m.Rows())
	if s.scale() > 0.6 {
		return m.Region(whole), s, nil
	}
	// The frame seen from the image has a half diagonal of 0.71 of its side.
	reach := 0.75 * float64(to.size) / s.scale()
	centre := photo.Rect{X: (f.Points[RightEye].X + f.Points[LeftEye].X + 2*f.Points[Mouth].X) / 4,
		Y: (f.Points[RightEye].Y + f.Points[LeftEye].Y + 2*f.Points[Mouth].Y) / 4}
	r := photo.Rect{X: centre.X - reach, Y: centre.Y - reach, W: 2 * reach, H: 2 * reach}
	inside := r.Bounds(m.Cols(), m.Rows())
	if inside.Dx() < 2 || inside.Dy() < 2 {
		return m.Region(whole), s, nil
	}
	k := s.scale() // one pixel of the result for one of the frame
	w, h := max(2, int(math.Round(float64(inside.Dx())*k))), max(2, int(math.Round(float64(inside.Dy())*k)))
	small, err := dnn.Cut(m, photo.FromImage(inside), w, h)
	if err != nil {
		return gocv.Mat{}, s, err
	}
	// Pixel centres: x_small + ½ = (x − left + ½)·k.
	kx := float64(w) / float64(inside.Dx())
	ax := (float64(inside.Min.X) - 0.5) + 0.5/kx
	ay := (float64(inside.Min.Y) - 0.5) + 0.5/kx
	at := s.at(photo.Point{X: ax, Y: ay})
	return small, similarity{a: s.a / kx, b: s.b / kx, tx: at.X, ty: at.Y}, nil
}
