package dnn

import (
	"errors"
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

// BGR returns m as 8-bit BGR for networks to look at. The result is a Mat of
// its own that the caller closes, also when m is BGR already (it shares the
// pixels then). ok is false for an empty Mat and for depths other than 8 bit.
func BGR(m gocv.Mat) (out gocv.Mat, ok bool) {
	if m.Ptr() == nil || m.Empty() || m.Rows() < 1 || m.Cols() < 1 {
		return gocv.Mat{}, false
	}
	var code gocv.ColorConversionCode
	switch m.Type() {
	case gocv.MatTypeCV8UC3:
		return m.Region(image.Rect(0, 0, m.Cols(), m.Rows())), true
	case gocv.MatTypeCV8UC1:
		code = gocv.ColorGrayToBGR
	case gocv.MatTypeCV8UC4:
		code = gocv.ColorBGRAToBGR
	default:
		return gocv.Mat{}, false
	}
	out = gocv.NewMat()
	if err := gocv.CvtColor(m, &out, code); err != nil {
		out.Close()
		return gocv.Mat{}, false
	}
	return out, true
}

// Cut returns the rectangle r of m scaled to w×h pixels. What lies outside of
// m is black. Shrinking averages areas, so that patterns finer than the result
// do not alias.
func Cut(m gocv.Mat, r photo.Rect, w, h int) (gocv.Mat, error) {
	if w < 1 || h < 1 || !(r.W > 0) || !(r.H > 0) || math.IsInf(r.W, 0) || math.IsInf(r.H, 0) {
		return gocv.Mat{}, errors.New("cut of an empty rectangle")
	}
	out := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(0, 0, 0, 0), h, w, m.Type())
	inside := r.Bounds(m.Cols(), m.Rows())
	if inside.Empty() {
		return out, nil
	}
	sx, sy := float64(w)/r.W, float64(h)/r.H
	at := func(v, origin, scale float64, limit int) int {
		return int(math.Max(0, math.Min(float64(limit), math.Round((v-origin)*scale))))
	}
	target := image.Rect(
		at(float64(inside.Min.X), r.X, sx, w), at(float64(inside.Min.Y), r.Y, sy, h),
		at(float64(inside.Max.X), r.X, sx, w), at(float64(inside.Max.Y), r.Y, sy, h))
	if target.Empty() {
		return out, nil
	}
	src := m.Region(inside)
	defer src.Close()
	dst := out.Region(target)
	defer dst.Close()
	how := gocv.InterpolationLinear
	if sx < 1 && sy < 1 {
		how = gocv.InterpolationArea
	}
	if err := gocv.Resize(src, &dst, target.Size(), 0, 0, how); err != nil {
		out.Close()
		return gocv.Mat{}, err
	}
	return out, nil
}

// Prepare says how pixels become a network's input: value p of channel c
// enters as (p − Mean[c]) × Scale, in the order RGB instead of BGR when RGB is
// set (Mean follows that order).
type Prepare struct {
	Mean  [3]float32
	Scale float32
	RGB   bool
}

// PrepareFor reads it from a model's input contract.
func PrepareFor(in models.Input) Prepare {
	p := Prepare{Scale: float32(in.Scale), RGB: in.Channels == "RGB"}
	for c := range p.Mean {
		p.Mean[c] = float32(in.Mean[c])
	}
	return p
}

var errNotBGR = errors.New("not an 8-bit BGR image")

// NHWC turns an 8-bit BGR image into an input of shape 1×height×width×3.
func (p Prepare) NHWC(m gocv.Mat) (Tensor, error) {
	t, px, err := p.tensor(m, []int{1, m.Rows(), m.Cols(), 3})
	if err != nil {
		return t, err
	}
	order := [3]int{0, 1, 2}
	if p.RGB {
		order = [3]int{2, 1, 0}
	}
	for i := 0; i+2 < len(px); i += 3 {
		for c, from := range order {
			t.Data[i+c] = (float32(px[i+from]) - p.Mean[c]) * p.Scale
		}
	}
	return t, nil
}

// NCHW turns an 8-bit BGR image into an input of shape 1×3×height×width.
func (p Prepare) NCHW(m gocv.Mat) (Tensor, error) {
	t, px, err := p.tensor(m, []int{1, 3, m.Rows(), m.Cols()})
	if err != nil {
		return t, err
	}
	plane := len(px) / 3
	for c := range 3 {
		from := c
		if p.RGB {
			from = 2 - c
		}
		dst := t.Data[c*plane : (c+1)*plane]
		for i := range dst {
			dst[i] = (float32(px[3*i+from]) - p.Mean[c]) * p.Scale
		}
	}
	return t, nil
}

func (p Prepare) tensor(m gocv.Mat, shape []int) (Tensor, []byte, error) {
	if m.Ptr() == nil || m.Empty() || m.Type() != gocv.MatTypeCV8UC3 {
		return Tensor{}, nil, errNotBGR
	}
	px := m.ToBytes()
	if len(px) != m.Rows()*m.Cols()*3 {
		return Tensor{}, nil, errNotBGR
	}
	return Tensor{Shape: shape, Data: make([]float32, len(px))}, px, nil
}
