package quality

import (
	"image"
	"math"

	"gocv.io/x/gocv"
)

// blockiness compares the steps across the 8 × 8 grid of JPEG with the steps
// between the grid lines, along rows and columns (after Wang, Bovik and Evans,
// "Blind measurement of blocking artifacts in images", 2000, in the pixel
// domain). 1 is no blocks; the grid's phase is searched, because photos are
// cropped.
func blockiness(p []byte, w, h, period int) float64 {
	var across, down, nAcross, nDown [8]int
	// A step minus the mean of the steps beside it: edges and slopes of the
	// picture cancel. Doubled, so that it stays whole.
	step := func(a, b, c, d byte) int {
		v := 2*abs(int(c)-int(b)) - abs(int(b)-int(a)) - abs(int(d)-int(c))
		return max(-24, min(24, v))
	}
	mask := period - 1
	if period&mask != 0 || period > 8 {
		return 0 // blocks that are no whole number of pixels leave no grid
	}
	for y := 2; y < h-2; y += 3 {
		row := p[y*w : (y+1)*w]
		for x := 2; x < w-3; x++ {
			across[x&mask] += step(row[x-1], row[x], row[x+1], row[x+2])
			nAcross[x&mask]++
		}
	}
	for y := 2; y < h-3; y++ {
		r0, r1, r2, r3 := p[(y-1)*w:y*w], p[y*w:(y+1)*w], p[(y+1)*w:(y+2)*w], p[(y+2)*w:(y+3)*w]
		for x := 2; x < w-2; x += 3 {
			down[y&mask] += step(r0[x], r1[x], r2[x], r3[x])
			nDown[y&mask]++
		}
	}
	return (peak(across[:period], nAcross[:period]) + peak(down[:period], nDown[:period])) / 2
}

// peak is, of doubled sums, by how many grey levels the strongest phase stands
// out of the others.
func peak(sum, n []int) float64 {
	var best, total float64
	best = -math.MaxFloat64
	for i := range sum {
		if n[i] == 0 {
			return 0
		}
		v := float64(sum[i]) / float64(2*n[i])
		total += v
		best = math.Max(best, v)
	}
	return math.Max(0, best-(total-best)/float64(len(sum)-1))
}

// moire looks for a regular fine pattern: isolated peaks in the spectrum of
// square windows, off the axes (where lines of print lie), against the median
// of their ring. It returns the strongest peak in decibels that shows in at
// least two windows at the same frequency, or false when it could not be
// computed.
func moire(r *raster) (float64, bool) {
	const n = 256
	if r.w < n || r.h < n {
		return 0, true
	}
	window := gocv.NewMat()
	defer window.Close()
	var o ops
	o.do(gocv.CreateHanningWindow(&window, image.Pt(n, n), gocv.MatTypeCV32F))
	sum := make([]float64, n*n)
	count := 0
	for _, f := range [][2]float64{{0.08, 0.1}, {0.92, 0.1}, {0.5, 0.5}, {0.08, 0.9}, {0.92, 0.9}} {
		x, y := int(f[0]*float64(r.w-n)), int(f[1]*float64(r.h-n))
		region := r.grey.Region(image.Rect(x, y, x+n, y+n))
		tile, spec := gocv.NewMat(), gocv.NewMat()
		o.do(region.ConvertTo(&tile, gocv.MatTypeCV32F))
		mean := float32(tile.Mean().Val1)
		tile.SubtractFloat(mean)
		o.do(gocv.Multiply(tile, window, &tile))
		o.do(gocv.DFT(tile, &spec, gocv.DftComplexOutput))
		v, err := spec.DataPtrFloat32()
		if o.do(err); !o.failed && len(v) == 2*n*n {
			// Windows differ in energy; each is put relative to its own total so
			// that one with strong print does not drown the rest.
			var energy float64
			pw := make([]float64, n*n)
			for i := range pw {
				pw[i] = float64(v[2*i])*float64(v[2*i]) + float64(v[2*i+1])*float64(v[2*i+1])
				energy += pw[i]
			}
			for i := range pw {
				sum[i] += pw[i] / (energy + 1)
			}
			count++
		}
		tile.Close()
		spec.Close()
		region.Close()
	}
	if o.failed || count == 0 {
		return 0, false
	}
	var ring [n][]float64
	radius := func(u, v int) int { return int(math.Sqrt(float64(u*u+v*v)) / 3) }
	each := func(f func(u, v, i int)) {
		for v := -n/2 + 1; v < n/2; v++ {
			for u := 0; u < n/2; u++ {
				rr := u*u + v*v
				if rr < 22*22 || rr > 120*120 || abs(u) < 5 || abs(v) < 5 {
					continue
				}
				f(u, v, ((v+n)%n)*n+u)
			}
		}
	}
	each(func(u, v, i int) { k := radius(u, v); ring[k] = append(ring[k], sum[i]) })
	var med [n]float64
	for k := range ring {
		med[k] = quantile(ring[k], 0.5)
	}
	best := 0.0
	each(func(u, v, i int) {
		if m := med[radius(u, v)]; m > 0 {
			best = math.Max(best, sum[i]/m)
		}
	})
	if best <= 1 {
		return 0, true
	}
	return 10 * math.Log10(best), true
}
