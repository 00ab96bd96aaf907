package ocr

import (
	"context"
	"fmt"
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// valueHeight is the usual height of values: captions are smaller.
func valueHeight(fs []Field) float64 {
	var hs []float64
	for _, f := range fs {
		hs = append(hs, f.Region.H)
	}
	if len(hs) == 0 {
		return 0
	}
	slices.Sort(hs)
	return hs[len(hs)/2]
}

// request is how the line of a field is read: by which engine and with which
// characters.
func (rd *Reader) request(field string) (Engine, string, Request) {
	const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	switch catalogue().Fields[field].Kind {
	case "number":
		// The engine of pages takes a T or Z before digits for a digit, nine times
		// in ten; the other one hardly ever.
		e, how := rd.Page, "page"
		if rd.Names != nil {
			e, how = rd.Names, "names"
		}
		return e, how, Request{PSM: 7, Whitelist: capitals + "0123456789-/. "}
	case "date":
		return rd.Page, "page", Request{PSM: 7}
	case "sex", "code":
		return rd.Page, "page", Request{PSM: 7}
	}
	if rd.Names != nil {
		return rd.Names, "names", Request{PSM: 7}
	}
	return rd.Page, "page", Request{PSM: 7}
}

// refine reads the line of a value that the first reading found, with what it
// may have missed to both sides, and keeps the better reading.
func (rd *Reader) refine(ctx context.Context, t *Template, m gocv.Mat, f *Field, all []Field, captions []photo.Rect) error {
	h := f.Region.H
	right := min(f.room, float64(m.Cols()))
	leftEnd, begin := 0.0, f.Region.X-3*h
	if f.under > 0 {
		begin = min(begin, f.under-h/2) // values begin where their captions do
	}
	// The neighbours on the row end the value's column.
	for _, o := range all {
		if o.Name == f.Name || !sameRow(o.Region, f.Region) {
			continue
		}
		if o.Region.X > f.Region.X {
			right = min(right, o.Region.X-h/2)
		} else {
			leftEnd = max(leftEnd, o.Region.X+o.Region.W+h/2)
		}
	}
	for _, c := range captions {
		if !sameRow(c, f.Region) {
			continue
		}
		if c.X > f.Region.X+f.Region.W {
			right = min(right, c.X-h/3)
		} else if c.X+c.W <= f.Region.X+1 {
			leftEnd = max(leftEnd, c.X+c.W+h/6)
		}
	}
	reach := 12 * h
	if catalogue().Fields[f.Name].Kind == "text" {
		reach = 24 * h
	}
	x0, x1 := inkBounds(m, f.Region, max(leftEnd, begin), min(right, f.Region.X+f.Region.W+reach), 1.3*h)
	whole := photo.Rect{X: x0, Y: f.Region.Y, W: x1 - x0, H: h}
	seen := f.Region
	f.Region = whole
	f.Readings = []Reading{{Value: f.Value, Confidence: f.Confidence, How: "page"}}
	engine, how, req := rd.request(f.Name)
	next, ok, err := rd.line(ctx, t, engine, m, f.Name, f.Region, asIs, req)
	if err != nil {
		return err
	}
	if ok {
		f.Readings = append(f.Readings, Reading{Value: next.Value, Confidence: next.Confidence, How: how + " " + asIs.name})
		// Of a line of which the page missed a word its reading is none.
		if grown := x1 - x0 - seen.W; grown > 1.5*h && longer(f.Name, next.Value, f.Value) {
			f.Value, f.Confidence, f.Readings = next.Value, next.Confidence, f.Readings[1:]
		}
	}
	f.settle()
	return nil
}

// line reads a region as one line.
func (rd *Reader) line(ctx context.Context, t *Template, e Engine, m gocv.Mat, field string, r photo.Rect, p preparation, req Request) (Field, bool, error) {
	h := r.H
	crop, ok := line(m, photo.Rect{X: r.X - 0.35*h, Y: r.Y - 0.32*h, W: r.W + 0.7*h, H: 1.6 * h}, h, p)
	if !ok {
		return Field{}, false, nil
	}
	defer crop.Close()
	page, err := e.Read(ctx, crop, req)
	if err != nil {
		return Field{}, false, fmt.Errorf("ocr: read line: %w", err)
	}
	if catalogue().Fields[field].Kind == "text" {
		page.Words = withoutTail(page.Words)
	}
	f := Field{Name: field, Text: join(page.Words), Region: r, Source: "visual", Confidence: 1}
	if len(page.Words) == 0 {
		return Field{}, false, nil
	}
	for _, w := range page.Words {
		f.Confidence = min(f.Confidence, w.Confidence)
	}
	f.Value, ok = t.normal(field, f.Text)
	return f, ok, nil
}

// withoutTail leaves out what pictures and patterns behind a text were taken
// for: short words of little confidence after longer ones.
func withoutTail(ws []Word) []Word {
	for len(ws) > 1 {
		w := ws[len(ws)-1]
		if n := letters(w.Text) + digits(w.Text); n >= 4 || w.Confidence >= 0.6 || n == 3 && w.Confidence >= 0.35 {
			break
		}
		ws = ws[:len(ws)-1]
	}
	return ws
}

// again reads a value in other ways: with the other engine, from the picture
// that was not sharpened, with and without its paper, at another size.
func (rd *Reader) again(ctx context.Context, t *Template, p imprint, f *Field) error {
	first, how, req := rd.request(f.Name)
	type way struct {
		e   Engine
		how string
		m   gocv.Mat
		p   preparation
		req Request
	}
	ways := []way{{first, how, p.plain, clean, req}, {first, how, p.plain, small, req}}
	if rd.Names != nil {
		other := way{rd.Names, "names", p.sharp, asIs, Request{PSM: 7}}
		if how == "names" {
			other.e, other.how, other.req.Whitelist = rd.Page, "page", ""
		}
		ways = append(ways, other)
	}
	for _, w := range ways {
		x, ok, err := rd.line(ctx, t, w.e, w.m, f.Name, f.Region, w.p, w.req)
		if err != nil {
			return err
		}
		if ok {
			f.Readings = append(f.Readings, Reading{Value: x.Value, Confidence: x.Confidence, How: w.how + " " + w.p.name})
		}
	}
	f.settle()
	return nil
}

func sameRow(a, b photo.Rect) bool {
	mid := a.Y + a.H/2
	return mid > b.Y && mid < b.Y+b.H
}
