package ocr

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gocv.io/x/gocv"
	"golang.org/x/text/unicode/norm"

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

// fields finds the values and reads each line by itself.
func (rd *Reader) fields(ctx context.Context, res *Result, p imprint, s Sheet, o Options) error {
	m := p.sharp
	rows := (&Page{Words: res.Words}).rows()
	t := choose(rows, s.Class)
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
		if rows, err = rd.captions(ctx, t, m, rows); err != nil {
			return err
		}
	}
	area := t.within(float64(m.Cols()), float64(m.Rows()))
	found, gaps := t.extract(rows)
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

// tags reads the small numbers left of the values one by one, where the reading
// of the page passed them over.
func (rd *Reader) tags(ctx context.Context, t *Template, m gocv.Mat, rows [][]Word) ([]Word, error) {
	found := t.tagged(rows)
	var columns, tagColumns []float64
	taken := map[int]bool{}
	for at, tag := range found {
		if r := rows[at[0]]; slices.Contains(t.Order, tag) && at[1]+1 < len(r) {
			columns, tagColumns = append(columns, r[at[1]+1].Box.X), append(tagColumns, r[at[1]].Box.X)
			taken[at[0]] = true
		}
	}
	if len(columns) == 0 {
		return nil, nil
	}
	slices.Sort(columns)
	slices.Sort(tagColumns)
	column, tagColumn := columns[len(columns)/2], tagColumns[len(tagColumns)/2]
	var out []Word
	for i, r := range rows {
		if taken[i] || len(out) >= 12 {
			continue
		}
		for _, w := range r {
			if d := w.Box.X - column; d < -w.Box.H || d > w.Box.H {
				continue
			}
			h := w.Box.H
			place := photo.Rect{X: tagColumn - 0.4*h, Y: w.Box.Y - 0.1*h, W: column - tagColumn, H: 1.3 * h}
			where, ok := inkBox(m, place, 0.7*h)
			if !ok {
				break
			}
			crop, ok := line(m, photo.Rect{X: where.X - 0.3*h, Y: where.Y - 0.3*h, W: where.W + 0.6*h, H: where.H + 0.6*h}, where.H, asIs)
			if !ok {
				break
			}
			page, err := rd.Page.Read(ctx, crop, Request{PSM: 8, Whitelist: "12345789abcd."})
			crop.Close()
			if err != nil {
				return nil, fmt.Errorf("ocr: read field number: %w", err)
			}
			for _, x := range page.Words {
				out = append(out, Word{Text: x.Text, Confidence: x.Confidence, Box: where, Line: w.Line})
				break
			}
			break
		}
	}
	return out, nil
}

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
		return rd.Page, "page", Request{PSM: 7, Whitelist: capitals + "0123456789-/. "}
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
	leftEnd := 0.0
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
	x0, x1 := inkBounds(m, f.Region, max(leftEnd, f.Region.X-3*h), min(right, f.Region.X+f.Region.W+reach), 1.3*h)
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

// longer: the line begins as the page's reading does and goes on, as far as
// letters without diacritics tell.
func longer(name, line, page string) bool {
	if kind := catalogue().Fields[name].Kind; kind != "text" && kind != "name" {
		return false
	}
	a, b := plainText(line), plainText(page)
	return len(a) >= len(b)+3 && strings.HasPrefix(a, b)
}

// plainText is a text in what the engine without diacritics writes.
func plainText(s string) string { return strings.ReplaceAll(fold(s), " ", "") }

// sure is the confidence of a single reading from which it needs no other.
const sure = 0.8

// settled: two readings agree, or one is sure of itself and is of the engine
// that knows all letters.
func (f *Field) settled() bool {
	n := 0
	for _, r := range f.Readings {
		if r.Value == f.Value {
			n++
		}
	}
	return n >= 2 || f.Confidence >= sure && catalogue().Fields[f.Name].Kind != "number"
}

// settle takes the value that most readings speak for. Readings of the names
// engine count twice where letters are read: the other one can not write
// diacritics and is as sure without them.
func (f *Field) settle() {
	votes, best := map[string]float64{}, map[string]float64{}
	for _, r := range f.Readings {
		w := r.Confidence
		if kind := catalogue().Fields[f.Name].Kind; (kind == "name" || kind == "text") && strings.HasPrefix(r.How, "names") {
			w = 1.5 * max(w, 0.3)
		}
		if kind := catalogue().Fields[f.Name].Kind; kind == "code" && r.How != "page" {
			w *= 1.2 // single letters stand better alone
		}
		votes[r.Value] += w * w // one sure reading outweighs two doubtful ones
		best[r.Value] = max(best[r.Value], r.Confidence)
	}
	// The engine of pages reads Å as A and is sure of it: where the other differs
	// in nothing else, its reading is the same one with diacritics.
	if kind := catalogue().Fields[f.Name].Kind; kind == "name" || kind == "text" {
		for _, r := range f.Readings {
			if !strings.HasPrefix(r.How, "names") || r.Confidence < 0.1 {
				continue
			}
			for _, o := range f.Readings {
				if !strings.HasPrefix(o.How, "names") && o.Value != r.Value && ascii(o.Value) && bare(r.Value) == o.Value && votes[o.Value] > votes[r.Value] {
					votes[r.Value] = votes[o.Value] + 1e-3
					best[r.Value] = max(best[r.Value], min(best[o.Value], sure))
				}
			}
		}
	}
	for _, r := range f.Readings { // in order, so that equal votes have one winner
		if votes[r.Value] > votes[f.Value] {
			f.Value = r.Value
		}
	}
	f.Confidence = best[f.Value]
}

// bare is a text with its letters' diacritics taken off.
func bare(s string) string {
	out := strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(s))
	return strokes.Replace(out)
}

// strokes are the letters that are no others with marks, as the engine without
// them reads them.
var strokes = strings.NewReplacer("Ø", "O", "ø", "o", "Ł", "L", "ł", "l", "Þ", "P", "Đ", "D", "Ð", "D", "ı", "i", "’", "'", "ß", "B")

func ascii(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7e }) < 0
}

func sameRow(a, b photo.Rect) bool {
	mid := a.Y + a.H/2
	return mid > b.Y && mid < b.Y+b.H
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
