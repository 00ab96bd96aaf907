package quality

import (
	"image"
	"math"
	"sort"
)

// tone is the distribution of light.
type tone struct {
	p1, p5, p50, p90, p95, p99 float64 // luminance percentiles
	bright                     float64 // share of pixels with all channels burnt out
	dark                       float64 // share of pixels with luminance below 16
}

func measureTone(r *raster) tone {
	h, n := r.histogram(r.bounds())
	t := tone{
		p1: percentile(&h, n, .01), p5: percentile(&h, n, .05), p50: percentile(&h, n, .5),
		p90: percentile(&h, n, .9), p95: percentile(&h, n, .95), p99: percentile(&h, n, .99),
	}
	burnt := 0
	for i := 0; i+2 < len(r.bgr); i += 3 {
		if r.bgr[i] >= clipped && r.bgr[i+1] >= clipped && r.bgr[i+2] >= clipped {
			burnt++
		}
	}
	black := 0
	for v := 0; v < 16; v++ {
		black += h[v]
	}
	t.bright, t.dark = float64(burnt)/float64(n), float64(black)/float64(n)
	return t
}

// localContrast is the median, over the half of the tiles that hold most, of
// the Michelson contrast between the tile's 2nd and 90th percentile: print
// against paper where there is print.
func localContrast(r *raster) float64 {
	var v []float64
	for _, t := range r.tiles(12, 8) {
		h, n := r.histogram(t)
		if n == 0 {
			continue
		}
		lo, hi := percentile(&h, n, .02), percentile(&h, n, .9)
		v = append(v, (hi-lo)/math.Max(1, hi+lo))
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
	const nx, ny = 10, 7
	ts := r.tiles(nx, ny)
	paper := make([]float64, len(ts))
	for i, t := range ts {
		h, n := r.histogram(t)
		paper[i] = percentile(&h, n, .85)
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
	var h [256]int
	n := 0
	for i := 0; i+2 < len(r.bgr); i += 3 {
		a, b, c := r.bgr[i], r.bgr[i+1], r.bgr[i+2]
		h[max(a, b, c)-min(a, b, c)]++
		n++
	}
	return percentile(&h, n, .9) / 255
}

// flatness is the share of tiles of about 1/40 of the width that hold nothing:
// luminance spread, 2nd to 98th percentile, below six levels.
func flatness(r *raster) float64 {
	nx := 40
	ny := max(1, nx*r.h/r.w)
	flat, all := 0, 0
	for _, t := range r.tiles(nx, min(ny, 80)) {
		h, n := r.histogram(t)
		if n < 4 {
			continue
		}
		all++
		if percentile(&h, n, .98)-percentile(&h, n, .02) < 6 {
			flat++
		}
	}
	return float64(flat) / math.Max(1, float64(all))
}

// repeated is the share of pixels that equal both their left and their upper
// neighbour exactly, outside burnt areas: rare in what a sensor saw, the rule in
// what a computer drew.
func repeated(r *raster) float64 {
	same, all := 0, 0
	for y := 1; y < r.h; y++ {
		row := r.bgr[3*y*r.w:]
		up := r.bgr[3*(y-1)*r.w:]
		for x := 1; x < r.w; x++ {
			i := 3 * x
			if row[i+1] < 4 || row[i+1] > 251 {
				continue
			}
			all++
			if row[i] == row[i-3] && row[i+1] == row[i-2] && row[i+2] == row[i-1] &&
				row[i] == up[i] && row[i+1] == up[i+1] && row[i+2] == up[i+2] {
				same++
			}
		}
	}
	if all < r.w*r.h/50 {
		return 0
	}
	return float64(same) / float64(all)
}
