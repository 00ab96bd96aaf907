package liveness

import (
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/photo"
)

// view is the neighbourhood of the face in every frame at a size that bounds
// the work, cut at the same place, so that nothing but the scene moves.
type view struct {
	frames []pyramid
	face   photo.Rect    // in the first frame, in the view's pixels
	points []photo.Point // the face's own points there
	moved  []photo.Point // of the face's box, frame by frame
	light  []lit         // the frames of which it is known how they were lit
}

// viewFace is the width of the face in a view.
const viewFace = 150.0

func newView(pictures []gocv.Mat, faces []face.Face) (*view, error) {
	w, h := pictures[0].Cols(), pictures[0].Rows()
	f := faces[0]
	side := math.Max(f.Box.W, f.Box.H)
	k := math.Min(1, viewFace/side)
	cut := grow(f.Box, 2.6).Bounds(w, h)
	vw, vh := max(int(float64(cut.Dx())*k), 32), max(int(float64(cut.Dy())*k), 32)
	kx, ky := float64(vw)/float64(cut.Dx()), float64(vh)/float64(cut.Dy())
	into := func(p photo.Point) photo.Point {
		return photo.Point{X: (p.X - float64(cut.Min.X)) * kx, Y: (p.Y - float64(cut.Min.Y)) * ky}
	}
	v := &view{}
	a := into(photo.Point{X: f.Box.X, Y: f.Box.Y})
	v.face = photo.Rect{X: a.X, Y: a.Y, W: f.Box.W * kx, H: f.Box.H * ky}
	for _, p := range f.Points {
		v.points = append(v.points, into(p))
	}
	for i, m := range pictures {
		p, err := planeOf(m, image.Rect(cut.Min.X, cut.Min.Y, cut.Max.X, cut.Max.Y), vw, vh)
		if err != nil {
			return nil, err
		}
		v.frames = append(v.frames, pyramidOf(p))
		c, c0 := middle(faces[i]), middle(f)
		v.moved = append(v.moved, photo.Point{X: (c.X - c0.X) * kx, Y: (c.Y - c0.Y) * ky})
	}
	return v, nil
}

// middle is the mean of a face's first four points, which jitters less than
// the box.
func middle(f face.Face) photo.Point {
	var c photo.Point
	for _, p := range f.Points[:face.Mouth+1] {
		c.X, c.Y = c.X+p.X/4, c.Y+p.Y/4
	}
	return c
}

// repeats looks for two frames that are the same.
func (b *Burst) repeats(v *view) {
	least := math.Inf(1)
	for i := range v.frames {
		for j := range i {
			p, q := v.frames[i][0].px, v.frames[j][0].px
			var sum float64
			for k := range p {
				sum += math.Abs(float64(p[k] - q[k]))
				// Enough to know that they differ more than the closest pair.
				if k&1023 == 1023 && sum/float64(len(p)) > least {
					break
				}
			}
			least = math.Min(least, sum/float64(len(p)))
		}
	}
	b.add(SignalChange, least, "grey levels")
	if least == 0 {
		b.find(BurstRepeatedFrames)
	}
}

func median(v []float64) float64 {
	s := slices.Clone(v)
	slices.Sort(s)
	if len(s) == 0 {
		return 0
	}
	return s[len(s)/2]
}
