package quality

import (
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// The picture in which ISO/IEC 29794-5 (and OFIQ, its reference implementation)
// looks at the background: 295 × 354 pixels with the eyes 68 pixels apart.
const (
	backW, backH = 295, 354
	backApart    = 68.0
	backEyesX    = 147.5
	backEyesY    = 163.0
)

// backgroundGradient is the mean magnitude of the luminance gradient (Scharr)
// beside and above the head. The standard takes what a segmentation calls
// background; here it is what lies outside of an ellipse around head and hair and
// above the shoulders. It returns false where too little of that is in the photo.
func backgroundGradient(m gocv.Mat, p []photo.Point) (float64, bool) {
	apart := p[0].Distance(p[1])
	if apart < 8 {
		return 0, false
	}
	k := apart / backApart // photo pixels per pixel here
	mid := photo.Point{X: (p[0].X + p[1].X) / 2, Y: (p[0].Y + p[1].Y) / 2}
	want := photo.Rect{X: mid.X - backEyesX*k, Y: mid.Y - backEyesY*k, W: backW * k, H: backH * k}
	b := want.Bounds(m.Cols(), m.Rows())
	w, h := int(float64(b.Dx())/k), int(float64(b.Dy())/k)
	if w < 32 || h < 32 {
		return 0, false
	}
	region := m.Region(b)
	defer region.Close()
	var o ops
	small := reduced(region, k, &o)
	defer func() { small.Close() }()
	if k < 1 {
		up := gocv.NewMat()
		o.do(gocv.Resize(small, &up, image.Pt(w, h), 0, 0, gocv.InterpolationLinear))
		small.Close()
		small = up
	}
	grey, dx, dy := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer grey.Close()
	defer dx.Close()
	defer dy.Close()
	o.do(gocv.CvtColor(small, &grey, gocv.ColorBGRToGray))
	o.do(gocv.Scharr(grey, &dx, gocv.MatTypeCV16S, 1, 0, 1, 0, gocv.BorderReplicate))
	o.do(gocv.Scharr(grey, &dy, gocv.MatTypeCV16S, 0, 1, 1, 0, gocv.BorderReplicate))
	px, err := dx.DataPtrInt16()
	o.do(err)
	py, err := dy.DataPtrInt16()
	if o.do(err); o.failed {
		return 0, false
	}
	w, h = grey.Cols(), grey.Rows()
	offX, offY := (float64(b.Min.X)-want.X)/k, (float64(b.Min.Y)-want.Y)/k
	sum, n := 0.0, 0
	for y := 1; y < h-1; y++ {
		at := float64(y) + offY
		if at > backEyesY+1.3*backApart { // neck and shoulders
			break
		}
		for x := 1; x < w-1; x++ {
			u, v := (float64(x)+offX-backEyesX)/(1.35*backApart), (at-backEyesY-0.2*backApart)/(1.9*backApart)
			if u*u+v*v < 1 {
				continue
			}
			gx, gy := float64(px[y*w+x]), float64(py[y*w+x])
			sum += math.Sqrt(gx*gx + gy*gy)
			n++
		}
	}
	if n < backW*backH/20 {
		return 0, false
	}
	return sum / float64(n), true
}

// NotMeasured is a measure of ISO/IEC 29794-5 that is not evaluated, and why.
type NotMeasured struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// FaceNotMeasured lists them: where a trained network would be needed, a guess
// would be worse than saying so.
var FaceNotMeasured = []NotMeasured{
	{"face.eyes_open", "needs the outline of the eyelids; the detectors give one point per eye"},
	{"face.mouth_closed", "needs the outline of the lips; the detectors give one point for the mouth"},
	{"face.eyes_visible", "needs a segmentation of glasses and hair"},
	{"face.mouth_occlusion", "needs a segmentation of what covers a face"},
	{"face.occlusion", "needs a segmentation of what covers a face"},
	{"face.expression", "needs a trained classifier"},
	{"face.head_coverings", "needs a segmentation of hair and clothes"},
	{"face.crown_chin", "needs the outline of the head; inter_eye_px bounds the size"},
}
