package ocr

import (
	"context"
	"fmt"
	"image"
	"slices"
	"strings"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// The reading of a page passes some lines over, or takes a pattern behind them
// for their strokes, though each is legible by itself. These bound the second
// look at them.
const (
	maxPassed     = 14   // lines that are read again
	maxComponents = 4000 // pieces of print on a page; more is a pattern
	doubtfulWord  = 0.4  // confidence below which a word does not count as read,
	certainWord   = 0.6  // and from which it does where it is of no caption,
	faintWord     = 0.15 // and below which it is no word of a line
)

// passedOver looks for lines of print that the reading of the page did not see
// or was not sure of, and reads each by itself. It returns all words of the page.
func (rd *Reader) passedOver(ctx context.Context, t *Template, p imprint, rows [][]Word) ([][]Word, error) {
	m, words := p.sharp, slices.Concat(rows...)
	size, ok := printOf(m, words)
	if !ok {
		return rows, nil
	}
	area := t.within(float64(m.Cols()), float64(m.Rows()))
	labels := t.anchors(rows)
	known := understood(rows, labels)
	lines := orphans(m, size, rows, labels)
	for _, r := range size.lines(m) {
		if contains(area, r.Centre()) && !machineReadable(r, words) && covered(r, known) < 0.7 {
			lines = append(lines, r)
		}
	}
	// Pictures look like print in places; what begins where other print does is
	// more likely some.
	aligned := func(r photo.Rect) int {
		if slices.ContainsFunc(known, func(w Word) bool { d := w.Box.X - r.X; return d > -r.H/2 && d < r.H/2 && w.Confidence > sure }) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(lines, func(a, b photo.Rect) int { return aligned(a) - aligned(b) })
	out := slices.Clone(words)
	for i, r := range lines[:min(len(lines), maxPassed)] {
		found, err := rd.lineWords(ctx, p, r)
		if err != nil {
			return nil, err
		}
		for k := range found {
			found[k].Line = 1000 + i // of none of the page's lines
		}
		out = joinWords(out, found, r)
	}
	return (&Page{Words: out}).rows(), nil
}

// understood are the words that need no second look: captions, and others that
// the engine is sure enough of.
func understood(rows [][]Word, labels [][]label) []Word {
	var out []Word
	for i, r := range rows {
		for k, w := range r {
			if readable(w) && (w.Confidence >= certainWord || slices.ContainsFunc(labels[i], func(l label) bool { return k >= l.from && k < l.to })) {
				out = append(out, w)
			}
		}
	}
	return out
}

// orphans are the places above values that begin where captions do and have
// none: an accent of the value runs into the caption, which is not read then.
func orphans(m gocv.Mat, size printSize, rows [][]Word, labels [][]label) []photo.Rect {
	var heights, steps []float64
	var all []photo.Rect
	for _, ls := range labels {
		for _, l := range ls {
			all = append(all, l.box)
		}
	}
	// above is the caption over a value, and the step from one's foot to the other's.
	above := func(v photo.Rect) (photo.Rect, float64, bool) {
		for _, c := range all {
			step := v.Y + v.H - c.Y - c.H
			if d := c.X - v.X; d > -c.H && d < c.H && c.H < v.H && step > 0.8*v.H && step < 3*min(v.H, size.large) {
				return c, step, true
			}
		}
		return photo.Rect{}, 0, false
	}
	var values []photo.Rect
	for i, r := range rows {
		for k, w := range r {
			if !readable(w) || k > 0 && together(r[k-1:k+1]) || slices.ContainsFunc(labels[i], func(l label) bool { return k >= l.from && k < l.to }) {
				continue
			}
			if c, step, ok := above(w.Box); ok {
				heights, steps = append(heights, c.H), append(steps, step)
				continue
			}
			values = append(values, w.Box)
		}
	}
	if len(steps) < 3 {
		return nil
	}
	slices.Sort(heights)
	slices.Sort(steps)
	h, step := heights[len(heights)/2], steps[len(steps)/2]
	var out []photo.Rect
	for _, v := range values {
		if v.H > 1.2*h && slices.ContainsFunc(all, func(c photo.Rect) bool { d := c.X - v.X; return d > -h && d < h }) {
			if r := (photo.Rect{X: v.X, Y: v.Y + v.H - step - h, W: min(18*h, float64(m.Cols())-v.X), H: h}); r.Y > 0 {
				out = append(out, r)
			}
		}
	}
	return out
}

// joinWords takes the better of two readings of a line, word by word: what the
// page's reading was sure of stays where the line's does not read it better.
func joinWords(page, line []Word, r photo.Rect) []Word {
	// What reaches beyond the line was not seen whole by its reading.
	beats := func(w, o Word) bool {
		return overlapping(w.Box, o.Box) && (!readable(w) || o.Confidence > w.Confidence && w.Box.W < r.W+r.H)
	}
	var out, taken []Word
	for _, n := range line {
		if !slices.ContainsFunc(page, func(w Word) bool { return overlapping(w.Box, n.Box) && !beats(w, n) }) {
			taken = append(taken, n)
		}
	}
	for _, w := range page {
		in := contains(r, w.Box.Centre())
		if in && (slices.ContainsFunc(taken, func(n Word) bool { return beats(w, n) }) || len(taken) > 0 && !readable(w)) {
			continue
		}
		out = append(out, w)
	}
	return append(out, taken...)
}

// overlapping: two words share a third of the narrower one's width.
func overlapping(a, b photo.Rect) bool {
	if !sameRow(a, b) && !sameRow(b, a) {
		return false
	}
	return min(a.X+a.W, b.X+b.W)-max(a.X, b.X) > min(a.W, b.W)/3
}

// readable: the word is text that the engine is sure enough of.
func readable(w Word) bool {
	n := letters(w.Text) + digits(w.Text)
	return w.Confidence >= doubtfulWord && n > 0 && 2*n >= len([]rune(w.Text))
}

// machineReadable lines are read by another reader.
func machineReadable(r photo.Rect, words []Word) bool {
	for _, w := range words {
		if contains(r, w.Box.Centre()) && strings.Contains(w.Text, "<<") {
			return true
		}
	}
	return false
}

// covered is the part of a line's width that words stand on.
func covered(r photo.Rect, words []Word) float64 {
	sum := 0.0
	for _, w := range words {
		if y := w.Box.Centre().Y; y < r.Y || y > r.Y+r.H || w.Box.H > 2*r.H {
			continue
		}
		sum += max(0, min(w.Box.X+w.Box.W, r.X+r.W)-max(w.Box.X, r.X))
	}
	return sum / r.W
}

// lineWords reads a line and returns its words in the page's coordinates.
func (rd *Reader) lineWords(ctx context.Context, p imprint, r photo.Rect) ([]Word, error) {
	var best []Word
	for _, way := range []struct {
		m gocv.Mat
		p preparation
	}{{p.sharp, asIs}, {p.plain, clean}} {
		found, err := rd.words(ctx, way.m, r, way.p)
		if err != nil {
			return nil, err
		}
		if covered(r, found) > covered(r, best) {
			best = found
		}
		if covered(r, best) > 0.75 {
			break
		}
	}
	return best, nil
}

func (rd *Reader) words(ctx context.Context, m gocv.Mat, r photo.Rect, p preparation) ([]Word, error) {
	where := photo.Rect{X: r.X - 0.35*r.H, Y: r.Y - 0.3*r.H, W: r.W + 0.7*r.H, H: 1.6 * r.H}
	crop, ok := line(m, where, r.H, p)
	if !ok {
		return nil, nil
	}
	defer crop.Close()
	page, err := rd.Page.Read(ctx, crop, Request{PSM: 7})
	if err != nil {
		return nil, fmt.Errorf("ocr: read line that was passed over: %w", err)
	}
	in := rectIn(m, where)
	k := float64(crop.Cols()-2*borderX) / float64(in.Dx())
	var out []Word
	for _, w := range page.Words {
		if w.Confidence < faintWord || letters(w.Text)+digits(w.Text) == 0 {
			continue
		}
		w.Box = shrunk(photo.Rect{X: w.Box.X - borderX, Y: w.Box.Y - borderY, W: w.Box.W, H: w.Box.H}, k)
		w.Box.X, w.Box.Y = w.Box.X+float64(in.Min.X), r.Y
		w.Box.H = r.H
		out = append(out, w)
	}
	return out, nil
}

// printSize is how the print of a page looks.
type printSize struct {
	small, large float64 // heights of captions and of values
	contrast     float64 // of the palest print against its paper
}

// printOf learns from the words that are read for sure how print looks; ok is
// false where there are too few of them.
func printOf(m gocv.Mat, words []Word) (printSize, bool) {
	var hs, contrasts []float64
	for _, w := range words {
		if w.Confidence < sure || letters(w.Text)+digits(w.Text) < 3 {
			continue
		}
		in := rectIn(m, w.Box)
		if in.Dx() < 4 || in.Dy() < 4 {
			continue
		}
		part := m.Region(in)
		contrasts = append(contrasts, quantile(part, 0.85)-quantile(part, 0.08))
		part.Close()
		hs = append(hs, w.Box.H)
	}
	if len(hs) < 5 {
		return printSize{}, false
	}
	slices.Sort(hs)
	slices.Sort(contrasts)
	s := printSize{small: hs[len(hs)/8], large: hs[len(hs)-1-len(hs)/8], contrast: contrasts[len(contrasts)/8]}
	return s, s.contrast > 20 && s.small >= 6
}

// lines are the rows of pieces of print that stand at the distance of letters
// and words.
func (s printSize) lines(m gocv.Mat) []photo.Rect {
	paper, ink := gocv.NewMat(), gocv.NewMat()
	defer paper.Close()
	defer ink.Close()
	side := int(s.large)/2*2 + 1
	kernel := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(side, side))
	defer kernel.Close()
	if gocv.MorphologyEx(m, &paper, gocv.MorphBlackhat, kernel) != nil {
		return nil
	}
	gocv.Threshold(paper, &ink, float32(0.5*s.contrast), 255, gocv.ThresholdBinary)
	labels, stats, centres := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer labels.Close()
	defer stats.Close()
	defer centres.Close()
	n := gocv.ConnectedComponentsWithStats(ink, &labels, &stats, &centres)
	var pieces []photo.Rect
	for i := 1; i < n; i++ {
		r := photo.Rect{X: float64(stats.GetIntAt(i, 0)), Y: float64(stats.GetIntAt(i, 1)), W: float64(stats.GetIntAt(i, 2)), H: float64(stats.GetIntAt(i, 3))}
		if r.H >= 0.5*s.small && r.H <= 1.6*s.large && r.W <= 5*s.large && r.W >= 2 {
			pieces = append(pieces, r)
		}
	}
	if len(pieces) > maxComponents {
		return nil
	}
	return s.joinPieces(pieces)
}

// joinPieces makes lines of pieces.
func (s printSize) joinPieces(pieces []photo.Rect) []photo.Rect {
	slices.SortFunc(pieces, func(a, b photo.Rect) int { return compare(a.X, b.X) })
	type row struct {
		photo.Rect
		n    int
		last photo.Rect
	}
	var rows []row
	for _, p := range pieces {
		best, near := -1, 0.0
		for i, r := range rows {
			overlap := min(p.Y+p.H, r.last.Y+r.last.H) - max(p.Y, r.last.Y)
			gap := p.X - (r.X + r.W)
			if overlap < 0.5*min(p.H, r.last.H) || gap > 0.75*max(r.H, p.H) || max(p.H, r.last.H) > 2.2*min(p.H, r.last.H) {
				continue
			}
			if best < 0 || gap < near {
				best, near = i, gap
			}
		}
		if best < 0 {
			rows = append(rows, row{p, 1, p})
			continue
		}
		r := &rows[best]
		x1, y1 := max(r.X+r.W, p.X+p.W), max(r.Y+r.H, p.Y+p.H)
		r.Y = min(r.Y, p.Y)
		r.W, r.H = x1-r.X, y1-r.Y
		r.n, r.last = r.n+1, p
	}
	var out []photo.Rect
	for _, r := range rows {
		// Letters of small print run together: a long piece may be a word.
		if (r.n >= 3 && r.W >= 1.5*r.H || r.W >= 2.5*r.H) && r.H >= 0.7*s.small && r.H <= 1.8*s.large {
			out = append(out, r.Rect)
		}
	}
	slices.SortFunc(out, func(a, b photo.Rect) int { return compare(a.Y, b.Y) })
	return out
}
