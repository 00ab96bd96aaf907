package quality

import "math"

// blockiness compares the steps across the 8 × 8 grid of JPEG with the steps
// between the grid lines, along rows and columns (after Wang, Bovik and Evans,
// "Blind measurement of blocking artifacts in images", 2000, in the pixel
// domain), in grey levels: 0 is no blocks. The grid's phase is searched, because
// photos are cropped.
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
