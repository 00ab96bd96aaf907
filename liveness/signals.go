package liveness

import (
	"fmt"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/photo"
)

// Names of our own signals, beside "model.<role>" for each network. They are
// measurements of single cues, none of which tells an attack by itself.
// SignalFrame enters Result.Score with little weight, the others do not.
const (
	// SignalMoire: the strongest isolated frequency in the face and its
	// surroundings, in dB above the frequencies of the same radius. A screen's
	// pixel grid beating with the camera's gives such peaks; so do a halftone
	// print and patterned cloth. Higher is more suspicious.
	SignalMoire = "moire"
	// SignalSpecular: the share of the face box that is white glare. Glossy
	// paper and glass reflect in patches; so does wet or oily skin.
	SignalSpecular = "specular"
	// SignalChroma: the standard deviation of colour (CIE a* and b*) over the
	// face. Paper and screens reproduce fewer colours, and live skin under
	// mixed light varies; a black-and-white print is near 0. Lower is more
	// suspicious.
	SignalChroma = "chroma"
	// SignalFrame: how many sides (0 to 4, in parts) of the face have a long
	// straight edge beside them that could belong to one upright or leaning
	// rectangle: the rim of a sheet, a phone or a tablet. Doors, windows and
	// picture frames behind a person do the same.
	SignalFrame = "frame"
	// SignalFocus: log2 of the face's fine detail over its surroundings'. A
	// camera focuses on a live face before a blurrier background; on a flat
	// copy that fills the view both are equally sharp, or a soft copy stands
	// in a sharp room. Lower is more suspicious.
	SignalFocus = "focus"
	// SignalRecompressed: how plainly the face shows a second, coarser JPEG
	// compression under the last one. The capture page compresses once; files
	// that went through an editor or a messenger were compressed twice, and many
	// of those are honest. Higher is more suspicious.
	SignalRecompressed = "recompressed"
)

// SkippedNoGrid: no JPEG grid from the picture's corner with libjpeg's steps, as
// in a picture that was scaled, or coded by other tables.
const SkippedNoGrid = "no_grid"

// signalFace is the side in pixels to which a larger face is reduced before
// measurements that do not depend on single camera pixels.
const signalFace = 160

// ownSignals measures every cue that the picture has room for.
func ownSignals(bgr gocv.Mat, box photo.Rect) ([]Signal, error) {
	// Surroundings up to four face widths, at a size that bounds the work.
	side := math.Max(box.W, box.H)
	around := clip(grow(box, 4), bgr.Cols(), bgr.Rows())
	k := math.Min(1, signalFace/side)
	w, h := int(around.W*k), int(around.H*k)
	if w < 16 || h < 16 || box.W*k < 16 {
		return nil, nil
	}
	scene, err := dnn.Cut(bgr, around, w, h)
	if err != nil {
		return nil, fmt.Errorf("cut surroundings: %w", err)
	}
	defer scene.Close()
	inScene := photo.Rect{X: (box.X - around.X) * k, Y: (box.Y - around.Y) * k, W: box.W * k, H: box.H * k}

	var out []Signal
	for _, measure := range []func() (Signal, error){
		func() (Signal, error) { return moire(bgr, box) },
		func() (Signal, error) { return specular(scene, inScene) },
		func() (Signal, error) { return chroma(scene, inScene) },
		func() (Signal, error) { return frame(scene, inScene) },
		func() (Signal, error) { return focus(scene, inScene) },
		func() (Signal, error) { return recompressed(bgr, box) },
	} {
		s, err := measure()
		if err != nil {
			return nil, fmt.Errorf("measure liveness signal: %w", err)
		}
		out = append(out, s)
	}
	return out, nil
}

func grow(r photo.Rect, scale float64) photo.Rect {
	c := r.Centre()
	return photo.Rect{X: c.X - r.W*scale/2, Y: c.Y - r.H*scale/2, W: r.W * scale, H: r.H * scale}
}

func clip(r photo.Rect, width, height int) photo.Rect {
	return photo.FromImage(r.Bounds(width, height))
}

// part is a view of the part of m inside r; empty when nothing of it is.
func part(m gocv.Mat, r photo.Rect) (gocv.Mat, bool) {
	b := r.Bounds(m.Cols(), m.Rows())
	if b.Dx() < 8 || b.Dy() < 8 {
		return gocv.Mat{}, false
	}
	return m.Region(b), true
}

func skipped(name, unit string) Signal {
	return Signal{Name: name, Unit: unit, Skipped: InconclusiveFraming}
}

func specular(scene gocv.Mat, box photo.Rect) (Signal, error) {
	s := Signal{Name: SignalSpecular, Unit: "share"}
	face, ok := part(scene, box)
	if !ok {
		return skipped(s.Name, s.Unit), nil
	}
	defer face.Close()
	white := gocv.NewMat()
	defer white.Close()
	if err := gocv.InRangeWithScalar(face, gocv.NewScalar(245, 245, 245, 0), gocv.NewScalar(255, 255, 255, 0), &white); err != nil {
		return s, err
	}
	s.Value = float64(gocv.CountNonZero(white)) / float64(white.Total())
	return s, nil
}

func chroma(scene gocv.Mat, box photo.Rect) (Signal, error) {
	s := Signal{Name: SignalChroma, Unit: "CIE Lab"}
	face, ok := part(scene, grow(box, 0.8))
	if !ok {
		return skipped(s.Name, s.Unit), nil
	}
	defer face.Close()
	lab, mean, dev := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer lab.Close()
	defer mean.Close()
	defer dev.Close()
	if err := gocv.CvtColor(face, &lab, gocv.ColorBGRToLab); err != nil {
		return s, err
	}
	if err := gocv.MeanStdDev(lab, &mean, &dev); err != nil {
		return s, err
	}
	s.Value = math.Hypot(dev.GetDoubleAt(1, 0), dev.GetDoubleAt(2, 0))
	return s, nil
}

// focus compares the energy of the Laplacian, divided by the local contrast so
// that a plain wall does not pass for blur, inside the face box and in the
// ring between 1.3 and 3 times the box.
func focus(scene gocv.Mat, box photo.Rect) (Signal, error) {
	s := Signal{Name: SignalFocus, Unit: "log2 ratio"}
	inner := grow(box, 0.8).Bounds(scene.Cols(), scene.Rows())
	hole := grow(box, 1.3).Bounds(scene.Cols(), scene.Rows())
	ring := grow(box, 3).Bounds(scene.Cols(), scene.Rows())
	if inner.Dx() < 8 || inner.Dy() < 8 || ring.Dx()*ring.Dy() < 2*hole.Dx()*hole.Dy() {
		return skipped(s.Name, s.Unit), nil
	}
	grey, edges := gocv.NewMat(), gocv.NewMat()
	defer grey.Close()
	defer edges.Close()
	if err := gocv.CvtColor(scene, &grey, gocv.ColorBGRToGray); err != nil {
		return s, err
	}
	if err := gocv.Laplacian(grey, &edges, gocv.MatTypeCV32F, 1, 1, 0, gocv.BorderReplicate); err != nil {
		return s, err
	}
	px := grey.ToBytes()
	lap, err := edges.DataPtrFloat32()
	if err != nil {
		return s, err
	}
	// What lies between hole and inner box belongs to neither.
	var face, around detailSum
	for y := ring.Min.Y; y < ring.Max.Y; y++ {
		row := y * grey.Cols()
		rowInHole, rowInner := y >= hole.Min.Y && y < hole.Max.Y, y >= inner.Min.Y && y < inner.Max.Y
		for x := ring.Min.X; x < ring.Max.X; x++ {
			sum := &around
			if rowInHole && x >= hole.Min.X && x < hole.Max.X {
				if !rowInner || x < inner.Min.X || x >= inner.Max.X {
					continue
				}
				sum = &face
			}
			v, l := float64(px[row+x]), float64(lap[row+x])
			sum.n++
			sum.grey += v
			sum.squares += v * v
			sum.fine += l * l
		}
	}
	s.Value = math.Log2(face.perContrast() / around.perContrast())
	return s, nil
}

// detailSum gathers grey levels and the energy of their Laplacian.
type detailSum struct{ n, grey, squares, fine float64 }

func (d detailSum) perContrast() float64 {
	mean := d.grey / d.n
	return (d.fine/d.n + 1) / (d.squares/d.n - mean*mean + 25)
}
