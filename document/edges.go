package document

import (
	"fmt"
	"image"
	"math"
	"sort"
	"sync"

	"gocv.io/x/gocv"
)

// workSide is the longer side, in pixels, of the picture in which outlines are
// looked for. Corners are refined afterwards in a larger one, of about
// refineSide.
const (
	workSide   = 640
	refineSide = 1280
)

// shrink returns m reduced to side pixels on its longer side and the factor
// from its pixels to m's. The caller closes it. Averaging whole blocks first and
// interpolating the rest is several times faster than averaging fractions.
func shrink(m gocv.Mat, side int) (gocv.Mat, float64, error) {
	long := max(m.Cols(), m.Rows())
	if long <= side {
		return m.Clone(), 1, nil
	}
	out, by := m, 1
	if k := long / side; k > 1 {
		whole := m.Region(image.Rect(0, 0, m.Cols()/k*k, m.Rows()/k*k))
		out, by = gocv.NewMat(), k
		err := gocv.Resize(whole, &out, image.Pt(m.Cols()/k, m.Rows()/k), 0, 0, gocv.InterpolationArea)
		whole.Close()
		if err != nil {
			out.Close()
			return gocv.Mat{}, 0, fmt.Errorf("reduce the photo: %w", err)
		}
		if long = max(out.Cols(), out.Rows()); long <= side {
			return out, float64(by), nil
		}
		defer out.Close()
	}
	f := float64(long) / float64(side)
	w, h := max(1, int(math.Round(float64(out.Cols())/f))), max(1, int(math.Round(float64(out.Rows())/f)))
	small := gocv.NewMat()
	if err := gocv.Resize(out, &small, image.Pt(w, h), 0, 0, gocv.InterpolationLinear); err != nil {
		small.Close()
		return gocv.Mat{}, 0, fmt.Errorf("reduce the photo: %w", err)
	}
	return small, f * float64(by), nil
}

// coarse returns m reduced by a whole factor to about side pixels on its longer
// side, and the factor. It shares m's pixels where nothing is to be reduced. The
// caller closes it.
func coarse(m gocv.Mat, side int) (gocv.Mat, float64, error) {
	k := int(math.Round(float64(max(m.Cols(), m.Rows())) / float64(side)))
	if k <= 1 || min(m.Cols(), m.Rows()) < k {
		return m.Region(image.Rect(0, 0, m.Cols(), m.Rows())), 1, nil
	}
	whole := m.Region(image.Rect(0, 0, m.Cols()/k*k, m.Rows()/k*k))
	defer whole.Close()
	out := gocv.NewMat()
	if err := gocv.Resize(whole, &out, image.Pt(m.Cols()/k, m.Rows()/k), 0, 0, gocv.InterpolationArea); err != nil {
		out.Close()
		return gocv.Mat{}, 0, fmt.Errorf("reduce the photo: %w", err)
	}
	return out, float64(k), nil
}

// gradient holds, for every pixel, the derivative of the colour channel that
// changes most there. Documents often differ from the table in hue alone,
// which a grey picture does not show.
type gradient struct {
	w, h  int
	dx    []int16
	dy    []int16
	mag   []float32
	noise float32 // median magnitude
}

// gradients are used again: the first touch of fresh memory takes longer than
// filling it.
var gradients = sync.Pool{New: func() any { return &gradient{} }}

// resize makes room for w × h pixels. The outermost ones stay zero.
func (g *gradient) resize(w, h int) {
	g.w, g.h = w, h
	if n := w * h; cap(g.mag) < n {
		g.dx, g.dy, g.mag = make([]int16, n), make([]int16, n), make([]float32, n)
		return
	}
	g.dx, g.dy, g.mag = g.dx[:w*h], g.dy[:w*h], g.mag[:w*h]
	zero := func(i int) { g.dx[i], g.dy[i], g.mag[i] = 0, 0, 0 }
	for x := range w {
		zero(x)
		zero((h-1)*w + x)
	}
	for y := range h {
		zero(y * w)
		zero(y*w + w - 1)
	}
}

func newGradient(bgr gocv.Mat) (*gradient, error) {
	w, h := bgr.Cols(), bgr.Rows()
	g := gradients.Get().(*gradient)
	g.resize(w, h)
	smooth := gocv.NewMat()
	defer smooth.Close()
	if err := gocv.GaussianBlur(bgr, &smooth, image.Pt(0, 0), 1, 1, gocv.BorderReplicate); err != nil {
		return nil, fmt.Errorf("look for edges: %w", err)
	}
	// Scharr's 3 × 3 derivative, weights 3-10-3: in grey levels times 16 per pixel.
	dx, dy := gocv.NewMat(), gocv.NewMat()
	defer dx.Close()
	defer dy.Close()
	err := gocv.Scharr(smooth, &dx, gocv.MatTypeCV16S, 1, 0, 1, 0, gocv.BorderReplicate)
	if err == nil {
		err = gocv.Scharr(smooth, &dy, gocv.MatTypeCV16S, 0, 1, 1, 0, gocv.BorderReplicate)
	}
	var px, py []int16
	if err == nil {
		px, err = dx.DataPtrInt16()
	}
	if err == nil {
		py, err = dy.DataPtrInt16()
	}
	if err != nil {
		return nil, fmt.Errorf("look for edges: %w", err)
	}
	for y := 1; y < h-1; y++ {
		row := px[3*y*w : 3*(y+1)*w]
		col := py[3*y*w : 3*(y+1)*w][:len(row)]
		for x := 1; x < w-1; x++ {
			bx, by := int32(row[3*x]), int32(col[3*x])
			best := bx*bx + by*by
			for c := 3*x + 1; c < 3*x+3; c++ {
				cx, cy := int32(row[c]), int32(col[c])
				if s := cx*cx + cy*cy; s > best {
					best, bx, by = s, cx, cy
				}
			}
			i := y*w + x
			g.dx[i], g.dy[i] = int16(bx), int16(by)
			g.mag[i] = float32(math.Sqrt(float64(best))) / 16
		}
	}
	g.noise = median(g.mag)
	return g, nil
}

// median of a sample of v.
func median(v []float32) float32 {
	step := max(1, len(v)/4096)
	s := make([]float32, 0, len(v)/step+1)
	for i := step / 2; i < len(v); i += step {
		s = append(s, v[i])
	}
	if len(s) == 0 {
		return 0
	}
	sort.Slice(s, func(i, j int) bool { return s[i] < s[j] })
	return s[len(s)/2]
}

// edge is a pixel on the crest of the gradient.
type edge struct {
	x, y   float32
	angle  float32 // of the normal, radians in [0, π)
	weight float32 // 0-1: how clearly it stands out of the noise
}

// edges thins the gradient to its crests. Weights saturate early, so that a
// faint long side counts nearly as much as a strong one.
func (g *gradient) edges() []edge {
	floor := min(max(2.2*g.noise, 2.5), 14)
	full := 3 * floor
	out := make([]edge, 0, g.w*g.h/12)
	for y := 2; y < g.h-2; y++ {
		for x := 2; x < g.w-2; x++ {
			i := y*g.w + x
			m := g.mag[i]
			if m < floor {
				continue
			}
			dx, dy := int32(g.dx[i]), int32(g.dy[i])
			ax, ay := dx, dy
			if ax < 0 {
				ax = -ax
			}
			if ay < 0 {
				ay = -ay
			}
			var step int // neighbour along the gradient, in one of four directions
			switch {
			case 5*ay < 2*ax:
				step = 1
			case 5*ax < 2*ay:
				step = g.w
			case (dx > 0) == (dy > 0):
				step = g.w + 1
			default:
				step = g.w - 1
			}
			if m < g.mag[i-step] || m <= g.mag[i+step] {
				continue
			}
			a := math.Atan2(float64(dy), float64(dx))
			if a < 0 {
				a += math.Pi
			}
			if a >= math.Pi {
				a -= math.Pi
			}
			out = append(out, edge{float32(x), float32(y), float32(a), min(1, 0.35+0.65*(m-floor)/(full-floor))})
		}
	}
	return out
}
