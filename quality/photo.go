package quality

import (
	"math"

	"gocv.io/x/gocv"
)

// workPhoto is the longer side at which a whole photo is measured, within a
// third: photos are reduced by whole factors.
const workPhoto = 900

// Photo measures a whole photo. It is for pictures in which nothing was found:
// blank ones, screenshots, rooms too dark. What counts is measured on the
// document and on the face.
func Photo(m gocv.Mat) []Measure {
	r, ok := newRaster(m, math.Max(1, math.Round(float64(max(m.Cols(), m.Rows()))/workPhoto)))
	if !ok {
		return nil
	}
	defer r.close()
	t := measureTone(r)
	var o ops
	mask, bright := r.burnt(&o)
	mask.Close()
	out := []Measure{
		{Name: "photo.blank", Value: round(flatness(r)), Unit: "share"},
		{Name: "photo.exposure_dark", Value: round(1 - t.p90/255), Unit: "share"},
		{Name: "photo.contrast", Value: round((t.p99 - t.p1) / math.Max(1, t.p99+t.p1)), Unit: "michelson"},
		{Name: "photo.screenshot", Value: round(repeated(r)), Unit: "share"},
	}
	if !o.failed {
		out = append(out, Measure{Name: "photo.exposure_bright", Value: round(bright), Unit: "share"})
	}
	if b, ok := measureBlur(r); ok {
		out = append(out, Measure{Name: "photo.sharpness", Value: round(resolved(b.sigma, float64(max(r.w, r.h)))), Unit: "cycles/frame"})
	}
	return out
}
