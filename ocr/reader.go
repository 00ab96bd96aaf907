package ocr

import (
	"context"
	"fmt"
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Engine recognises text in a picture. Pool is one.
type Engine interface {
	Read(ctx context.Context, m gocv.Mat, r Request) (*Page, error)
}

// Reader reads the visual zone of documents: the whole page once with a fast
// engine, to learn where what stands; then the line of each value by itself,
// those that are needed most first, with the engine that suits its kind. It is
// safe for concurrent use.
type Reader struct {
	// Page reads whole pages, and lines of digits and plain letters.
	Page Engine
	// Names reads lines of names and places with all letters of the Latin
	// script; nil where that engine is not installed: then diacritics get lost.
	Names Engine
}

// Sheet is a straightened side of a document.
type Sheet struct {
	Image gocv.Mat // 8-bit grey or BGR
	Class string   // of package document; "" when not known
}

// Options say what is wanted of a sheet.
type Options struct {
	// Doubt is asked about each value that was read; a value in doubt, because
	// another part of the document says something else, is read again in other
	// ways. May be nil.
	Doubt func(Field) bool
	// Fields limits the values that are read line by line; nil means all.
	Fields []string
	// Known are values that another part of the document says, by field. Where
	// hardly any caption is legible, print that is like them is looked for.
	Known map[string]string
}

// Result is what a sheet says.
type Result struct {
	Template string  `json:"template"` // the family of documents it was read as; "captions" when none
	Rotation int     `json:"rotation"` // clockwise degrees the text was turned against the sheet
	Words    []Word  `json:"words"`    // of the first reading, in the sheet turned upright
	Fields   []Field `json:"fields"`
	Captions int     `json:"captions"` // captions and tags that were recognised
	// Confidence is the mean of the words'.
	Confidence float64 `json:"confidence"`
}

// Legible reports whether there is text that the reader could make sense of:
// captions it knows or words it is sure of. Other scripts, patterns and pictures
// give neither.
func (r *Result) Legible() bool {
	return r.Captions > 0 || len(r.Fields) > 0 || len(r.Words) >= 3 && r.Confidence >= 0.6
}

// maxLines bounds the lines that are read one by one on a sheet.
const maxLines = 24

// Read reads a sheet. Text that stands on its head is found and turned; where
// nothing can be read the result is empty, which is no error.
func (rd *Reader) Read(ctx context.Context, s Sheet, o Options) (*Result, error) {
	g, err := grey(s.Image)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	k, err := enlarge(&g)
	if err != nil {
		return nil, err
	}
	turns := []int{0, 180}
	if g.Rows() > g.Cols() {
		turns = []int{0, 90, 270, 180}
	}
	var best *Result
	var upright imprint
	defer func() {
		if best != nil {
			upright.close()
		}
	}()
	for _, turn := range turns {
		m, err := turned(g, turn)
		if err != nil {
			return nil, err
		}
		p, err := newPrint(m)
		if err != nil {
			return nil, err
		}
		page, err := rd.Page.Read(ctx, p.sharp, Request{PSM: 11})
		if err != nil {
			p.close()
			return nil, fmt.Errorf("ocr: read page: %w", err)
		}
		r := &Result{Rotation: turn, Words: page.bounded().Words}
		rows := page.bounded().rows()
		t := choose(rows, s.Class)
		for _, ls := range t.anchors(rows) {
			r.Captions += len(ls)
		}
		for _, w := range r.Words {
			r.Confidence += w.Confidence / float64(len(r.Words))
		}
		if best != nil && !(r.Captions > best.Captions || r.Captions == best.Captions && r.Confidence > best.Confidence+0.15) {
			p.close()
			continue
		}
		if best != nil {
			upright.close()
		}
		best, upright = r, p
		if r.Captions >= 2 || r.Captions > 0 && r.Confidence > 0.6 {
			break
		}
	}
	if err := rd.fields(ctx, best, upright, s, o); err != nil {
		return nil, err
	}
	for i := range best.Words {
		best.Words[i].Box = shrunk(best.Words[i].Box, k)
	}
	for i := range best.Fields {
		best.Fields[i].Region = shrunk(best.Fields[i].Region, k)
	}
	return best, nil
}

// fields finds the values and reads each line by itself.
func (rd *Reader) fields(ctx context.Context, res *Result, p imprint, s Sheet, o Options) error {
	m := p.sharp
	rows := (&Page{Words: res.Words}).rows()
	t := choose(rows, s.Class)
	known := o.Known
	if res.Captions >= fewCaptions {
		known = nil
	}
	if res.Captions > 0 || len(known) > 0 {
		var err error
		if rows, err = rd.passedOver(ctx, t, p, rows); err != nil {
			return err
		}
		res.Words = slices.Concat(rows...)
		if t == anyDocument() {
			t = choose(rows, s.Class)
		}
	}
	res.Template = t.Name
	switch {
	case len(t.Order) > 0:
		more, err := rd.tags(ctx, t, m, rows)
		if err != nil {
			return err
		}
		rows = (&Page{Words: append(slices.Clone(res.Words), more...)}).rows()
	case t.Beside:
		var err error
		if rows, err = rd.captions(ctx, t, p, rows); err != nil {
			return err
		}
	}
	area := t.within(float64(m.Cols()), float64(m.Rows()))
	found, gaps := t.extract(rows)
	found = append(found, t.byContent(rows, known, found)...)
	found = slices.DeleteFunc(found, func(f Field) bool { return !contains(area, f.Region.Centre()) })
	// Captions are covered: their strokes must not reach into values.
	var captions []photo.Rect
	var strokes []photo.Rect
	for _, ls := range t.anchors(rows) {
		for _, l := range ls {
			captions = append(captions, l.box)
			// Down to where the accents of the capitals below may begin.
			strokes = append(strokes, photo.Rect{X: l.box.X, Y: l.box.Y, W: l.box.W, H: 0.8 * l.box.H})
		}
	}
	cover(&p.sharp, strokes)
	cover(&p.plain, strokes)
	height := valueHeight(found)
	left := maxLines
	for _, name := range t.Read {
		if o.Fields != nil && !slices.Contains(o.Fields, name) || left <= 0 {
			continue
		}
		i := slices.IndexFunc(found, func(f Field) bool { return f.Name == name })
		if i < 0 {
			f, ok, err := rd.fill(ctx, t, m, gaps, name, height)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			left--
			found = append(found, f)
			i = len(found) - 1
		} else {
			left--
			if err := rd.refine(ctx, t, m, &found[i], found, captions); err != nil {
				return err
			}
		}
		if (!found[i].settled() || o.Doubt != nil && o.Doubt(found[i])) && left > 0 {
			left -= 2
			if err := rd.again(ctx, t, p, &found[i]); err != nil {
				return err
			}
		}
	}
	slices.SortFunc(found, func(a, b Field) int { return slices.Index(t.Read, a.Name) - slices.Index(t.Read, b.Name) })
	res.Fields = found
	return nil
}
