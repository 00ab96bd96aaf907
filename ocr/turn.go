package ocr

import (
	"fmt"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

func contains(r photo.Rect, p photo.Point) bool {
	return p.X >= r.X && p.X <= r.X+r.W && p.Y >= r.Y && p.Y <= r.Y+r.H
}

func shrunk(r photo.Rect, k float64) photo.Rect {
	return photo.Rect{X: r.X / k, Y: r.Y / k, W: r.W / k, H: r.H / k}
}

func turned(m gocv.Mat, degrees int) (gocv.Mat, error) {
	out := gocv.NewMat()
	var err error
	switch degrees {
	case 90:
		err = gocv.Rotate(m, &out, gocv.Rotate90CounterClockwise)
	case 180:
		err = gocv.Rotate(m, &out, gocv.Rotate180Clockwise)
	case 270:
		err = gocv.Rotate(m, &out, gocv.Rotate90Clockwise)
	default:
		err = m.CopyTo(&out)
	}
	if err != nil {
		out.Close()
		return gocv.Mat{}, fmt.Errorf("ocr: turn page: %w", err)
	}
	return out, nil
}
