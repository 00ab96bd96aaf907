package quality

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// workPxPerMM is the resolution at which documents are measured: 8 px/mm
// (203 dpi) shows 4 cycles per millimetre, more than OCR-B at its size 1 needs
// (strokes of 0.3 mm, Doc 9303-3 part 4.2).
const workPxPerMM = 8.0

// Document measures a rectified document. Measures that need something d does
// not hold (a zone, a known size, the photo) are left out rather than guessed.
func Document(doc gocv.Mat, d DocumentInfo) []Measure {
	scale := float64(doc.Cols()) / 1000
	if d.PxPerMM > 0 {
		scale = d.PxPerMM / workPxPerMM
	}
	r, ok := newRaster(doc, scale)
	if !ok {
		return nil
	}
	defer r.close()
	var out []Measure
	add := func(name string, v float64, unit string, regions ...photo.Rect) {
		out = append(out, Measure{Name: "document." + name, Value: round(v), Unit: unit, Regions: regions})
	}

	perMM := d.PxPerMM / r.scale
	if d.PxPerMM <= 0 {
		perMM = float64(r.w) / 125
	}
	if b, ok := measureBlur(r); ok {
		add("sharpness", resolved(b.sigma, perMM), "cycles/mm", r.rects(b.blurry)...)
		if b.edges > 0 {
			add("motion", b.ratio, "ratio", r.rects(b.blurry)...)
		}
	}

	t := measureTone(r)
	add("exposure_dark", 1-t.p90/255, "share")
	if spots, mask, bright, ok := findGlare(r); ok {
		var boxes []photo.Rect
		area := 0
		for _, s := range spots {
			area += s.area
			boxes = append(boxes, r.rect(s.box.Min.X, s.box.Min.Y, s.box.Dx(), s.box.Dy()))
		}
		share := float64(area) / float64(r.w*r.h)
		add("glare_area", share, "share", boxes...)
		if z := mrzZone(doc, d); z != nil {
			add("glare_mrz", covered(mask, r.clip(*z)), "share", *z)
		}
		if p := portraitZone(doc, d); p != nil {
			add("glare_portrait", covered(mask, r.clip(*p)), "share", *p)
		}
		mask.Close()
		add("exposure_bright", math.Max(0, bright-share), "share")
	}
	add("contrast", localContrast(r), "michelson")
	sh, where := shadow(r)
	add("shadow", sh, "share", r.rects(where)...)
	add("saturation", chroma(r), "share")
	if v, ok := screenPattern(d); ok { // it lies over all of the document
		add("screen_pattern", v, "dB", photo.Rect{W: float64(doc.Cols()), H: float64(doc.Rows())})
	}
	if d.SourcePxPerMM > 0 {
		dpi := d.SourcePxPerMM * 25.4
		if d.Scale > 0 {
			dpi /= d.Scale
		}
		add("resolution_dpi", dpi, "dpi")
	}
	add("cut_off", float64(len(d.CutOff)), "sides", sideRects(doc, d.CutOff)...)
	if d.FrameWidth > 0 && d.PxPerMM > 0 {
		if a, ok := tilt(d.Quad, float64(d.FrameWidth), float64(d.FrameHeight)); ok {
			add("perspective_deg", a, "degrees")
		}
	}
	if v, where, ok := occlusion(doc, d); ok {
		add("occlusion", v, "mm", where...)
	}
	if v, ok := compression(d); ok {
		add("compression", v, "levels")
	}
	return out
}

// round keeps six significant digits: measures go into findings whose hash must
// not depend on the last bits of a float.
func round(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	p := math.Pow(10, 6-math.Ceil(math.Log10(math.Abs(v))))
	return math.Round(v*p) / p
}

// mrzZone is the zone that was found, or where the class has it: the lowest
// 23.2 mm of a data page (Doc 9303-4, 4.2.2), the same on ID-2 and visas.
func mrzZone(doc gocv.Mat, d DocumentInfo) *photo.Rect {
	if d.MRZ != nil {
		return d.MRZ
	}
	switch d.Class {
	case "passport_page", "id2", "visa", "id1_back":
	default:
		return nil
	}
	if d.PxPerMM <= 0 {
		return nil
	}
	w, h, z := float64(doc.Cols()), float64(doc.Rows()), 23.2*d.PxPerMM
	return &photo.Rect{X: 0.03 * w, Y: h - z, W: 0.94 * w, H: 0.8 * z}
}

// portraitZone is the portrait that was found, or where the class has it: at the
// left edge (Doc 9303-4, 9303-5, 9303-6 and 9303-7: zone V), beside the middle of
// the visual zone. Under a strong reflection nothing of a portrait is left to find.
func portraitZone(doc gocv.Mat, d DocumentInfo) *photo.Rect {
	if d.Portrait != nil {
		return d.Portrait
	}
	switch d.Class {
	case "passport_page", "id2", "visa":
	default:
		return nil
	}
	if d.PxPerMM <= 0 {
		return nil
	}
	w, h := float64(doc.Cols()), float64(doc.Rows())
	return &photo.Rect{X: 0.04 * w, Y: 0.2 * h, W: 0.27 * w, H: 0.46 * h}
}

// covered is the share of b that mask covers.
func covered(mask gocv.Mat, b image.Rectangle) float64 {
	if b.Empty() {
		return 0
	}
	region := mask.Region(b)
	defer region.Close()
	return float64(gocv.CountNonZero(region)) / float64(b.Dx()*b.Dy())
}

func sideRects(doc gocv.Mat, sides []string) []photo.Rect {
	w, h := float64(doc.Cols()), float64(doc.Rows())
	var out []photo.Rect
	for _, s := range sides {
		switch s {
		case "top":
			out = append(out, photo.Rect{W: w, H: 0.06 * h})
		case "bottom":
			out = append(out, photo.Rect{Y: 0.94 * h, W: w, H: 0.06 * h})
		case "left":
			out = append(out, photo.Rect{W: 0.06 * w, H: h})
		case "right":
			out = append(out, photo.Rect{X: 0.94 * w, W: 0.06 * w, H: h})
		}
	}
	return out
}

// tilt is the angle between the sheet's normal and the line of sight to its
// middle, with the focal length of a phone's main camera (about 26 mm on a
// 36 mm frame) and the lens looking at the middle of the frame.
func tilt(q photo.Quad, w, h float64) (float64, bool) {
	f := 0.72 * math.Max(w, h)
	var p photo.Quad
	for i := range q {
		p[i] = photo.Point{X: (q[i].X - w/2) / f, Y: (q[i].Y - h/2) / f}
	}
	// Columns of the homography from the unit square (Heckbert 1989) are the
	// sheet's sides in space.
	sx, sy := p[0].X-p[1].X+p[2].X-p[3].X, p[0].Y-p[1].Y+p[2].Y-p[3].Y
	dx1, dx2, dy1, dy2 := p[1].X-p[2].X, p[3].X-p[2].X, p[1].Y-p[2].Y, p[3].Y-p[2].Y
	det := dx1*dy2 - dx2*dy1
	if math.Abs(det) < 1e-12 {
		return 0, false
	}
	g, k := (sx*dy2-dx2*sy)/det, (dx1*sy-sx*dy1)/det
	a := [3]float64{p[1].X - p[0].X + g*p[1].X, p[1].Y - p[0].Y + g*p[1].Y, g}
	b := [3]float64{p[3].X - p[0].X + k*p[3].X, p[3].Y - p[0].Y + k*p[3].Y, k}
	n := [3]float64{a[1]*b[2] - a[2]*b[1], a[2]*b[0] - a[0]*b[2], a[0]*b[1] - a[1]*b[0]}
	c := photo.Point{X: (p[0].X + p[1].X + p[2].X + p[3].X) / 4, Y: (p[0].Y + p[1].Y + p[2].Y + p[3].Y) / 4}
	ln := math.Sqrt(n[0]*n[0]+n[1]*n[1]+n[2]*n[2]) * math.Sqrt(c.X*c.X+c.Y*c.Y+1)
	if ln < 1e-12 {
		return 0, false
	}
	return math.Acos(math.Min(1, math.Abs(n[0]*c.X+n[1]*c.Y+n[2])/ln)) * 180 / math.Pi, true
}

// compression measures the blocks of JPEG in the photo itself, on the document.
func compression(d DocumentInfo) (float64, bool) {
	if d.Photo == nil || d.Photo.Empty() {
		return 0, false
	}
	b := d.Quad.Bounds().Bounds(d.Photo.Cols(), d.Photo.Rows())
	// The middle of a large one says as much as all of it.
	if b.Dx() > 768 {
		c := (b.Min.X + b.Max.X) / 2
		b.Min.X, b.Max.X = c-384, c+384
	}
	if b.Dy() > 512 {
		c := (b.Min.Y + b.Max.Y) / 2
		b.Min.Y, b.Max.Y = c-256, c+256
	}
	period := 8
	if d.Scale > 0 {
		period = int(math.Round(8 * d.Scale)) // blocks shrink as the photo does
	}
	if b.Dx() < 64 || b.Dy() < 64 || period < 4 {
		return 0, false
	}
	region := d.Photo.Region(b)
	defer region.Close()
	grey := gocv.NewMat()
	defer grey.Close()
	var o ops
	o.do(gocv.CvtColor(region, &grey, gocv.ColorBGRToGray))
	p := o.bytes(grey)
	if o.failed {
		return 0, false
	}
	return blockiness(p, b.Dx(), b.Dy(), period), true
}
