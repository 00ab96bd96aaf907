package face

import (
	"fmt"

	"gocv.io/x/gocv"
)

// embedPortrait describes the face of a printed portrait: the mean of the
// embedding of the face as it is and of one treated for what print and capture
// do to it. A small portrait is enlarged by cubic interpolation in align. The
// second network sees the face as it is: the treatment makes it worse.
func (e *Engine) embedPortrait(bgr gocv.Mat, f Face) (Embedding, float64, error) {
	v, length, err := e.portraitByFirst(bgr, f)
	if err != nil {
		return nil, 0, err
	}
	v, err = e.join(bgr, f, v)
	return v, length, err
}

func (e *Engine) portraitByFirst(bgr gocv.Mat, f Face) (Embedding, float64, error) {
	aligned, ok, err := arcFrame.align(bgr, f)
	if err != nil || !ok {
		return nil, 0, err
	}
	defer aligned.Close()
	plain, length, err := e.embedAligned(aligned)
	if err != nil || plain == nil || e.opts.Quick {
		return plain, length, err
	}
	treated, err := unprint(aligned)
	if err != nil {
		return nil, 0, fmt.Errorf("treat portrait: %w", err)
	}
	defer treated.Close()
	other, _, err := e.embedAligned(treated)
	if err != nil || other == nil {
		return plain, length, err
	}
	return mean([]Embedding{plain, other}), length, nil
}

// unprint removes fine lines, raster and noise from an aligned portrait by
// non-local means (Buades et al., CVPR 2005; strength 4 of 255 leaves features
// alone) and stretches the washed-out tones of print to the full range. The
// caller closes the result.
func unprint(aligned gocv.Mat) (gocv.Mat, error) {
	clean := gocv.NewMat()
	defer clean.Close()
	if err := gocv.FastNlMeansDenoisingColoredWithParams(aligned, &clean, 4, 4, 5, 11); err != nil {
		return gocv.Mat{}, err
	}
	low, high := tones(clean.ToBytes())
	gain := 225 / float64(max(high-low, 20))
	out := gocv.NewMat()
	if err := clean.ConvertToWithParams(&out, gocv.MatTypeCV8UC3, float32(gain), float32(15-float64(low)*gain)); err != nil {
		out.Close()
		return gocv.Mat{}, err
	}
	return out, nil
}

// tones are the luminances that 1 % of BGR pixels lie below and above.
func tones(bgr []byte) (low, high int) {
	var count [256]int
	for i := 0; i+2 < len(bgr); i += 3 {
		count[(29*int(bgr[i])+150*int(bgr[i+1])+77*int(bgr[i+2]))>>8]++
	}
	tail := len(bgr) / 3 / 100
	for n := 0; low < 255; low++ {
		if n += count[low]; n > tail {
			break
		}
	}
	high = 255
	for n := 0; high > 0; high-- {
		if n += count[high]; n > tail {
			break
		}
	}
	return low, high
}
