package face

import (
	"fmt"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/photo"
)

// quarterTurns lists the ways to turn a picture by steps of 90°, with the map
// from the turned picture (of a w×h original) back to the original.
var quarterTurns = []struct {
	degrees int
	code    gocv.RotateFlag
	back    func(p photo.Point, w, h float64) photo.Point
}{
	{180, gocv.Rotate180Clockwise, func(p photo.Point, w, h float64) photo.Point { return photo.Point{X: w - p.X, Y: h - p.Y} }},
	{90, gocv.Rotate90Clockwise, func(p photo.Point, _, h float64) photo.Point { return photo.Point{X: p.Y, Y: h - p.X} }},
	{270, gocv.Rotate90CounterClockwise, func(p photo.Point, w, _ float64) photo.Point { return photo.Point{X: w - p.Y, Y: p.X} }},
}

// DetectAnyRotation is Detect, and, when no face stands upright, looks at the
// photo turned by 180°, 90° and 270°. It returns the faces in pixels of the
// photo as handed in (their Roll tells the turn, and Embed needs no more), and
// the clockwise turn in degrees that sets them upright.
func (e *Engine) DetectAnyRotation(m gocv.Mat) (faces []Face, turn int, err error) {
	bgr, ok := dnn.BGR(m)
	if !ok {
		return nil, 0, nil
	}
	defer bgr.Close()
	return e.detectTurned(bgr)
}

func (e *Engine) detectTurned(bgr gocv.Mat) ([]Face, int, error) {
	found, err := e.detectBGR(bgr)
	if err != nil || len(found) > 0 || min(bgr.Cols(), bgr.Rows()) < minSide {
		return found, 0, err
	}
	turned := gocv.NewMat()
	defer turned.Close()
	w, h := float64(bgr.Cols()), float64(bgr.Rows())
	for _, q := range quarterTurns {
		if err := gocv.Rotate(bgr, &turned, q.code); err != nil {
			return nil, 0, fmt.Errorf("turn photo by %d°: %w", q.degrees, err)
		}
		found, err := e.detectWithin(turned, false)
		if err != nil {
			return nil, 0, err
		}
		if len(found) > 0 {
			for i := range found {
				found[i] = found[i].mapped(func(p photo.Point) photo.Point { return q.back(p, w, h) })
			}
			return found, q.degrees, nil
		}
	}
	return nil, 0, nil
}
