package quality

import (
	"image"
	"math"
	"sort"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Windows of the photo in which a regular pattern is looked for.
const (
	patternSide   = 256
	patternLowest = 20 // cycles per window: print is coarser than a twelfth
	// Less than this is noise: of 720 photos without a pattern half have 9.4.
	noPattern = 14.0
)

// screenPattern is how far, in decibels, the strongest isolated peak of the
// spectrum stands out of its surroundings, in the second weakest of four
// windows: two on the document and two beside it, or in the better of the first
// two where neither shows anything. The raster of a display, and
// the moiré between it and the sensor, lie over everything in the photo; a
// printed pattern ends with the document, the weave of a table cloth begins
// there. Measured in the photo's own pixels, because straightening destroys it.
func screenPattern(d DocumentInfo) (float64, bool) {
	if d.Photo == nil || d.Photo.Empty() || d.WholeFrame || min(d.Photo.Cols(), d.Photo.Rows()) < patternSide {
		return 0, false
	}
	window := hann()
	var peaks []float64
	for i, at := range patternWindows(d) {
		if i == 2 && max(peaks[0], peaks[1]) < noPattern {
			return max(peaks[0], peaks[1]), true
		}
		v, ok := peakOf(*d.Photo, at, window)
		if !ok {
			return 0, false
		}
		peaks = append(peaks, v)
	}
	sort.Float64s(peaks)
	return peaks[1], true
}

// patternWindows are two squares on the document, beside its middle, and the two
// corners of the photo that are farthest from it.
func patternWindows(d DocumentInfo) []image.Rectangle {
	w, h := d.Photo.Cols(), d.Photo.Rows()
	square := func(p photo.Point) image.Rectangle {
		x := max(0, min(w-patternSide, int(p.X)-patternSide/2))
		y := max(0, min(h-patternSide, int(p.Y)-patternSide/2))
		return image.Rect(x, y, x+patternSide, y+patternSide)
	}
	q := d.Quad
	on := func(u float64) photo.Point {
		return photo.Point{
			X: 0.5*((1-u)*q[0].X+u*q[1].X) + 0.5*((1-u)*q[3].X+u*q[2].X),
			Y: 0.5*((1-u)*q[0].Y+u*q[1].Y) + 0.5*((1-u)*q[3].Y+u*q[2].Y)}
	}
	corners := []photo.Point{{}, {X: float64(w)}, {X: float64(w), Y: float64(h)}, {Y: float64(h)}}
	room := func(c photo.Point) float64 {
		least := math.MaxFloat64
		for i := range q {
			least = math.Min(least, c.Distance(q[i]))
		}
		return least
	}
	sort.SliceStable(corners, func(i, j int) bool { return room(corners[i]) > room(corners[j]) })
	return []image.Rectangle{square(on(0.3)), square(on(0.7)), square(corners[0]), square(corners[1])}
}

// hann is one dimension of the window that keeps the edges of a square out of
// its spectrum.
func hann() (out [patternSide]float32) {
	for i := range out {
		out[i] = float32(0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/patternSide))
	}
	return out
}

// peakOf is the strongest peak in one window. Luminance and the difference of
// red and blue are transformed together, as the two parts of a complex number:
// the raster of a display shows in colour where it does not in brightness.
func peakOf(m gocv.Mat, at image.Rectangle, window [patternSide]float32) (float64, bool) {
	const n = patternSide
	region := m.Region(at)
	defer region.Close()
	tile := region.Clone()
	defer tile.Close()
	in, spec := gocv.NewMatWithSize(n, n, gocv.MatTypeCV32FC2), gocv.NewMat()
	defer in.Close()
	defer spec.Close()
	var o ops
	p := o.bytes(tile)
	v, err := in.DataPtrFloat32()
	if o.do(err); o.failed || len(v) != 2*n*n {
		return 0, false
	}
	var my, mc float32
	for i := 0; i < n*n; i++ {
		b, g, r := float32(p[3*i]), float32(p[3*i+1]), float32(p[3*i+2])
		v[2*i], v[2*i+1] = 0.114*b+0.587*g+0.299*r, r-b
		my, mc = my+v[2*i], mc+v[2*i+1]
	}
	my, mc = my/(n*n), mc/(n*n)
	for y := range n {
		for x := range n {
			i, f := 2*(y*n+x), window[x]*window[y]
			v[i], v[i+1] = (v[i]-my)*f, (v[i+1]-mc)*f
		}
	}
	o.do(gocv.DFT(in, &spec, gocv.DftForward))
	s, err := spec.DataPtrFloat32()
	if o.do(err); o.failed || len(s) != 2*n*n {
		return 0, false
	}
	power := make([]float32, n*n) // with frequency 0 in the middle
	for y := range n {
		for x := range n {
			i := 2 * (y*n + x)
			power[((y+n/2)%n)*n+(x+n/2)%n] = s[i]*s[i] + s[i+1]*s[i+1]
		}
	}
	return isolated(power), true
}

// isolated is the ratio, in decibels, of the power of the best 3 × 3 bins to the
// mean of those around them, 4 to 8 bins away.
func isolated(power []float32) float64 {
	const n = patternSide
	sum := make([]float64, (n+1)*(n+1)) // of everything above and to the left
	for y := range n {
		row := 0.0
		for x := range n {
			row += float64(power[y*n+x])
			sum[(y+1)*(n+1)+x+1] = sum[y*(n+1)+x+1] + row
		}
	}
	box := func(x, y, r int) float64 {
		x0, y0, x1, y1 := x-r, y-r, x+r+1, y+r+1
		return sum[y1*(n+1)+x1] - sum[y0*(n+1)+x1] - sum[y1*(n+1)+x0] + sum[y0*(n+1)+x0]
	}
	const inner, outer, edge = 3, 8, 9
	best := 0.0
	for y := edge; y < n-edge; y++ {
		for x := edge; x < n-edge; x++ {
			u, v := x-n/2, y-n/2
			if u*u+v*v < patternLowest*patternLowest {
				continue
			}
			around := (box(x, y, outer) - box(x, y, inner)) / ((2*outer+1)*(2*outer+1) - (2*inner+1)*(2*inner+1))
			if peak := box(x, y, 1) / 9; peak > best*around {
				best = peak / math.Max(around, 1e-9)
			}
		}
	}
	if best <= 1 {
		return 0
	}
	return 10 * math.Log10(best)
}
