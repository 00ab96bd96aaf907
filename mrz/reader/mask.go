package reader

import (
	"image"
	"math"

	"gocv.io/x/gocv"
)

// sheet is the photo at one of the searched sizes as ink relative to the
// paper around it, which makes shadow and darkness indifferent.
type sheet struct {
	ink   gocv.Mat
	otsu  float64 // threshold between ink and paper
	scale float64 // sheet pixels per photo pixel
}

// sheetsOf makes the sheets of a photo; they serve all passes of a search.
func sheetsOf(grey gocv.Mat) ([]sheet, error) {
	var all []sheet
	for _, side := range searchSides {
		s, err := sheetOf(grey, float64(side)/float64(max(grey.Rows(), grey.Cols())))
		if err != nil {
			closeSheets(all)
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func closeSheets(all []sheet) {
	for i := range all {
		all[i].ink.Close()
	}
}

func sheetOf(grey gocv.Mat, scale float64) (sheet, error) {
	m, soft, paper, dummy := gocv.NewMat(), gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer m.Close()
	defer soft.Close()
	defer paper.Close()
	defer dummy.Close()
	stroke := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(7, 7))
	defer stroke.Close()
	method := gocv.InterpolationArea
	if scale > 1 {
		method = gocv.InterpolationCubic
	}
	size := image.Pt(max(16, int(float64(grey.Cols())*scale+0.5)), max(16, int(float64(grey.Rows())*scale+0.5)))
	if err := gocv.Resize(grey, &m, size, 0, 0, method); err != nil {
		return sheet{}, err
	}
	if err := gocv.GaussianBlur(m, &soft, image.Pt(3, 3), 0, 0, gocv.BorderReplicate); err != nil {
		return sheet{}, err
	}
	if err := gocv.MorphologyEx(soft, &paper, gocv.MorphClose, stroke); err != nil {
		return sheet{}, err
	}
	s := sheet{ink: gocv.NewMat(), scale: scale}
	if err := relativeInk(soft, paper, &s.ink); err != nil {
		s.ink.Close()
		return sheet{}, err
	}
	s.otsu = float64(gocv.Threshold(s.ink, &dummy, 0, 255, gocv.ThresholdBinary|gocv.ThresholdOtsu))
	return s, nil
}

// inkMask marks text: ink thresholded and joined along lines. The caller
// closes the mask, also after an error.
func inkMask(s sheet, how masking) (gocv.Mat, error) {
	mask := gocv.NewMat()
	join := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(closing, closing))
	clean := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(how.opening, how.opening))
	defer join.Close()
	defer clean.Close()
	gocv.Threshold(s.ink, &mask, float32(math.Min(math.Max(how.threshold*s.otsu, 12), 90)), 255, gocv.ThresholdBinary)
	err := gocv.MorphologyEx(mask, &mask, gocv.MorphClose, join)
	if err == nil {
		err = gocv.MorphologyEx(mask, &mask, gocv.MorphOpen, clean)
	}
	if err != nil {
		mask.Close()
		return gocv.Mat{}, err
	}
	return mask, nil
}

// relativeInk is 255·(paper−m)/(paper+16) per pixel.
func relativeInk(m, paper gocv.Mat, out *gocv.Mat) error {
	a, err := m.DataPtrUint8()
	if err != nil {
		return err
	}
	b, err := paper.DataPtrUint8()
	if err != nil {
		return err
	}
	r := make([]byte, len(a))
	for i := range r {
		r[i] = inkTable[b[i]][a[i]]
	}
	o, err := gocv.NewMatFromBytes(m.Rows(), m.Cols(), gocv.MatTypeCV8UC1, r)
	if err != nil {
		return err
	}
	defer o.Close()
	return o.CopyTo(out)
}

var inkTable = func() (t [256][256]byte) {
	for p := range 256 {
		for v := range p {
			t[p][v] = byte(255 * (p - v) / (p + 16))
		}
	}
	return t
}()
