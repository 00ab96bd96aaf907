package document

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Resolution of the rectified picture: what OCR works best at (12 px/mm is
// 305 dpi), no more than the photo holds, and never so little that the stages
// after have nothing to work on.
const (
	mostPxPerMM  = 16.0
	leastPxPerMM = 5.0
)

// mostFace is the widest a face can be on a document, as part of its width: on
// ID-1 a portrait takes up to 30 %. Wider faces mean that the outline is that
// of the portrait, or that the picture is a selfie.
const mostFace = 0.38

// build looks at c, whose corners are in pixels of mid, a picture toPhoto times
// smaller than m: it decides which way up it is, and classifies it. It refuses
// what turns out to be no document. The straightened picture is left to
// straighten.
func build(m, mid gocv.Mat, c candidate, toPhoto float64, h Hints) (Found, bool, error) {
	q := c.quad.Scaled(toPhoto)
	w, ht := float64(m.Cols()), float64(m.Rows())
	s, ok := seen(q, w, ht)
	if !ok || c.whole {
		s = shape{aspect: q[0].Distance(q[1]) / math.Max(1, q[1].Distance(q[2]))}
	}
	if c.border > 0 || s.aspect < 1 {
		s.aspect = math.Max(s.aspect, 1)
	}
	f := Found{Quad: q, Confidence: c.confidence()}
	f.CutOff = cutOff(q, c, w, ht)

	// A first, small straightened picture decides orientation and class.
	size := guessSize(s)
	probe, err := warp(mid, c.quad, zoneWidth, int(math.Round(zoneWidth*size.h/size.w)))
	if err != nil {
		return Found{}, false, err
	}
	defer probe.Close()
	z, hasZone, err := findZone(probe)
	if err != nil {
		return Found{}, false, err
	}
	var faces []Face
	flipped := false
	switch {
	case hasZone && z.rect.Y+z.rect.H/2 < 0.4:
		flipped, f.Upright = true, true
	case hasZone && z.rect.Y+z.rect.H/2 > 0.6:
		f.Upright = true
	}
	if h.Faces != nil {
		if faces, flipped, err = h.orient(probe, f.Upright, flipped); err != nil {
			return Found{}, false, err
		}
		f.Upright = f.Upright || len(faces) > 0
	}
	if flipped {
		f.Quad = photo.Quad{q[2], q[3], q[0], q[1]}
		if hasZone {
			z.rect.Y = 1 - z.rect.Y - z.rect.H
			z.rect.X = 1 - z.rect.X - z.rect.W
		}
		for i, side := range f.CutOff {
			f.CutOff[i] = map[string]string{"top": "bottom", "bottom": "top", "left": "right", "right": "left"}[side]
		}
	}
	face := photo.Rect{}
	certain := false
	for _, r := range faces { // the portrait, not the ghost image beside it
		if r.Box.W*r.Box.H > face.W*face.H {
			face = r.Box
		}
		certain = certain || !r.Doubtful
	}
	for _, seen := range []bool{hasZone, certain} {
		if seen {
			f.evidence++
		}
	}
	if face.W > mostFace*float64(probe.Cols()) {
		return Found{}, false, nil
	}
	if r := rotation(q); !f.Upright && h.Faces != nil && r%180 == 90 {
		if stands, err := standsAFace(probe, r, h); stands || err != nil {
			return Found{}, false, err
		}
	}
	f.Class, size = classify(s, z, hasZone, face.W > 0, len(f.CutOff) > 0)
	f.Rotation = rotation(f.Quad)

	f.SourcePxPerMM = (f.Quad[0].Distance(f.Quad[1]) + f.Quad[3].Distance(f.Quad[2])) / 2 / size.w
	f.size = size
	cols, rows := f.resolve(h)
	if face.W > 0 {
		k := float64(cols) / float64(probe.Cols())
		p := portrait(face, k, cols, rows)
		f.Portrait = &p
	}
	if hasZone {
		r := photo.Rect{X: z.rect.X * float64(cols), Y: z.rect.Y * float64(rows), W: z.rect.W * float64(cols), H: z.rect.H * float64(rows)}
		f.MRZ = &r
	}
	return f, true, nil
}

// resolve decides on the resolution of the straightened picture and returns its
// size.
func (f *Found) resolve(h Hints) (cols, rows int) {
	most := mostPxPerMM
	if h.MostPxPerMM > 0 {
		most = math.Max(leastPxPerMM, h.MostPxPerMM)
	}
	f.PxPerMM = math.Max(leastPxPerMM, math.Min(most, f.SourcePxPerMM))
	if f.size.class == A4Page { // a page at full resolution would be 16 megapixels
		f.PxPerMM = math.Min(f.PxPerMM, 8)
	}
	return int(math.Round(f.size.w * f.PxPerMM)), int(math.Round(f.size.h * f.PxPerMM))
}

// straighten makes f.Rectified of the photo.
func (f *Found) straighten(m gocv.Mat, h Hints) (err error) {
	cols, rows := f.resolve(h)
	f.Rectified, err = warp(m, f.Quad, cols, rows)
	return err
}

// mostDoubtful is the same for faces that are not certain: wider than a face on a
// portrait of 30 % of the sheet's width it is something else.
const mostDoubtful = 0.25

// plainFace is the score of a face from which on nobody asks what the sheet shows the
// other way up. Detectors see faces in upside-down ones too, with scores up to
// 0.78 on specimens, where upright ones have 0.9 and more.
const plainFace = 0.85

// orient returns the faces on a sheet as it is read, and whether that is upside
// down. The zone decides where there is one (known), as flipped says; the better
// face otherwise.
func (h Hints) orient(probe gocv.Mat, known, flipped bool) ([]Face, bool, error) {
	if known && !flipped {
		return h.look(probe, true), false, nil
	}
	var faces []Face
	if !known {
		if faces = h.look(probe, false); best(faces) >= plainFace {
			return faces, false, nil
		}
	}
	turned, err := rotated(probe, gocv.Rotate180Clockwise)
	if err != nil {
		return nil, false, err
	}
	defer turned.Close()
	if other := h.look(turned, known); known || len(faces) == 0 && len(other) > 0 || best(other) > best(faces) {
		return other, true, nil
	}
	return faces, false, nil
}

func best(faces []Face) float64 {
	top := 0.0
	for _, f := range faces {
		top = math.Max(top, f.Score)
	}
	return top
}

// look returns the faces on a sheet, the doubtful ones only where it is known to
// be a document and they can be a portrait.
func (h Hints) look(m gocv.Mat, known bool) []Face {
	var out []Face
	for _, f := range h.Faces(m) {
		if !f.Doubtful || known && f.Box.W <= mostDoubtful*float64(m.Cols()) {
			out = append(out, f)
		}
	}
	return out
}

// standsAFace tells whether a lying sheet without evidence, set upright as it
// stands in the photo, is the picture of a face: the outline was that of a
// portrait.
func standsAFace(probe gocv.Mat, turned int, h Hints) (bool, error) {
	code := gocv.Rotate90Clockwise
	if turned == 270 {
		code = gocv.Rotate90CounterClockwise
	}
	up, err := rotated(probe, code)
	if err != nil {
		return false, err
	}
	defer up.Close()
	for _, r := range h.Faces(up) {
		if r.Box.W > mostFace*float64(up.Cols()) {
			return true, nil
		}
	}
	return false, nil
}

// portrait widens a face box to the picture of head and shoulders around it:
// ICAO 9303-3 asks for a face of 70-80 % of the portrait's height.
func portrait(face photo.Rect, k float64, cols, rows int) photo.Rect {
	c := photo.Point{X: (face.X + face.W/2) * k, Y: (face.Y + face.H/2) * k}
	w, h := 1.7*face.W*k, 2.1*face.H*k
	r := photo.Rect{X: c.X - w/2, Y: c.Y - 0.55*h, W: w, H: h}
	return photo.FromImage(r.Bounds(cols, rows))
}

// warp straightens q to cols × rows pixels. The source is averaged first where
// it is much finer than the result.
func warp(m gocv.Mat, q photo.Quad, cols, rows int) (gocv.Mat, error) {
	b := q.Bounds().Bounds(m.Cols(), m.Rows())
	src := m
	var small gocv.Mat
	scale := math.Min(q[0].Distance(q[1])/float64(cols), q[1].Distance(q[2])/float64(rows))
	if k := int(scale + 0.25); k > 1 && b.Dx() >= k && b.Dy() >= k {
		b.Max = b.Min.Add(image.Pt(b.Dx()/k*k, b.Dy()/k*k)) // whole blocks average fastest
		region := m.Region(b)
		defer region.Close()
		small = gocv.NewMat()
		defer small.Close()
		if err := gocv.Resize(region, &small, b.Size().Div(k), 0, 0, gocv.InterpolationArea); err != nil {
			return gocv.Mat{}, fmt.Errorf("straighten: %w", err)
		}
		for i := range q {
			q[i].X = (q[i].X - float64(b.Min.X)) / float64(k)
			q[i].Y = (q[i].Y - float64(b.Min.Y)) / float64(k)
		}
		src = small
	}
	from := gocv.NewPoint2fVectorFromPoints([]gocv.Point2f{pt(q[0]), pt(q[1]), pt(q[2]), pt(q[3])})
	defer from.Close()
	to := gocv.NewPoint2fVectorFromPoints([]gocv.Point2f{{X: 0, Y: 0}, {X: float32(cols), Y: 0}, {X: float32(cols), Y: float32(rows)}, {X: 0, Y: float32(rows)}})
	defer to.Close()
	t := gocv.GetPerspectiveTransform2f(from, to)
	defer t.Close()
	out := gocv.NewMat()
	if err := gocv.WarpPerspectiveWithParams(src, &out, t, image.Pt(cols, rows), gocv.InterpolationLinear, gocv.BorderReplicate, color.RGBA{}); err != nil {
		out.Close()
		return gocv.Mat{}, fmt.Errorf("straighten: %w", err)
	}
	return out, nil
}

func pt(p photo.Point) gocv.Point2f { return gocv.Point2f{X: float32(p.X), Y: float32(p.Y)} }

func rotated(m gocv.Mat, code gocv.RotateFlag) (gocv.Mat, error) {
	out := gocv.NewMat()
	if err := gocv.Rotate(m, &out, code); err != nil {
		out.Close()
		return gocv.Mat{}, fmt.Errorf("turn the sheet: %w", err)
	}
	return out, nil
}

// rotation is how far the document is turned clockwise in the photo, to the
// nearest quarter.
func rotation(q photo.Quad) int {
	a := math.Atan2(q[1].Y-q[0].Y, q[1].X-q[0].X) * 180 / math.Pi
	r := int(math.Round(a/90)) * 90
	return (r + 360) % 360
}

// cutOff names the sides of q that reach out of a w × h photo, or that lie on
// its edge because the outline was not seen there.
func cutOff(q photo.Quad, c candidate, w, h float64) []string {
	var out []string
	margin := 0.004 * math.Max(w, h)
	beyond := func(p photo.Point) bool {
		return p.X < -margin || p.Y < -margin || p.X > w+margin || p.Y > h+margin
	}
	for i, name := range [4]string{"top", "right", "bottom", "left"} {
		if c.border > 0 && c.support[i] == 0 || beyond(q[i]) && beyond(q[(i+1)%4]) {
			out = append(out, name)
		}
	}
	return out
}
