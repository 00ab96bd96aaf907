package reader

import (
	"math"

	"github.com/proofline/proofline/photo"
)

// outline is where a line was found, before anything was measured on it.
type outline struct{ x, y, length, height, ux, uy float64 }

// like reports that two outlines would be measured alike.
func (o outline) like(p outline) bool {
	dx, dy := p.x-o.x, p.y-o.y
	return math.Abs(dx*o.ux+dy*o.uy) < 0.5*o.height && math.Abs(dy*o.ux-dx*o.uy) < 0.15*o.height &&
		math.Abs(p.length/o.length-1) < 0.05 && math.Abs(p.height/o.height-1) < 0.1 && math.Abs(o.ux*p.uy-o.uy*p.ux) < 0.02
}

// line is a straight run of text in pixels of the photo: its middle, its
// reading direction as a unit vector, the distance from the first to the last
// edge of the ink, the height of the capitals and, once known, the pitch.
type line struct {
	x, y           float64
	ux, uy         float64
	length, height float64
	pitch          float64
	// taper is the perspective along the line, per pixel of a strip: at u
	// from the middle, sizes across shrink by 1+taper·u and sizes along by
	// its square.
	taper float64
	// aspect is the height of the capitals over the pitch: 1 in OCR-B seen
	// from the front, less when the document leans back.
	aspect float64
	// lean is the aspect that the ink suggests. Blur and fillers mislead it,
	// so it is tried only when aspect 1 does not read well.
	lean  float64
	score float64
	found outline
}

// across is the size of a strip row in photo pixels.
func (l line) across() float64 { return l.pitch / stripPitch * l.aspect }

// tall is the distance that one pitch would be across the line.
func (l line) tall() float64 { return l.pitch * l.aspect }

func (l line) turned() line {
	l.ux, l.uy, l.taper = -l.ux, -l.uy, -l.taper
	return l
}

// at is the point a along the reading direction and b below the middle line.
func (l line) at(a, b float64) photo.Point {
	return photo.Point{X: l.x + a*l.ux - b*l.uy, Y: l.y + a*l.uy + b*l.ux}
}

// local gives p in the line's own axes.
func (l line) local(p photo.Point) (a, b float64) {
	dx, dy := p.X-l.x, p.Y-l.y
	return dx*l.ux + dy*l.uy, -dx*l.uy + dy*l.ux
}

// moved shifts the line's ends perpendicular by b0 (start) and b1 (end).
func (l line) moved(b0, b1 float64) line {
	half := l.length / 2
	p, q := l.at(-half, b0), l.at(half, b1)
	return between(p, q, l)
}

// between is l with its ends at p and q.
func between(p, q photo.Point, l line) line {
	dx, dy := q.X-p.X, q.Y-p.Y
	n := math.Hypot(dx, dy)
	if n == 0 {
		return l
	}
	l.x, l.y, l.ux, l.uy, l.length = (p.X+q.X)/2, (p.Y+q.Y)/2, dx/n, dy/n, n
	return l
}

// angleTo is the angle between two lines regardless of direction, 0 to 90°.
func (l line) angleTo(m line) float64 {
	return math.Acos(math.Min(1, math.Abs(l.ux*m.ux+l.uy*m.uy)))
}
