package quality

import (
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// The surroundings are looked at in a straightened picture of their own, with a
// margin around the document. Fingers are wider than a centimetre: 2 px/mm show
// them.
const (
	rimPxPerMM = 2.0
	rimMM      = 6.0 // around the document
	// A finger is so wide where it crosses the edge.
	thinMM, thickMM = 6.0, 38.0
)

// rim is the document with its surroundings, as luminance and two differences of
// colour (Y'CrCb, Rec. 601).
type rim struct {
	w, h, m int // the picture, and how many pixels of margin there are
	p       []byte
	mat     gocv.Mat
}

// newRim straightens the photo around the document.
func newRim(d DocumentInfo, wMM, hMM float64) (*rim, bool) {
	k := rimPxPerMM
	r := &rim{m: int(rimMM * k), mat: gocv.NewMat()}
	r.w, r.h = int(wMM*k)+2*r.m, int(hMM*k)+2*r.m
	q := d.Quad
	// Average the source to about the resolution that is wanted first.
	b := widened(q, rimMM/wMM, rimMM/hMM).Bounds().Bounds(d.Photo.Cols(), d.Photo.Rows())
	by := int(math.Min(q[0].Distance(q[1])/(wMM*k), q[1].Distance(q[2])/(hMM*k)) * 0.8)
	for by = max(1, by); by&(by-1) != 0; by-- { // halving is what goes fast
	}
	if b.Dx() < 4*by || b.Dy() < 4*by {
		r.mat.Close()
		return nil, false
	}
	b.Max = b.Min.Add(image.Pt(b.Dx()/by*by, b.Dy()/by*by))
	region, small := d.Photo.Region(b), gocv.NewMat()
	defer region.Close()
	defer small.Close()
	var o ops
	src := region
	for k := by; k > 1; k /= 2 {
		o.do(gocv.Resize(src, &small, image.Pt(src.Cols()/2, src.Rows()/2), 0, 0, gocv.InterpolationArea))
		src = small
	}
	from, to := make([]gocv.Point2f, 4), []gocv.Point2f{
		{X: float32(r.m), Y: float32(r.m)}, {X: float32(r.w - r.m), Y: float32(r.m)},
		{X: float32(r.w - r.m), Y: float32(r.h - r.m)}, {X: float32(r.m), Y: float32(r.h - r.m)}}
	for i := range q {
		from[i] = gocv.Point2f{X: float32((q[i].X - float64(b.Min.X)) / float64(by)), Y: float32((q[i].Y - float64(b.Min.Y)) / float64(by))}
	}
	a, z := gocv.NewPoint2fVectorFromPoints(from), gocv.NewPoint2fVectorFromPoints(to)
	defer a.Close()
	defer z.Close()
	t := gocv.GetPerspectiveTransform2f(a, z)
	defer t.Close()
	o.do(gocv.WarpPerspectiveWithParams(src, &r.mat, t, image.Pt(r.w, r.h), gocv.InterpolationLinear, gocv.BorderReplicate, color.RGBA{}))
	o.do(gocv.CvtColor(r.mat, &r.mat, gocv.ColorBGRToYCrCb))
	r.p = o.bytes(r.mat)
	if o.failed {
		r.mat.Close()
		return nil, false
	}
	return r, true
}

// widened moves the corners of q outward, by parts of its width and height.
func widened(q photo.Quad, fx, fy float64) photo.Quad {
	at := func(u, v float64) photo.Point {
		return photo.Point{
			X: (1-v)*((1-u)*q[0].X+u*q[1].X) + v*((1-u)*q[3].X+u*q[2].X),
			Y: (1-v)*((1-u)*q[0].Y+u*q[1].Y) + v*((1-u)*q[3].Y+u*q[2].Y)}
	}
	return photo.Quad{at(-fx, -fy), at(1+fx, -fy), at(1+fx, 1+fy), at(-fx, 1+fy)}
}

func (r *rim) close() { r.mat.Close() }

type ycc [3]float64

func (r *rim) at(x, y int) ycc {
	i := 3 * (y*r.w + x)
	return ycc{float64(r.p[i]), float64(r.p[i+1]), float64(r.p[i+2])}
}

// apart is how different two colours are; light varies on one surface, so
// luminance counts half.
func (a ycc) apart(b ycc) float64 {
	return math.Sqrt(0.25*(a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
}

// skin tells whether a colour can be that of a hand in any usual light: more red
// than the eye's grey, and more red than blue. Skin of all tones differs in
// brightness far more than in this (Chai and Ngan 1999 give Cr 133-173, Cb
// 77-127; both are widened for coloured light).
func (a ycc) skin() bool { return a[1] > 131 && a[1] < 182 && a[2] > 70 && a[2] < 130 && a[1] > a[2]+4 }

// covering is something that lies over the edge of the document.
type covering struct {
	box   image.Rectangle // in the rim, inside the document
	depth float64         // how far it reaches over the edge, mm
}

// coverings are the places where something of the colour of skin continues
// across the edge of the document: the colour inside equals the colour outside,
// while elsewhere along the side both are something else. A table of the colour
// of the document continues everywhere and is therefore none.
func (r *rim) coverings() []covering {
	var out []covering
	for side := range 4 {
		n := r.w - 2*r.m
		if side%2 == 1 {
			n = r.h - 2*r.m
		}
		at := r.along(side)
		// The outermost millimetre on both sides is left to errors of the outline.
		const near, far = int(1 * rimPxPerMM), int(3 * rimPxPerMM)
		in, ex := make([]ycc, n), make([]ycc, n)
		for t := range n {
			in[t], ex[t] = mean(at, t, near, far), mean(at, t, -far, -near)
		}
		paper, table := typical(in), typical(ex)
		flag := make([]bool, n)
		for t := range n {
			across := in[t].apart(ex[t])
			foreign, outside := in[t].apart(paper), ex[t].apart(table)
			// A hand of the colour of the table has to differ more from the paper.
			flag[t] = in[t].skin() && ex[t].skin() && foreign > 12 && (outside > 9 || foreign > 25) && across < 0.5*math.Min(foreign, 40)
		}
		for from := 0; from < n; from++ {
			if !flag[from] {
				continue
			}
			to, gap := from, 0
			for t := from; t < n && gap <= 3; t++ {
				if gap++; flag[t] {
					to, gap = t+1, 0
				}
			}
			if mm := float64(to-from) / rimPxPerMM; mm >= thinMM && mm <= thickMM {
				out = append(out, r.follow(side, at, in, ex, from, to, paper))
			}
			from = to
		}
	}
	return out
}

// along gives access by position along a side and distance inside it.
func (r *rim) along(side int) func(t, d int) ycc {
	return func(t, d int) ycc {
		x, y := r.place(side, t, d)
		return r.at(min(r.w-1, max(0, x)), min(r.h-1, max(0, y)))
	}
}

func (r *rim) place(side, t, d int) (x, y int) {
	switch side {
	case 0:
		return r.m + t, r.m + d
	case 1:
		return r.w - r.m - 1 - d, r.m + t
	case 2:
		return r.m + t, r.h - r.m - 1 - d
	}
	return r.m + d, r.m + t
}

func mean(at func(t, d int) ycc, t, from, to int) ycc {
	var s ycc
	for d := from; d < to; d++ {
		c := at(t, d)
		for i := range s {
			s[i] += c[i] / float64(to-from)
		}
	}
	return s
}

// typical is the median of each component.
func typical(v []ycc) ycc {
	var out ycc
	s := make([]float64, len(v))
	for i := range out {
		for k := range v {
			s[k] = v[k][i]
		}
		out[i] = quantile(s, 0.5)
	}
	return out
}

// follow goes inward from the edge as far as the colour of the crossing holds on
// at least half of its width.
func (r *rim) follow(side int, at func(t, d int) ycc, in, ex []ycc, from, to int, paper ycc) covering {
	finger := typical(append(append([]ycc(nil), in[from:to]...), ex[from:to]...))
	margin := (to - from) / 2
	lo, hi := max(0, from-margin), min(len(in), to+margin)
	deep := r.h - 2*r.m
	if side%2 == 1 {
		deep = r.w - 2*r.m
	}
	depth, gap := 0, 0
	for d := int(rimPxPerMM); d < deep && gap < 3; d++ {
		n := 0
		for t := lo; t < hi; t++ {
			if c := at(t, d); c.skin() && c.apart(finger) < 0.7*c.apart(paper) && c.apart(finger) < 22 {
				n++
			}
		}
		if gap++; 2*n >= to-from {
			depth, gap = d, 0
		}
	}
	x0, y0 := r.place(side, lo, 0)
	x1, y1 := r.place(side, hi, depth)
	box := image.Rect(min(x0, x1), min(y0, y1), max(x0, x1)+1, max(y0, y1)+1).Sub(image.Pt(r.m, r.m))
	return covering{box, float64(depth) / rimPxPerMM}
}

// occlusion is how far, in millimetres, the deepest finger reaches over the edge
// of the document, and where. It returns false where the surroundings can not be
// seen.
func occlusion(doc gocv.Mat, d DocumentInfo) (float64, []photo.Rect, bool) {
	if d.Photo == nil || d.Photo.Empty() || d.PxPerMM <= 0 || d.WholeFrame {
		return 0, nil, false
	}
	r, ok := newRim(d, float64(doc.Cols())/d.PxPerMM, float64(doc.Rows())/d.PxPerMM)
	if !ok {
		return 0, nil, false
	}
	defer r.close()
	deepest := 0.0
	var where []photo.Rect
	k := d.PxPerMM / rimPxPerMM
	for _, c := range r.coverings() {
		deepest = math.Max(deepest, c.depth)
		where = append(where, photo.Rect{X: float64(c.box.Min.X) * k, Y: float64(c.box.Min.Y) * k, W: float64(c.box.Dx()) * k, H: float64(c.box.Dy()) * k})
	}
	return deepest, where, true
}
