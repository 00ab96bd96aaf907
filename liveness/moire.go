package liveness

import (
	"math"
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// moireSide is the side of the patch that is transformed, at the camera's own
// resolution, since scaling would move or remove the frequencies looked for.
const moireSide = 256

// moire looks for isolated peaks in the spectrum of the patch around the face.
//
// Natural images have spectra that fall smoothly with frequency; per radius,
// the distribution of log magnitudes is narrow (Ruderman 1994). A grid adds
// peaks far above their radius' median. Frequencies near the axes and at
// multiples of 1/8 cycle per pixel are left out: edges of upright things and
// JPEG blocks live there.
func moire(bgr gocv.Mat, box photo.Rect) (Signal, error) {
	s := Signal{Name: SignalMoire, Unit: "dB"}
	c := box.Centre()
	b := photo.Rect{X: c.X - moireSide/2, Y: c.Y - moireSide/2, W: moireSide, H: moireSide}
	b.X = math.Round(math.Max(0, math.Min(b.X, float64(bgr.Cols()-moireSide))))
	b.Y = math.Round(math.Max(0, math.Min(b.Y, float64(bgr.Rows()-moireSide))))
	r := b.Bounds(bgr.Cols(), bgr.Rows())
	if r.Dx() != moireSide || r.Dy() != moireSide {
		s.Skipped = InconclusiveFaceSmall
		return s, nil
	}
	patch := bgr.Region(r)
	defer patch.Close()
	grey, spectrum := gocv.NewMat(), gocv.NewMat()
	defer grey.Close()
	defer spectrum.Close()
	if err := gocv.CvtColor(patch, &grey, gocv.ColorBGRToGray); err != nil {
		return s, err
	}
	f := gocv.NewMat()
	defer f.Close()
	if err := grey.ConvertTo(&f, gocv.MatTypeCV32F); err != nil {
		return s, err
	}
	px, err := f.DataPtrFloat32()
	if err != nil {
		return s, err
	}
	window(px)
	if err := gocv.DFT(f, &spectrum, gocv.DftComplexOutput); err != nil {
		return s, err
	}
	z, err := spectrum.DataPtrFloat32()
	if err != nil {
		return s, err
	}
	s.Value = strongestPeak(z)
	region := photo.FromImage(r)
	s.Region = &region
	return s, nil
}

// window removes the mean and applies a Hann window, so that the patch's edges
// do not leak into every frequency.
func window(px []float32) {
	var sum float64
	for _, v := range px {
		sum += float64(v)
	}
	mean := float32(sum / float64(len(px)))
	var hann [moireSide]float32
	for i := range hann {
		hann[i] = float32(0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/moireSide))
	}
	for i := range px {
		px[i] = (px[i] - mean) * hann[i%moireSide] * hann[i/moireSide]
	}
}

// strongestPeak is the largest log magnitude above the median of its radius,
// in dB, over the upper half plane of an interleaved complex spectrum.
func strongestPeak(z []float32) float64 {
	const (
		lowest, highest = 24, 120 // 0.09 to 0.47 cycles per pixel
		axis            = 6       // half width of the strip along the axes
		blocks          = 2       // half width around multiples of 1/8 cycle
	)
	type bin struct {
		radius, x, y int
		db           float64
	}
	var bins []bin
	byRadius := make([][]float64, highest+1)
	for y := -moireSide / 2; y < moireSide/2; y++ {
		for x := 0; x < moireSide/2; x++ {
			r := int(math.Hypot(float64(x), float64(y)))
			if r < lowest || r > highest || x <= axis || abs(y) <= axis {
				continue
			}
			i := 2 * (((y+moireSide)%moireSide)*moireSide + x)
			power := float64(z[i])*float64(z[i]) + float64(z[i+1])*float64(z[i+1])
			// Quantisation and sensor noise floor the spectrum: without a floor
			// an even patch would show peaks of nothing.
			db := 10 * math.Log10(power+1e3)
			byRadius[r] = append(byRadius[r], db)
			if nearMultiple(x, moireSide/8, blocks) && nearMultiple(y, moireSide/8, blocks) {
				continue
			}
			bins = append(bins, bin{r, x, y, db})
		}
	}
	median := make([]float64, len(byRadius))
	for r, v := range byRadius {
		if len(v) > 0 {
			slices.Sort(v)
			median[r] = v[len(v)/2]
		}
	}
	var best float64
	for _, b := range bins {
		best = math.Max(best, b.db-median[b.radius])
	}
	return best
}

func nearMultiple(v, of, within int) bool {
	m := ((v % of) + of) % of
	return m <= within || m >= of-within
}

func abs(v int) int {
	if v < 0 {
		return -v
	}
	return v
}
