package reader

import (
	"image"
	"math"

	"gocv.io/x/gocv"
)

// inkMask marks text: ink relative to the paper around it (which makes shadow
// and darkness indifferent), thresholded, joined along lines.
func inkMask(m gocv.Mat, how masking) (gocv.Mat, error) {
	soft, paper, ink := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer soft.Close()
	defer paper.Close()
	defer ink.Close()
	mask := gocv.NewMat()
	stroke := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(7, 7))
	join := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(closing, closing))
	clean := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(how.opening, how.opening))
	defer stroke.Close()
	defer join.Close()
	defer clean.Close()
	if err := gocv.GaussianBlur(m, &soft, image.Pt(3, 3), 0, 0, gocv.BorderReplicate); err != nil {
		return mask, err
	}
	if err := gocv.MorphologyEx(soft, &paper, gocv.MorphClose, stroke); err != nil {
		return mask, err
	}
	if err := relativeInk(soft, paper, &ink); err != nil {
		return mask, err
	}
	dummy := gocv.NewMat()
	defer dummy.Close()
	otsu := float64(gocv.Threshold(ink, &dummy, 0, 255, gocv.ThresholdBinary|gocv.ThresholdOtsu))
	gocv.Threshold(ink, &mask, float32(math.Min(math.Max(how.threshold*otsu, 12), 90)), 255, gocv.ThresholdBinary)
	if err := gocv.MorphologyEx(mask, &mask, gocv.MorphClose, join); err != nil {
		return mask, err
	}
	return mask, gocv.MorphologyEx(mask, &mask, gocv.MorphOpen, clean)
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
