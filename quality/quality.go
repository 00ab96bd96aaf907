// Package quality measures how well a document or a face was captured.
//
// Photo looks at a whole photo, Document at the rectified document, Face at a
// face. Each returns Measures: a name, a value with its unit, and where in the
// picture the value comes from. Nothing here is good or bad: thresholds belong
// to the policy. docs/quality.md says for every measure what it is, which
// direction is better and where its default threshold comes from.
//
// Lengths on a document are millimetres wherever its size is known, so that the
// same blur measures the same at every resolution.
package quality

import (
	"image"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Measure is one measured property of a picture.
type Measure struct {
	Name    string       `json:"name"`
	Value   float64      `json:"value"`
	Unit    string       `json:"unit"`
	Regions []photo.Rect `json:"regions,omitempty"` // in pixels of the picture handed in
	// Quality is the value on the scale of ISO/IEC 29794-5, 0 worst to 100 best,
	// for measures of a face that the standard has.
	Quality *float64 `json:"quality,omitempty"`
}

// DocumentInfo is what is known about a rectified document.
type DocumentInfo struct {
	Quad          photo.Quad  // its corners in the photo
	PxPerMM       float64     // of the rectified picture; 0 when the size is unknown
	SourcePxPerMM float64     // what the photo itself resolves; 0 when unknown
	CutOff        []string    // sides that lie outside the photo: "top", "right", "bottom", "left"
	Class         string      // a document.Class
	MRZ           *photo.Rect // zones, in the rectified picture
	Portrait      *photo.Rect
	FrameWidth    int       // of the photo that Quad refers to; 0 when unknown
	FrameHeight   int       //
	Photo         *gocv.Mat // that photo, for what straightening destroys; may be nil
	WholeFrame    bool      // the photo is nothing but the document
	Scale         float64   // of that photo: decoded pixels per pixel of the file; 0 is 1
}

// FaceInfo is a detected face: its box and its points (right eye, left eye,
// nose, mouth centre, then optionally right ear, left ear), in pixels.
type FaceInfo struct {
	Box    photo.Rect
	Points []photo.Point
	Count  int     // faces in the picture; 0 when not counted
	Scale  float64 // of the picture: decoded pixels per pixel of the file; 0 is 1
}

// raster is a picture at working size, as slices.
type raster struct {
	w, h   int
	bgr    []byte
	luma   []byte  // Rec. 601
	scale  float64 // pixels of the picture handed in per pixel here
	colour gocv.Mat
	grey   gocv.Mat
	grid   []histogram // of gridX × gridY tiles, once they were asked for
}

// ops notes whether an operation of OpenCV failed. Its error says nothing that a
// measure could report: what can not be measured is left out.
type ops struct{ failed bool }

func (o *ops) do(err error) { o.failed = o.failed || err != nil }

func (o *ops) bytes(m gocv.Mat) []byte {
	b, err := m.DataPtrUint8()
	o.do(err)
	return b
}

// newRaster reduces m by scale (1 or more) and takes its luminance. It refuses what
// is no 8-bit BGR picture or too small to be measured.
func newRaster(m gocv.Mat, scale float64) (*raster, bool) {
	if m.Empty() || m.Type() != gocv.MatTypeCV8UC3 || m.Cols() < 16 || m.Rows() < 16 {
		return nil, false
	}
	r := &raster{grey: gocv.NewMat()}
	var o ops
	r.colour = reduced(m, scale, &o)
	o.do(gocv.CvtColor(r.colour, &r.grey, gocv.ColorBGRToGray))
	r.w, r.h = r.colour.Cols(), r.colour.Rows()
	r.bgr, r.luma = o.bytes(r.colour), o.bytes(r.grey)
	if o.failed {
		r.close()
		return nil, false
	}
	r.scale = float64(m.Cols()) / float64(r.w)
	return r, true
}

// reduced averages whole blocks and interpolates the rest, which is ten times
// faster than averaging fractions of pixels. The result may share m's pixels.
func reduced(m gocv.Mat, scale float64, o *ops) gocv.Mat {
	all := image.Rect(0, 0, m.Cols(), m.Rows())
	k := int(scale + 0.01)
	size := all.Size()
	if scale > 1.01 {
		size = image.Pt(max(16, int(float64(size.X)/scale+0.5)), max(16, int(float64(size.Y)/scale+0.5)))
	}
	if k > 1 && min(m.Cols(), m.Rows()) >= 16*k {
		whole := m.Region(image.Rect(0, 0, m.Cols()/k*k, m.Rows()/k*k))
		defer whole.Close()
		out := gocv.NewMat()
		o.do(gocv.Resize(whole, &out, image.Pt(m.Cols()/k, m.Rows()/k), 0, 0, gocv.InterpolationArea))
		if scale > 1.01*float64(k) {
			o.do(gocv.Resize(out, &out, size, 0, 0, gocv.InterpolationLinear))
		}
		return out
	}
	if size != all.Size() {
		out := gocv.NewMat()
		o.do(gocv.Resize(m, &out, size, 0, 0, gocv.InterpolationLinear))
		return out
	}
	if m.IsContinuous() {
		return m.Region(all)
	}
	return m.Clone()
}

func (r *raster) close() {
	r.colour.Close()
	r.grey.Close()
}

// rect converts a rectangle of the raster to pixels of the picture handed in.
func (r *raster) rect(x, y, w, h int) photo.Rect {
	s := r.scale
	return photo.Rect{X: float64(x) * s, Y: float64(y) * s, W: float64(w) * s, H: float64(h) * s}
}

// clip converts a rectangle of the picture handed in to one of the raster.
func (r *raster) clip(p photo.Rect) image.Rectangle {
	s := 1 / r.scale
	return photo.Rect{X: p.X * s, Y: p.Y * s, W: p.W * s, H: p.H * s}.Bounds(r.w, r.h)
}

// histogram counts the levels of a part of the luminance.
type histogram struct {
	count [256]int32
	n     int
}

// histogram of the luminance inside b.
func (r *raster) histogram(b image.Rectangle) *histogram {
	h := &histogram{}
	r.count(b, h)
	return h
}

func (r *raster) count(b image.Rectangle, h *histogram) {
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for _, v := range r.luma[y*r.w+b.Min.X : y*r.w+b.Max.X] {
			h.count[v]++
		}
	}
	h.n += b.Dx() * b.Dy()
}

// The tiles that tone, contrast and shadow share: 10 mm on a data page.
const gridX, gridY = 12, 8

// tiled returns the histograms of gridX × gridY tiles, row by row.
func (r *raster) tiled() []histogram {
	if r.grid == nil {
		r.grid = make([]histogram, gridX*gridY)
		for i, t := range r.tiles(gridX, gridY) {
			r.count(t, &r.grid[i])
		}
	}
	return r.grid
}

// whole is the histogram of the raster.
func (r *raster) whole() *histogram {
	sum := &histogram{}
	for i := range r.tiled() {
		g := &r.grid[i]
		for v := range g.count {
			sum.count[v] += g.count[v]
		}
		sum.n += g.n
	}
	return sum
}

// percentile of the levels, 0-255.
func (h *histogram) percentile(p float64) float64 {
	want, sum := int32(p*float64(h.n)), int32(0)
	for v := range h.count {
		if sum += h.count[v]; sum > want {
			return float64(v)
		}
	}
	return 255
}

// tiles divides the raster into nx × ny rectangles.
func (r *raster) tiles(nx, ny int) []image.Rectangle {
	out := make([]image.Rectangle, 0, nx*ny)
	for j := 0; j < ny; j++ {
		for i := 0; i < nx; i++ {
			out = append(out, image.Rect(i*r.w/nx, j*r.h/ny, (i+1)*r.w/nx, (j+1)*r.h/ny))
		}
	}
	return out
}
