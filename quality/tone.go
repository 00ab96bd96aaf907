package quality

import (
	"image"
	"math"
	"sort"

	"gocv.io/x/gocv"
)

// tone is the distribution of light.
type tone struct {
	p1, p5, p50, p90, p95, p99 float64 // luminance percentiles
	dark                       float64 // share of pixels with luminance below 16
}

func measureTone(r *raster) tone {
	h := r.whole()
	t := tone{
		p1: h.percentile(.01), p5: h.percentile(.05), p50: h.percentile(.5),
		p90: h.percentile(.9), p95: h.percentile(.95), p99: h.percentile(.99),
	}
	black := int32(0)
	for v := 0; v < 16; v++ {
		black += h.count[v]
	}
	t.dark = float64(black) / float64(h.n)
	return t
}

// burnt returns a mask (255) of the pixels with all channels burnt out, to be
// closed, and their share.
func (r *raster) burnt(o *ops) (gocv.Mat, float64) {
	m := gocv.NewMat()
	top := gocv.NewScalar(255, 255, 255, 0)
	o.do(gocv.InRangeWithScalar(r.colour, gocv.NewScalar(clipped, clipped, clipped, 0), top, &m))
	if o.failed {
		return m, 0
	}
	return m, float64(gocv.CountNonZero(m)) / float64(r.w*r.h)
}

// localContrast is the median, over the half of the tiles that hold most, of
// the Michelson contrast between the tile's 2nd and 90th percentile: print
// against paper where there is print.
func localContrast(r *raster) float64 {
	grid := r.tiled()
	v := make([]float64, 0, len(grid))
	for i := range grid {
		if h := &grid[i]; h.n > 0 {
			lo, hi := h.percentile(.02), h.percentile(.9)
			v = append(v, (hi-lo)/math.Max(1, hi+lo))
		}
	}
	if len(v) == 0 {
		return 0
	}
	sort.Float64s(v)
	return v[len(v)*3/4]
}

// shadow is one minus the ratio of the darkest to the brightest lit part of the
// sheet, each taken from the paper (the 85th percentile) of neighbouring tiles,
// and the dark parts.
func shadow(r *raster) (float64, []image.Rectangle) {
	const nx, ny = gridX, gridY
	ts, grid := r.tiles(nx, ny), r.tiled()
	paper := make([]float64, len(ts))
	for i := range ts {
		paper[i] = grid[i].percentile(.85)
	}
	// A maximum over 2 × 2 neighbours steps over portraits and dark print.
	lit := make([]float64, 0, len(ts))
	at := make([]image.Rectangle, 0, len(ts))
	for j := 0; j+1 < ny; j++ {
		for i := 0; i+1 < nx; i++ {
			k := j*nx + i
			lit = append(lit, max(paper[k], paper[k+1], paper[k+nx], paper[k+nx+1]))
			at = append(at, ts[k].Union(ts[k+nx+1]))
		}
	}
	s := append([]float64(nil), lit...)
	sort.Float64s(s)
	lo, hi := s[len(s)/20], s[len(s)*19/20]
	var dark []image.Rectangle // neighbours in a row are one region
	for i, v := range lit {
		if v >= lo+0.3*(hi-lo) {
			continue
		}
		if n := len(dark) - 1; i%(nx-1) > 0 && lit[i-1] < lo+0.3*(hi-lo) {
			dark[n] = dark[n].Union(at[i])
		} else {
			dark = append(dark, at[i])
		}
	}
	return 1 - lo/math.Max(1, hi), dark
}

// chroma is the 90th percentile of the difference between a pixel's largest and
// smallest channel, 0-1: near zero on a greyscale copy.
func chroma(r *raster) float64 {
	h := &histogram{}
	for y := 0; y < r.h; y += 2 { // every fourth pixel: a percentile needs no more
		row := r.bgr[3*y*r.w : 3*(y+1)*r.w]
		for i := 0; i+2 < len(row); i += 6 {
			a, b, c := row[i], row[i+1], row[i+2]
			h.count[max(a, b, c)-min(a, b, c)]++
			h.n++
		}
	}
	return h.percentile(.9) / 255
}

// flatness is the share of tiles of about 1/40 of the width that hold nothing:
// luminance spread, 2nd to 98th percentile, below six levels.
func flatness(r *raster) float64 {
	nx := 40
	ny := max(1, nx*r.h/r.w)
	flat, all := 0, 0
	h := &histogram{}
	for _, t := range r.tiles(nx, min(ny, 80)) {
		*h = histogram{}
		for y := t.Min.Y; y < t.Max.Y; y += 2 {
			r.count(image.Rect(t.Min.X, y, t.Max.X, y+1), h)
		}
		if h.n < 4 {
			continue
		}
		all++
		if h.percentile(.98)-h.percentile(.02) < 6 {
			flat++
		}
	}
	return float64(flat) / math.Max(1, float64(all))
}

// repeated is the share of pixels that equal both their left and their upper
// neighbour exactly, outside burnt areas: rare in what a sensor saw, the rule in
// what a computer drew. Every third row is looked at.
func repeated(r *raster) float64 {
	same, all := 0, 0
	for y := 1; y < r.h; y += 3 {
		row := r.bgr[3*y*r.w : 3*(y+1)*r.w]
		up := r.bgr[3*(y-1)*r.w : 3*y*r.w]
		for i := 3; i+2 < len(row) && i+2 < len(up); i += 3 {
			if row[i+1] < 4 || row[i+1] > 251 {
				continue
			}
			all++
			here := [3]byte(row[i : i+3])
			left, above := [3]byte(row[i-3:i]), [3]byte(up[i:i+3])
			if here == left && left == above {
				same++
			}
		}
	}
	if all < r.w*r.h/150 {
		return 0
	}
	return float64(same) / float64(all)
}
