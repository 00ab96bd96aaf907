package liveness

import (
	"image"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

const (
	// fitted is the misfit below which a picture has been quantised at a quality;
	// between 0.24 and 0.5 where it was, about 1 where it was not.
	fitted = 0.55
	// The qualities of libjpeg that are looked for, and how far below the last
	// one an older one can be told from it.
	finest, coarsest, apart = 98, 40, 6
	// maxBlocks bounds the work, minValues is what a misfit needs to mean anything.
	maxBlocks, minValues = 400, 200
)

// frequencies are the nine lowest of a block after its mean, with their steps in
// the luminance table of JPEG (ITU-T T.81, Annex K), which libjpeg scales by
// quality.
var frequencies = [9]struct {
	u, v int
	step float64
}{{1, 0, 11}, {0, 1, 12}, {0, 2, 14}, {1, 1, 12}, {2, 0, 10}, {3, 0, 16}, {2, 1, 14}, {1, 2, 13}, {0, 3, 14}}

// cosines is the basis of the DCT with its weights (ITU-T T.81, A.3.3).
var cosines = func() (c [8][8]float64) {
	for u := range 8 {
		k := 0.5
		if u == 0 {
			k = 0.5 / math.Sqrt2
		}
		for i := range 8 {
			c[u][i] = k * math.Cos(float64(2*i+1)*float64(u)*math.Pi/16)
		}
	}
	return c
}()

// recompressed looks in the face for a coarser compression under the last one
// (Farid, "Exposing digital forgeries from JPEG ghosts", 2009): what was
// quantised twice still lies near the multiples of the first, coarser steps.
func recompressed(bgr gocv.Mat, box photo.Rect) (Signal, error) {
	s := Signal{Name: SignalRecompressed, Unit: "ratio"}
	c, err := coefficients(bgr, box)
	if err != nil {
		return s, err
	}
	var at [finest + 1]float64
	for q := coarsest; q <= finest; q++ {
		at[q] = c.misfit(q)
	}
	for last := finest; last >= coarsest+apart; last-- {
		if at[last] < fitted && at[last] <= at[last-1] {
			s.Value = 1 - min(1, slices.Min(at[coarsest:last-apart+1]))
			return s, nil
		}
	}
	s.Skipped = SkippedNoGrid
	return s, nil
}

// blocks holds the low frequencies of blocks of JPEG's grid.
type blocks [len(frequencies)][]float64

func coefficients(bgr gocv.Mat, box photo.Rect) (blocks, error) {
	var out blocks
	b := box.Bounds(bgr.Cols(), bgr.Rows())
	b = image.Rect((b.Min.X+7)&^7, (b.Min.Y+7)&^7, b.Max.X&^7, b.Max.Y&^7)
	if b.Empty() {
		return out, nil
	}
	face, grey := bgr.Region(b), gocv.NewMat()
	defer face.Close()
	defer grey.Close()
	if err := gocv.CvtColor(face, &grey, gocv.ColorBGRToGray); err != nil {
		return out, err
	}
	px, across, down := grey.ToBytes(), b.Dx()/8, b.Dy()/8
	stride := across*down/maxBlocks + 1
	for n := 0; n < across*down; n += stride {
		corner := n/across*8*b.Dx() + n%across*8
		for k, f := range frequencies {
			var sum float64
			for j := range 8 {
				for i, v := range px[corner+j*b.Dx() : corner+j*b.Dx()+8] {
					sum += float64(v) * cosines[f.u][i] * cosines[f.v][j]
				}
			}
			out[k] = append(out[k], sum)
		}
	}
	return out, nil
}

// misfit is how far the values lie from the multiples of a quality's steps: 0 on
// them, about 1 where they know nothing of it. Values that round to 0 say
// nothing.
func (b blocks) misfit(quality int) float64 {
	scale := 200 - 2*float64(quality)
	if quality < 50 {
		scale = 5000 / float64(quality)
	}
	var sum float64
	n := 0
	for k, f := range frequencies {
		step := math.Max(1, math.Floor((f.step*scale+50)/100))
		for _, v := range b[k] {
			if math.Abs(v) >= step/2 {
				sum += math.Abs(v-step*math.Round(v/step)) / (step / 4)
				n++
			}
		}
	}
	if n < minValues {
		return 1
	}
	return sum / float64(n)
}
