package quality

import (
	"image"
	"math"
	"sort"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// blur is what re-blurring tells about a picture.
type blur struct {
	sigma  float64 // of the Gaussian that the edges look blurred by, px of the raster
	ratio  float64 // widest direction over narrowest, ≥ 1
	edges  int
	blurry []image.Rectangle // tiles least sharp
}

// reblur is the standard deviation of the second blur. Small enough to tell
// sharp from slightly soft, large enough not to measure noise.
const reblur = 1.2

// manyRows is the height from which on half of the pixels are looked at.
const manyRows = 400

// measureBlur estimates the blur at edges from how much steeper they are than
// the same edges blurred once more (Zhuo and Sim, "Defocus map estimation from
// a single image", 2011): for an edge of blur σ the ratio R of the gradients
// gives σ = σ₀ / √(R² − 1), whatever the edge's contrast. Edges are sorted by
// direction; motion widens those across it and leaves those along it.
//
// It returns false when that could not be done; a picture without edges is
// measured, and has σ 0.
func measureBlur(r *raster) (blur, bool) {
	soft := gocv.NewMat()
	defer soft.Close()
	var o ops
	o.do(gocv.GaussianBlur(r.grey, &soft, image.Pt(0, 0), reblur, reblur, gocv.BorderReplicate))
	s := o.bytes(soft)
	if o.failed {
		return blur{}, false
	}
	w, h, p := r.w, r.h, r.luma
	// Threshold: edges clearly above the noise, taken as the median gradient.
	var hist [512]int
	for y := 2; y < h-2; y += 4 {
		for x := 2; x < w-2; x += 2 {
			i := y*w + x
			dx, dy := int(p[i+1])-int(p[i-1]), int(p[i+w])-int(p[i-w])
			hist[min(511, abs(dx)+abs(dy))]++
		}
	}
	floor := max(14, 4*histMedian(hist[:]))
	const nx, ny = 8, 6
	var tile [nx * ny][]float64
	var direction [4][]float64
	// Large pictures have edges enough on half of the pixels: runs of eight in
	// each row, shifted in the next, so that level edges on any row are met.
	run, stride := w, 1
	if h >= manyRows {
		run, stride = 8, 2
	}
	for y := 2; y < h-2; y++ {
		above, row, below := p[(y-1)*w:y*w], p[y*w:(y+1)*w], p[(y+1)*w:(y+2)*w]
		for from := 2 + y%stride*run; from < w-2; from += stride * run {
			for x := from; x < min(w-2, from+run); x++ {
				dx, dy := int(row[x+1])-int(row[x-1]), int(below[x])-int(above[x])
				ax, ay := abs(dx), abs(dy)
				if ax+ay < floor {
					continue
				}
				i := y*w + x
				var step, d int
				switch {
				case 5*ay < 2*ax:
					step, d = 1, 0
				case 5*ax < 2*ay:
					step, d = w, 2
				case (dx > 0) == (dy > 0):
					step, d = w+1, 1
				default:
					step, d = w-1, 3
				}
				// Crest of the gradient along its direction.
				m := grad2(p, i, w)
				if m < grad2(p, i-step, w) || m <= grad2(p, i+step, w) {
					continue
				}
				m2 := grad2(s, i, w)
				if m2 == 0 {
					continue
				}
				ratio := float64(m) / float64(m2) // already squared
				sigma := 6.0
				if ratio > 1.04 {
					sigma = math.Min(sigma, reblur/math.Sqrt(ratio-1))
				}
				t := (y*ny/h)*nx + x*nx/w
				if len(tile[t]) < 4000 {
					tile[t] = append(tile[t], sigma)
				}
				if len(direction[d]) < 20000 {
					direction[d] = append(direction[d], sigma)
				}
			}
		}
	}
	var b blur
	var best []float64
	type ranked struct {
		i int
		v float64
	}
	var order []ranked
	for i := range tile {
		b.edges += len(tile[i])
		if len(tile[i]) < 25 {
			continue // nothing printed there
		}
		// The sharpest third of a tile's edges: shading and out-of-register
		// printing are soft in any photo.
		v := quantile(tile[i], 0.3)
		best = append(best, v)
		order = append(order, ranked{i, v})
	}
	if len(best) == 0 {
		return blur{edges: b.edges}, true
	}
	b.sigma = quantile(best, 0.5)
	sort.Slice(order, func(i, j int) bool { return order[i].v > order[j].v })
	for i := 0; i < len(order) && i < 4; i++ {
		t := order[i].i
		b.blurry = append(b.blurry, image.Rect(t%nx*w/nx, t/nx*h/ny, (t%nx+1)*w/nx, (t/nx+1)*h/ny))
	}
	lo, hi := math.MaxFloat64, 0.0
	for _, d := range direction {
		if len(d) < 60 {
			continue
		}
		v := math.Max(0.3, quantile(d, 0.3))
		lo, hi = math.Min(lo, v), math.Max(hi, v)
	}
	b.ratio = 1
	if hi > 0 {
		b.ratio = hi / lo
		// Print needs detail in every direction: the worst one counts.
		b.sigma = math.Max(b.sigma, hi)
	}
	return b, true
}

// grad2 is the squared central difference at i.
func grad2(p []byte, i, w int) int {
	dx, dy := int(p[i+1])-int(p[i-1]), int(p[i+w])-int(p[i-w])
	return dx*dx + dy*dy
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}

func histMedian(h []int) int {
	n := 0
	for _, v := range h {
		n += v
	}
	sum := 0
	for i, v := range h {
		if sum += v; 2*sum >= n {
			return i
		}
	}
	return 0
}

// quantile of v, whose order it changes: sorting only as far as it takes (Hoare's
// selection) is several times faster on the tens of thousands of edges.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	k := min(len(v)-1, int(q*float64(len(v))))
	for lo, hi := 0, len(v)-1; lo < hi; {
		pivot := v[(lo+hi)/2]
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}

// resolved turns a blur into the finest detail that survives it: the spatial
// frequency at which a Gaussian of σ passes half the contrast (MTF50), in
// cycles per unit, where one unit is perUnit pixels.
func resolved(sigma, perUnit float64) float64 {
	if sigma <= 0 {
		return 0
	}
	// A pixel grid can not show more than half a cycle per pixel.
	return math.Min(0.1874/sigma, 0.5) * perUnit
}

func (r *raster) rects(bs []image.Rectangle) []photo.Rect {
	var out []photo.Rect
	for _, b := range bs {
		out = append(out, r.rect(b.Min.X, b.Min.Y, b.Dx(), b.Dy()))
	}
	return out
}
