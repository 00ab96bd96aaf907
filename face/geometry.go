package face

import (
	"math"
	"sort"

	"github.com/proofline/proofline/photo"
)

// squareAround is the square with r's centre whose side is r's longer side
// times scale.
func squareAround(r photo.Rect, scale float64) photo.Rect {
	side := math.Max(r.W, r.H) * scale
	c := r.Centre()
	return photo.Rect{X: c.X - side/2, Y: c.Y - side/2, W: side, H: side}
}

// overlap is intersection over union of two boxes.
func overlap(a, b photo.Rect) float64 {
	w := math.Min(a.X+a.W, b.X+b.W) - math.Max(a.X, b.X)
	h := math.Min(a.Y+a.H, b.Y+b.H) - math.Max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (a.W*a.H + b.W*b.H - w*h)
}

// plausible refuses candidates with a box or points that are not finite or
// far from any face; a network fed with noise can yield them.
func (f Face) plausible() bool {
	for _, v := range []float64{f.Box.X, f.Box.Y, f.Box.W, f.Box.H} {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return false
		}
	}
	if f.Box.W < 1 || f.Box.H < 1 || len(f.Points) <= Mouth {
		return false
	}
	reach := squareAround(f.Box, 3)
	for _, p := range f.Points {
		if !(p.X >= reach.X && p.X <= reach.X+reach.W && p.Y >= reach.Y && p.Y <= reach.Y+reach.H) {
			return false
		}
	}
	return f.InterEye() >= 0.05*f.Box.W
}

// mapped returns f with every point of it mapped by at, which must be a
// similarity transform; the box becomes the upright box around its corners.
func (f Face) mapped(at func(photo.Point) photo.Point) Face {
	q := f.Box.Quad()
	for i := range q {
		q[i] = at(q[i])
	}
	f.Box = q.Bounds()
	f.Points = mapPoints(f.Points, at)
	f.MouthCorners = mapPoints(f.MouthCorners, at)
	return f
}

func mapPoints(ps []photo.Point, at func(photo.Point) photo.Point) []photo.Point {
	if ps == nil {
		return nil
	}
	out := make([]photo.Point, len(ps))
	for i, p := range ps {
		out[i] = at(p)
	}
	return out
}

// placed moves faces from a network's input of size × size pixels to the square
// of the picture that it shows, and merges those that are one.
func placed(found []Face, square photo.Rect, size int) []Face {
	scale := square.W / float64(size)
	for i := range found {
		found[i] = found[i].mapped(func(p photo.Point) photo.Point {
			return photo.Point{X: square.X + p.X*scale, Y: square.Y + p.Y*scale}
		})
	}
	return merge(found, sameFace)
}

// merge is non-maximum suppression that averages what it suppresses, weighted
// by score, as BlazeFace's authors do instead of keeping the best box: it
// steadies the points. The result is ordered by score.
func merge(found []Face, limit float64) []Face {
	sort.SliceStable(found, func(i, j int) bool { return found[i].Score > found[j].Score })
	var kept []Face
	taken := make([]bool, len(found))
	for i, best := range found {
		if taken[i] {
			continue
		}
		group := []Face{best}
		for j := i + 1; j < len(found); j++ {
			if !taken[j] && found[j].Detector == best.Detector && overlap(best.Box, found[j].Box) > limit {
				taken[j] = true
				group = append(group, found[j])
			}
		}
		kept = append(kept, average(group))
	}
	return kept
}

// average is the score-weighted mean of faces of one detector; the score is
// the best one's.
func average(group []Face) Face {
	out := group[0]
	if len(group) == 1 {
		return out
	}
	var sum float64
	var box photo.Rect
	points := make([]photo.Point, len(out.Points))
	corners := make([]photo.Point, len(out.MouthCorners))
	for _, f := range group {
		w := f.Score
		sum += w
		box.X += w * f.Box.X
		box.Y += w * f.Box.Y
		box.W += w * f.Box.W
		box.H += w * f.Box.H
		for i, p := range f.Points {
			points[i].X += w * p.X
			points[i].Y += w * p.Y
		}
		for i, p := range f.MouthCorners {
			corners[i].X += w * p.X
			corners[i].Y += w * p.Y
		}
	}
	scaled := func(p photo.Point) photo.Point { return photo.Point{X: p.X / sum, Y: p.Y / sum} }
	out.Box = photo.Rect{X: box.X / sum, Y: box.Y / sum, W: box.W / sum, H: box.H / sum}
	out.Points = mapPoints(points, scaled)
	if len(corners) > 0 {
		out.MouthCorners = mapPoints(corners, scaled)
	}
	return out
}
