package liveness

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// plane is a grey picture of floats.
type plane struct {
	w, h int
	px   []float32
}

// planeOf takes the part r of a BGR picture, scaled to w×h.
func planeOf(m gocv.Mat, r image.Rectangle, w, h int) (*plane, error) {
	part := m.Region(r)
	defer part.Close()
	small, grey := gocv.NewMat(), gocv.NewMat()
	defer small.Close()
	defer grey.Close()
	how := gocv.InterpolationLinear
	if w < r.Dx() {
		how = gocv.InterpolationArea
	}
	if err := gocv.Resize(part, &small, image.Pt(w, h), 0, 0, how); err != nil {
		return nil, err
	}
	if err := gocv.CvtColor(small, &grey, gocv.ColorBGRToGray); err != nil {
		return nil, err
	}
	b := grey.ToBytes()
	p := &plane{w, h, make([]float32, len(b))}
	for i, v := range b {
		p.px[i] = float32(v)
	}
	return p, nil
}

// half is the picture at half the size, averaged.
func (p *plane) half() *plane {
	out := &plane{w: p.w / 2, h: p.h / 2}
	out.px = make([]float32, out.w*out.h)
	for y := range out.h {
		a, b := p.px[2*y*p.w:], p.px[(2*y+1)*p.w:]
		for x := range out.w {
			out.px[y*out.w+x] = (a[2*x] + a[2*x+1] + b[2*x] + b[2*x+1]) / 4
		}
	}
	return out
}

// window reads the square of side 2r+1 around (x, y), bilinear. ok is false
// where it leaves the picture.
func (p *plane) window(dst []float32, x, y float64, r int) bool {
	fx, fy := math.Floor(x), math.Floor(y)
	ix, iy := int(fx)-r, int(fy)-r
	n := 2*r + 1
	if ix < 0 || iy < 0 || ix+n >= p.w || iy+n >= p.h || math.IsNaN(x+y) {
		return false
	}
	ax, ay := float32(x-fx), float32(y-fy)
	w00, w10, w01, w11 := (1-ax)*(1-ay), ax*(1-ay), (1-ax)*ay, ax*ay
	for j := range n {
		a := p.px[(iy+j)*p.w+ix : (iy+j)*p.w+ix+n+1]
		b := p.px[(iy+j+1)*p.w+ix : (iy+j+1)*p.w+ix+n+1]
		d := dst[j*n : (j+1)*n]
		for i := range d {
			d[i] = w00*a[i] + w10*a[i+1] + w01*b[i] + w11*b[i+1]
		}
	}
	return true
}

// pyramid is a picture and its halves.
type pyramid []*plane

const pyramidLevels = 3

func pyramidOf(p *plane) pyramid {
	out := pyramid{p}
	for len(out) < pyramidLevels {
		out = append(out, out[len(out)-1].half())
	}
	return out
}

// patchRadius is half the side of the window that is followed.
const patchRadius = 6

// patch is what a point looks like in the first frame, on every level, with its
// gradients: followed from there in every later frame, a point can not drift.
type patch struct {
	at     photo.Point
	levels [pyramidLevels]struct {
		ok         bool
		grey       [(2*patchRadius + 1) * (2*patchRadius + 1)]float32
		gx, gy     [(2*patchRadius + 1) * (2*patchRadius + 1)]float32
		a, b, c    float64 // of the inverse of the gradients' matrix
		meanX, meY float64
	}
}

func newPatch(p pyramid, at photo.Point) *patch {
	out := &patch{at: at}
	const n = 2*patchRadius + 1
	wide := make([]float32, (n+2)*(n+2))
	for l := range p {
		k := math.Pow(0.5, float64(l))
		lv := &out.levels[l]
		// A pixel's index names its centre: halves shift by half a pixel.
		if !p[l].window(wide, (at.X+0.5)*k-0.5, (at.Y+0.5)*k-0.5, patchRadius+1) {
			continue
		}
		var sx, sy float64
		for j := range n {
			for i := range n {
				c := (j+1)*(n+2) + i + 1
				o := j*n + i
				lv.grey[o] = wide[c]
				lv.gx[o], lv.gy[o] = (wide[c+1]-wide[c-1])/2, (wide[c+n+2]-wide[c-n-2])/2
				sx, sy = sx+float64(lv.gx[o]), sy+float64(lv.gy[o])
			}
		}
		// Gradients without their mean make the step blind to a change of
		// brightness (a bias per window).
		lv.meanX, lv.meY = sx/(n*n), sy/(n*n)
		var xx, xy, yy float64
		for o := range lv.gx {
			x, y := float64(lv.gx[o])-lv.meanX, float64(lv.gy[o])-lv.meY
			xx, xy, yy = xx+x*x, xy+x*y, yy+y*y
		}
		det := xx*yy - xy*xy
		if det < 1e-3*(xx+yy)*(xx+yy)+1 {
			continue // an edge or nothing: it slides
		}
		lv.a, lv.b, lv.c, lv.ok = yy/det, -xy/det, xx/det, true
	}
	return out
}

// follow finds the patch in another frame from a guess (Lucas and Kanade 1981,
// inverse compositional, translation only). The error is the root of the mean
// squared difference of what is found, without the difference of brightness.
func (t *patch) follow(p pyramid, guess photo.Point) (at photo.Point, mismatch float64, ok bool) {
	const n = 2*patchRadius + 1
	var got [n * n]float32
	at = guess
	for l := len(p) - 1; l >= 0; l-- {
		lv := &t.levels[l]
		if !lv.ok {
			continue
		}
		k := math.Pow(0.5, float64(l))
		x, y := (at.X+0.5)*k-0.5, (at.Y+0.5)*k-0.5
		for range 12 {
			if !p[l].window(got[:], x, y, patchRadius) {
				return at, 0, false
			}
			var ex, ey, bias float64
			for o, v := range got {
				bias += float64(v - lv.grey[o])
			}
			bias /= n * n
			mismatch = 0
			for o, v := range got {
				d := float64(v-lv.grey[o]) - bias
				ex += d * (float64(lv.gx[o]) - lv.meanX)
				ey += d * (float64(lv.gy[o]) - lv.meY)
				mismatch += d * d
			}
			dx, dy := lv.a*ex+lv.b*ey, lv.b*ex+lv.c*ey
			if math.Abs(dx) > 2*patchRadius || math.Abs(dy) > 2*patchRadius {
				return at, 0, false
			}
			x, y = x-dx, y-dy
			if dx*dx+dy*dy < 1e-4 {
				break
			}
		}
		at = photo.Point{X: (x+0.5)/k - 0.5, Y: (y+0.5)/k - 0.5}
	}
	return at, math.Sqrt(mismatch / (n * n)), t.levels[0].ok
}
