package face

import (
	"fmt"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

// yunet runs YuNet 2023mar. OpenCV 4.6 can run the network but its
// FaceDetectorYN expects the outputs of an older one, so they are decoded
// here, as OpenCV 4.8's face_detect.cpp documents them: per cell of strides 8,
// 16 and 32 a class score and an objectness (the score is the root of their
// product), a box (centre offset in cells, log size) and five points.
type yunet struct {
	name    string
	net     *dnn.Net
	prepare dnn.Prepare
	size    int
}

func newYunet(net *dnn.Net, m models.Model) *yunet {
	return &yunet{name: m.Name, net: net, prepare: dnn.PrepareFor(m.Input), size: m.Input.Width}
}

func (y *yunet) detect(m gocv.Mat, region photo.Rect, minScore float64) ([]Face, error) {
	square := squareAround(region, 1)
	patch, err := dnn.Cut(m, square, y.size, y.size)
	if err != nil {
		return nil, err
	}
	defer patch.Close()
	in, err := y.prepare.NCHW(patch)
	if err != nil {
		return nil, err
	}
	outs, err := y.net.Run(in)
	if err != nil {
		return nil, fmt.Errorf("detect faces with %s: %w", y.name, err)
	}
	var found []Face
	for _, stride := range []int{8, 16, 32} {
		at, err := y.level(outs, stride)
		if err != nil {
			return nil, err
		}
		found = append(found, y.decode(at, stride, minScore)...)
	}
	return placed(found, square, y.size), nil
}

// yunetLevel is one stride's outputs. Class score and objectness have the same
// shape, but only their product is used, so their order does not matter.
type yunetLevel struct {
	scores      [2][]float32
	box, points []float32
}

func (y *yunet) level(outs []dnn.Tensor, stride int) (yunetLevel, error) {
	cells := (y.size / stride) * (y.size / stride)
	var l yunetLevel
	n := 0
	for _, o := range outs {
		if len(o.Shape) < 2 || o.Shape[len(o.Shape)-2] != cells {
			continue
		}
		switch {
		case len(o.Data) == cells && n < 2:
			l.scores[n] = o.Data
			n++
		case len(o.Data) == 4*cells:
			l.box = o.Data
		case len(o.Data) == 10*cells:
			l.points = o.Data
		}
	}
	if n != 2 || l.box == nil || l.points == nil {
		return l, fmt.Errorf("%s has outputs of unexpected shape", y.name)
	}
	return l, nil
}

func (y *yunet) decode(l yunetLevel, stride int, minScore float64) []Face {
	n, s := y.size/stride, float64(stride)
	unit := func(v float32) float64 { return math.Max(0, math.Min(1, float64(v))) }
	var found []Face
	for i := range n * n {
		score := math.Sqrt(unit(l.scores[0][i]) * unit(l.scores[1][i]))
		if !(score >= minScore) {
			continue
		}
		col, row := float64(i%n), float64(i/n)
		b := l.box[4*i : 4*i+4]
		w, h := math.Exp(math.Min(8, float64(b[2])))*s, math.Exp(math.Min(8, float64(b[3])))*s
		f := Face{
			Box:      photo.Rect{X: (col+float64(b[0]))*s - w/2, Y: (row+float64(b[1]))*s - h/2, W: w, H: h},
			Score:    score,
			Detector: y.name,
		}
		var p [5]photo.Point
		for k := range p {
			p[k] = photo.Point{X: (col + float64(l.points[10*i+2*k])) * s, Y: (row + float64(l.points[10*i+2*k+1])) * s}
		}
		mouth := photo.Point{X: (p[3].X + p[4].X) / 2, Y: (p[3].Y + p[4].Y) / 2}
		f.Points = []photo.Point{p[0], p[1], p[2], mouth}
		f.MouthCorners = []photo.Point{p[3], p[4]}
		if f.plausible() {
			found = append(found, f)
		}
	}
	return found
}
