package ocr

import (
	"context"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// fill reads the place where a value should be whose caption was found: single
// letters, above all, are easily passed over on a whole page.
func (rd *Reader) fill(ctx context.Context, t *Template, m gocv.Mat, gaps []gap, name string, height float64) (Field, bool, error) {
	for _, g := range gaps {
		if g.field != name {
			continue
		}
		h := height
		if h == 0 {
			h = 1.5 * g.label.box.H
		}
		where, ok := g.place(m, h)
		if !ok {
			continue
		}
		engine, how, req := rd.request(name)
		f, ok, err := rd.line(ctx, t, engine, m, name, where, asIs, req)
		if err != nil {
			return Field{}, false, err
		}
		if !ok {
			f, ok, err = rd.line(ctx, t, engine, m, name, where, clean, req)
			if err != nil {
				return Field{}, false, err
			}
		}
		if ok {
			f.Readings = []Reading{{Value: f.Value, Confidence: f.Confidence, How: how + " " + asIs.name}}
			return f, true, nil
		}
	}
	return Field{}, false, nil
}

// place is where the value of a gap is printed; ok is false where there is plain
// paper. h is the height of the document's other values.
func (g gap) place(m gocv.Mat, h float64) (photo.Rect, bool) {
	if g.seen.W > 0 && g.seen.H > 0.5*h && g.seen.H < 1.8*h {
		x0, x1 := inkBounds(m, g.seen, max(g.label.box.X-2*h, g.seen.X-3*h), min(g.right-h/3, g.seen.X+g.seen.W+12*h, float64(m.Cols())), 1.3*h)
		return photo.Rect{X: x0, Y: g.seen.Y, W: x1 - x0, H: g.seen.H}, true
	}
	width := 16 * h
	switch catalogue().Fields[g.field].Kind {
	case "sex":
		width = 4 * h
	case "code":
		width = 5 * h
	case "text":
		width = 30 * h
	}
	b := g.label.box
	var r photo.Rect
	if g.beside {
		x := b.X + b.W + 0.2*h
		r = photo.Rect{X: x, Y: b.Y + b.H - 1.5*h, W: min(width, g.right-x-h/3), H: 1.9 * h}
	} else {
		r = photo.Rect{X: b.X - 0.4*h, Y: b.Y + 0.85*b.H, W: min(max(width, b.W), g.right-b.X), H: 2.4 * h}
	}
	r.W = min(r.W, float64(m.Cols())-r.X)
	if r.W < h/2 {
		return photo.Rect{}, false
	}
	return inkBox(m, r, h)
}

// inkBox is the first line of print of about height h within a place.
func inkBox(m gocv.Mat, r photo.Rect, h float64) (photo.Rect, bool) {
	in := rectIn(m, r)
	if in.Dx() < 4 || in.Dy() < 6 {
		return photo.Rect{}, false
	}
	part := m.Region(in)
	defer part.Close()
	dark, bright := quantile(part, 0.02), quantile(part, 0.7)
	if bright-dark < 40 {
		return photo.Rect{}, false
	}
	bin := gocv.NewMat()
	defer bin.Close()
	gocv.Threshold(part, &bin, float32((dark+bright)/2), 255, gocv.ThresholdBinaryInv)
	pixels := bin.ToBytes()
	inked := func(y, x0, x1 int) bool {
		for x := x0; x < x1; x++ {
			if pixels[y*in.Dx()+x] > 0 {
				return true
			}
		}
		return false
	}
	top, bottom := -1, -1
	for y := 0; y <= in.Dy(); y++ {
		if y < in.Dy() && inked(y, 0, in.Dx()) {
			if top < 0 {
				top = y
			}
			bottom = y + 1
			continue
		}
		// Tails of the caption and accents are lower than letters.
		if top >= 0 && float64(bottom-top) >= 0.6*h {
			break
		}
		top = -1
	}
	if top < 0 || float64(bottom-top) > 1.7*h {
		return photo.Rect{}, false
	}
	left, right, blank := -1, -1, 0
	for x := range in.Dx() {
		ink := false
		for y := top; y < bottom && !ink; y++ {
			ink = pixels[y*in.Dx()+x] > 0
		}
		if ink {
			if left < 0 {
				left = x
			}
			right, blank = x+1, 0
			continue
		}
		// Columns end at wide gaps.
		if blank++; left >= 0 && float64(blank) > 1.6*h {
			break
		}
	}
	if right-left < 2 {
		return photo.Rect{}, false
	}
	return photo.Rect{X: float64(in.Min.X + left), Y: float64(in.Min.Y + top), W: float64(right - left), H: float64(bottom - top)}, true
}
