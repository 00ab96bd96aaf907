package face

import (
	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/photo"
)

// OnSheet returns the upright faces on a straightened document, largest first,
// at a tenth of the cost of Detect. A portrait on a document is large and on one
// half of it: the near network looks at the two halves, as squares of the sheet's
// shorter side, and is done at the first certain face. Only without one do all
// networks look at the whole. Boxes are good to about a tenth of their width,
// which suffices to say where the portrait is and which way up.
func (e *Engine) OnSheet(m gocv.Mat) ([]Face, error) {
	bgr, ok := dnn.BGR(m)
	if !ok {
		return nil, nil
	}
	defer bgr.Close()
	w, h := float64(m.Cols()), float64(m.Rows())
	side := min(w, h)
	if side < minSide {
		return nil, nil
	}
	var found []Face
	for _, at := range []photo.Rect{{W: side, H: side}, {X: w - side, Y: h - side, W: side, H: side}} {
		fs, err := e.close.detect(bgr, at, MinScore)
		if err != nil {
			return nil, err
		}
		if found = distinct(append(found, fs...)); certain(found) {
			largestFirst(found)
			return found, nil
		}
	}
	fs, err := e.detector.detect(bgr, photo.Rect{W: w, H: h}, MinScore)
	if err != nil {
		return nil, err
	}
	found = distinct(append(found, fs...))
	var kept []Face
	for _, f := range found {
		if f.Score < unconfirmed {
			if f, err = e.refine(bgr, f); err != nil {
				return nil, err
			}
		}
		if f.Score >= MinScore {
			kept = append(kept, f)
		}
	}
	kept = distinct(kept)
	largestFirst(kept)
	return kept, nil
}

func certain(fs []Face) bool {
	for _, f := range fs {
		if f.Score >= unconfirmed {
			return true
		}
	}
	return false
}
