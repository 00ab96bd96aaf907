package quality

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Face measures a face. Names and definitions follow ISO/IEC 29794-5 where its
// measure needs no trained model; head pose is derived from the points alone
// and coarse.
func Face(m gocv.Mat, f FaceInfo) []Measure {
	var out []Measure
	add := func(name string, v float64, unit string) {
		out = append(out, Measure{Name: "face." + name, Value: round(v), Unit: unit, Regions: []photo.Rect{f.Box}, Quality: component(name, v)})
	}
	if f.Count > 0 {
		add("count", float64(f.Count), "faces")
	}
	var apart float64
	if len(f.Points) >= 2 {
		apart = f.Points[0].Distance(f.Points[1])
		px := apart
		if f.Scale > 0 {
			px /= f.Scale
		}
		add("inter_eye_px", px, "px")
		d := f.Points[1].Sub(f.Points[0])
		if d.X < 0 {
			d.X, d.Y = -d.X, -d.Y
		}
		add("pose_roll", math.Atan2(d.Y, d.X)*180/math.Pi, "degrees")
	}
	if len(f.Points) >= 3 && apart > 0 {
		add("pose_yaw", yaw(f.Points, apart), "degrees")
		if v, ok := pitch(f.Points, apart); ok {
			add("pose_pitch", v, "degrees")
		}
	}

	if len(f.Points) >= 2 && m.Type() == gocv.MatTypeCV8UC3 {
		if v, ok := backgroundGradient(m, f.Points); ok {
			add("background_uniformity", v, "gradient")
		}
	}

	b := f.Box.Bounds(m.Cols(), m.Rows())
	if b.Dx() < 24 || b.Dy() < 24 {
		return out
	}
	region := m.Region(b)
	defer region.Close()
	// A face of 256 px across shows all that the measures need.
	r, ok := newRaster(region, float64(b.Dx())/256)
	if !ok {
		return out
	}
	defer r.close()
	if apart > 0 {
		if b, ok := measureBlur(r); ok {
			add("sharpness", resolved(b.sigma, apart/r.scale), "cycles/inter-eye")
		}
	}
	inner := image.Rect(r.w/8, r.h/8, r.w*7/8, r.h*7/8)
	h := r.histogram(inner)
	under, over := int32(0), int32(0)
	for v, n := range h.count {
		if v <= 25 {
			under += n
		}
		if v >= 247 {
			over += n
		}
	}
	add("under_exposure", float64(under)/math.Max(1, float64(h.n)), "share")
	add("over_exposure", float64(over)/math.Max(1, float64(h.n)), "share")
	if v, ok := uniformity(r, f, b); ok {
		add("illumination_uniformity", v, "share")
	}
	return out
}

// noseDepth is how far the tip of the nose stands before the plane of the eyes,
// in units of the distance between the eyes (anthropometric means: 35 mm of 63).
const noseDepth = 0.55

// yaw turns the sideways offset of the nose from the middle of the eyes, along
// the line through the eyes, into an angle. Positive: towards the left eye's
// side of the picture.
func yaw(p []photo.Point, apart float64) float64 {
	ex, ey := (p[1].X-p[0].X)/apart, (p[1].Y-p[0].Y)/apart
	mid := photo.Point{X: (p[0].X + p[1].X) / 2, Y: (p[0].Y + p[1].Y) / 2}
	off := ((p[2].X-mid.X)*ex + (p[2].Y-mid.Y)*ey) / apart
	// apart shrinks by cos(yaw) while the nose moves by depth·sin(yaw).
	return math.Atan(off/noseDepth) * 180 / math.Pi
}

// pitch is how far the nose tip stands along the way from the eyes to the
// mouth, as an angle: on frontal faces at 0.52 of it (the template of ArcFace
// has 0.49, detectors' own points lie a little lower), and 0.011 further for
// every degree downward. Positive: looking down. Faces differ by more than ten
// degrees in this.
func pitch(p []photo.Point, apart float64) (float64, bool) {
	if len(p) < 4 {
		return 0, false
	}
	nx, ny := -(p[1].Y-p[0].Y)/apart, (p[1].X-p[0].X)/apart
	mid := photo.Point{X: (p[0].X + p[1].X) / 2, Y: (p[0].Y + p[1].Y) / 2}
	down := func(q photo.Point) float64 { return math.Abs((q.X-mid.X)*nx + (q.Y-mid.Y)*ny) }
	mouth := down(p[3])
	if mouth < 0.2*apart {
		return 0, false
	}
	return math.Max(-90, math.Min(90, (down(p[2])/mouth-0.52)/0.011)), true
}

// uniformity is the overlap of the luminance histograms of the two cheeks (ISO
// /IEC 29794-5, illumination uniformity): 1 when both are lit alike. It returns
// false where one of them is not in the picture.
func uniformity(r *raster, f FaceInfo, b image.Rectangle) (float64, bool) {
	left := image.Rect(r.w/6, r.h*45/100, r.w*42/100, r.h*75/100)
	right := image.Rect(r.w*58/100, r.h*45/100, r.w*5/6, r.h*75/100)
	if len(f.Points) >= 4 {
		// A square below each eye, beside the nose: side 0.3 of the distance
		// between the eyes, centred on the cheek.
		s := f.Points[0].Distance(f.Points[1]) * 0.3
		cheek := func(eye photo.Point) image.Rectangle {
			c := photo.Point{X: eye.X, Y: (eye.Y + f.Points[3].Y) / 2}
			return r.clip(photo.Rect{X: c.X - s/2 - float64(b.Min.X), Y: c.Y - s/2 - float64(b.Min.Y), W: s, H: s})
		}
		left, right = cheek(f.Points[0]), cheek(f.Points[1])
	}
	hl, hr := r.histogram(left), r.histogram(right)
	if hl.n < 16 || hr.n < 16 {
		return 0, false
	}
	sum := 0.0
	for i := 0; i < 256; i += 8 { // bins of 8 levels
		a, c := int32(0), int32(0)
		for j := i; j < i+8; j++ {
			a, c = a+hl.count[j], c+hr.count[j]
		}
		sum += math.Min(float64(a)/float64(hl.n), float64(c)/float64(hr.n))
	}
	return sum, true
}
