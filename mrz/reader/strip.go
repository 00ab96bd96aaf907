package reader

import (
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"
)

// Strips are what the recogniser reads: stripHeight rows with the middle of
// the line in the middle row, about stripPitch columns per character. The
// numbers are those of train/strips.py.
const (
	stripHeight = 32
	stripPitch  = 16.0
	stride      = 4
)

// levels is the photo in halving sizes, so that a strip is always sampled
// from a level of about its own resolution.
type levels struct{ m []gocv.Mat }

func newLevels(grey gocv.Mat) (*levels, error) {
	l := &levels{m: []gocv.Mat{grey.Clone()}}
	for len(l.m) < 6 {
		last := l.m[len(l.m)-1]
		if min(last.Rows(), last.Cols()) < 64 {
			break
		}
		half := gocv.NewMat()
		if err := gocv.Resize(last, &half, image.Pt((last.Cols()+1)/2, (last.Rows()+1)/2), 0, 0, gocv.InterpolationArea); err != nil {
			half.Close()
			l.close()
			return nil, err
		}
		l.m = append(l.m, half)
	}
	return l, nil
}

func (l *levels) close() {
	for i := range l.m {
		l.m[i].Close()
	}
}

// cut samples a rectangle that begins at a along the line, cols wide and rows
// high about the middle line, sx and sy photo pixels per pixel of the result.
func (l *levels) cut(n line, a, sx, sy float64, cols, rows int) (gocv.Mat, error) {
	level := 0
	for f := math.Min(sx, sy); f > 1.5 && level+1 < len(l.m); f /= 2 {
		level++
	}
	// Scale per axis, because halving rounds odd sides up.
	kx := float64(l.m[level].Cols()) / float64(l.m[0].Cols())
	ky := float64(l.m[level].Rows()) / float64(l.m[0].Rows())
	// Result pixel (i, j) lies at u, v from the middle of the line, in strip
	// pixels; the photo has it at (sx·u, sy·v)/(1+taper·u) along and across.
	u0, v0 := a/sx+0.5, -(float64(rows)-1)/2
	t := n.taper
	den := [3]float64{t, 0, 1 + t*u0}
	row := func(k, at, alongU, acrossV float64) [3]float64 {
		return [3]float64{
			k*(alongU*sx) + (k*at-0.5)*den[0],
			k * (acrossV * sy),
			k*(alongU*sx*u0+acrossV*sy*v0) + (k*at-0.5)*den[2],
		}
	}
	m := gocv.NewMatWithSize(3, 3, gocv.MatTypeCV64F)
	defer m.Close()
	for i, r := range [][3]float64{row(kx, n.x, n.ux, -n.uy), row(ky, n.y, n.uy, n.ux), den} {
		for j, v := range r {
			m.SetDoubleAt(i, j, v)
		}
	}
	out := gocv.NewMat()
	// The matrix maps result to photo, which is what WarpInverseMap declares.
	err := gocv.WarpPerspectiveWithParams(l.m[level], &out, m, image.Pt(cols, rows),
		gocv.InterpolationCubic|gocv.InterpolationFlags(16), gocv.BorderReplicate, color.RGBA{})
	if err != nil {
		out.Close()
		return gocv.Mat{}, err
	}
	return out, nil
}

// straighten fits the middle line and the height of the capitals to the ink,
// given a line whose pitch is known to a tenth or so.
func (l *levels) straighten(n line) (line, error) {
	const rows, blocks = 48, 8
	if n.aspect == 0 {
		n.aspect = 1
	}
	sy := n.across()
	cols := max(blocks*8, int(n.length/n.pitch*stripPitch))
	sx := n.length / float64(cols)
	m, err := l.cut(n, -n.length/2, sx, sy, cols, rows)
	if err != nil {
		return n, err
	}
	defer m.Close()
	px, err := m.DataPtrUint8()
	if err != nil {
		return n, err
	}
	e := edgeEnergy(px, cols, rows)
	slope, base, ok := middle(e, cols, rows, blocks)
	if !ok {
		return n, nil
	}
	n.lean = math.Max(0.45, math.Min(1.6, n.aspect*capitals(e, cols, rows, slope, base)/stripPitch))
	base -= rows / 2.0
	return n.moved((base-slope)*sy, (base+slope)*sy), nil
}

// middle fits a straight line to the centres of energy of blocks of columns,
// as row = base + slope·x with x from -1 to 1.
func middle(e []float64, cols, rows, blocks int) (slope, base float64, ok bool) {
	var sw, sx, sy, sxx, sxy float64
	for b := range blocks {
		c0, c1 := cols*b/blocks, cols*(b+1)/blocks
		mid := float64(rows) / 2
		var w float64
		for range 3 {
			var num float64
			w = 0
			for y := range rows {
				if math.Abs(float64(y)+0.5-mid) > 10 {
					continue
				}
				for x := c0; x < c1; x++ {
					num += e[y*cols+x] * (float64(y) + 0.5)
					w += e[y*cols+x]
				}
			}
			if w == 0 {
				break
			}
			mid = num / w
		}
		x := (float64(b)+0.5)/float64(blocks)*2 - 1
		sw += w
		sx += w * x
		sy += w * mid
		sxx += w * x * x
		sxy += w * x * mid
	}
	det := sw*sxx - sx*sx
	if sw == 0 || det <= 0 {
		return 0, 0, false
	}
	return (sw*sxy - sx*sy) / det, (sxx*sy - sx*sxy) / det, true
}

// capitals is the height of the text in rows: how far from the middle line
// the energy stays above half of its level there.
func capitals(e []float64, cols, rows int, slope, base float64) float64 {
	profile := make([]float64, 2*rows)
	for x := range cols {
		mid := base + slope*((float64(x)+0.5)/float64(cols)*2-1)
		for y := range rows {
			if d := int(math.Floor(float64(y)+0.5-mid)) + rows; d >= 0 && d < len(profile) {
				profile[d] += e[y*cols+x]
			}
		}
	}
	var level float64
	for d := rows - 3; d < rows+3; d++ {
		level += profile[d] / 6
	}
	up, down := rows, rows
	for up > 0 && profile[up] > 0.5*level {
		up--
	}
	for down < len(profile)-1 && profile[down] > 0.5*level {
		down++
	}
	return float64(down - up - 1)
}

// edgeEnergy is the horizontal gradient, less its median so that paper
// counts nothing.
func edgeEnergy(px []byte, cols, rows int) []float64 {
	e := make([]float64, len(px))
	var hist [256]int
	for y := range rows {
		for x := 1; x+1 < cols; x++ {
			i := y*cols + x
			d := int(px[i+1]) - int(px[i-1])
			if d < 0 {
				d = -d
			}
			e[i] = float64(d)
			hist[d]++
		}
	}
	half, med := len(px)/2, 0
	for n := 0; med < 255; med++ {
		if n += hist[med]; n >= half {
			break
		}
	}
	for i := range e {
		e[i] = math.Max(0, e[i]-float64(med))
	}
	return e
}
