package face

import (
	"fmt"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

// blazeface runs one BlazeFace network. Its outputs are 896 candidates: for
// each a score and 16 numbers (box centre and size, then six points) relative
// to the centre of an anchor cell, in pixels of the network's square input.
type blazeface struct {
	name    string
	net     *dnn.Net
	prepare dnn.Prepare
	size    int // side of the square input
	anchors []photo.Point
}

const blazefaceValues = 16

// newBlazeface prepares the anchor centres: 16×16 cells with two anchors each,
// then 8×8 cells with six (MediaPipe's SsdAnchorsCalculator with fixed anchor
// size). The front and the back network differ in the size of a cell only.
func newBlazeface(net *dnn.Net, m models.Model) *blazeface {
	b := &blazeface{name: m.Name, net: net, prepare: dnn.PrepareFor(m.Input), size: m.Input.Width}
	for _, level := range []struct{ cells, perCell int }{{16, 2}, {8, 6}} {
		n, stride := level.cells, b.size/level.cells
		for y := range n {
			for x := range n {
				for range level.perCell {
					b.anchors = append(b.anchors, photo.Point{
						X: (float64(x) + 0.5) * float64(stride),
						Y: (float64(y) + 0.5) * float64(stride),
					})
				}
			}
		}
	}
	return b
}

// detect looks for faces in the square around region. Faces that reach out of
// the region but lie in the square are found as well.
func (b *blazeface) detect(m gocv.Mat, region photo.Rect, minScore float64) ([]Face, error) {
	square := squareAround(region, 1)
	patch, err := dnn.Cut(m, square, b.size, b.size)
	if err != nil {
		return nil, err
	}
	defer patch.Close()
	in, err := b.prepare.NHWC(patch)
	if err != nil {
		return nil, err
	}
	outs, err := b.net.Run(in)
	if err != nil {
		return nil, fmt.Errorf("detect faces with %s: %w", b.name, err)
	}
	scores, values, err := b.join(outs)
	if err != nil {
		return nil, err
	}
	return placed(b.decode(scores, values, minScore), square, b.size), nil
}

// join puts the outputs of the two strides one behind the other. They are
// told apart by their shapes: 512 (fine) and 384 (coarse) rows of 1 score or
// 16 values.
func (b *blazeface) join(outs []dnn.Tensor) (scores, values []float32, err error) {
	byLength := map[int][]float32{}
	for _, o := range outs {
		byLength[len(o.Data)] = o.Data
	}
	for _, rows := range []int{512, 384} {
		s, v := byLength[rows], byLength[rows*blazefaceValues]
		if s == nil || v == nil {
			return nil, nil, fmt.Errorf("%s has outputs of unexpected shape", b.name)
		}
		scores = append(scores, s...)
		values = append(values, v...)
	}
	return scores, values, nil
}

// decode turns raw outputs into faces in pixels of the network's input.
func (b *blazeface) decode(scores, values []float32, minScore float64) []Face {
	var found []Face
	for i, anchor := range b.anchors {
		score := sigmoid(float64(scores[i]))
		if !(score >= minScore) { // also drops NaN
			continue
		}
		v := values[i*blazefaceValues : (i+1)*blazefaceValues]
		w, h := float64(v[2]), float64(v[3])
		f := Face{
			Box:      photo.Rect{X: anchor.X + float64(v[0]) - w/2, Y: anchor.Y + float64(v[1]) - h/2, W: w, H: h},
			Score:    score,
			Detector: b.name,
		}
		for p := 4; p < blazefaceValues; p += 2 {
			f.Points = append(f.Points, photo.Point{X: anchor.X + float64(v[p]), Y: anchor.Y + float64(v[p+1])})
		}
		if f.plausible() {
			found = append(found, f)
		}
	}
	return found
}

// sigmoid with the input limited as in MediaPipe, so that exp stays finite.
func sigmoid(x float64) float64 {
	return 1 / (1 + math.Exp(-math.Max(-100, math.Min(100, x))))
}
