package ocr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// The reading of a page passes some lines over, or takes a pattern behind them
// for their strokes, though each is legible by itself. These bound the second
// look at them.
const (
	maxPassed    = 14   // lines that are read again
	doubtfulWord = 0.4  // confidence below which a word does not count as read,
	certainWord  = 0.6  // and from which it does where it is of no caption,
	faintWord    = 0.15 // and below which it is no word of a line
)

// passedOver looks for lines of print that the reading of the page did not see
// or was not sure of, and reads each by itself. It returns all words of the page.
func (rd *Reader) passedOver(ctx context.Context, t *Template, p imprint, rows [][]Word) ([][]Word, error) {
	m, words := p.sharp, slices.Concat(rows...)
	size, ok := printOf(m, words)
	if !ok {
		return rows, nil
	}
	pieces := size.pieces(m)
	all := size.lines(slices.Clone(pieces))
	words = trimmed(words, all)
	rows = (&Page{Words: words}).rows()
	area := t.within(float64(m.Cols()), float64(m.Rows()))
	labels := t.anchors(rows)
	known := understood(rows, labels)
	var lines []photo.Rect
	if t.captioned() && !t.Beside {
		lines = orphans(m, size, rows, labels)
	}
	strips := len(lines)
	for _, r := range all {
		if contains(area, r.Centre()) && !machineReadable(r, words) && covered(r, known) < 0.7 {
			lines = append(lines, r)
		}
	}
	// Pictures look like print in places. What begins where other print does is
	// more likely some; what is read must be a caption or be read well.
	aligned := func(r photo.Rect) int {
		if slices.ContainsFunc(known, func(w Word) bool { d := w.Box.X - r.X; return d > -r.H/2 && d < r.H/2 && w.Confidence > sure }) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(lines[strips:], func(a, b photo.Rect) int { return aligned(a) - aligned(b) })
	out := slices.Clone(words)
	for i, r := range lines[:min(len(lines), maxPassed)] {
		found, err := rd.lineWords(ctx, t, p, r, i < strips)
		if err != nil {
			return nil, err
		}
		if len(t.findLabels(found)) == 0 && confidence(found) < certainWord {
			continue
		}
		for k := range found {
			found[k].Line = 1000 + i // of none of the page's lines
			found[k].Box = around(found[k].Box, pieces)
		}
		out = t.joinWords(out, found, r)
	}
	return (&Page{Words: out}).rows(), nil
}

// confidence is the mean of words' by their letters.
func confidence(words []Word) float64 {
	sum, n := 0.0, 0
	for _, w := range words {
		k := letters(w.Text) + digits(w.Text)
		sum, n = sum+w.Confidence*float64(k), n+k
	}
	return sum / float64(max(n, 1))
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

// joinWords takes the better of two readings of a line: the one with captions,
// else the one with more letters that the engine is sure of.
func (t *Template) joinWords(page, line []Word, r photo.Rect) []Word {
	var old, out []Word
	for _, w := range page {
		if contains(r, w.Box.Centre()) {
			old = append(old, w)
			// What reaches beyond the line was not seen whole by its reading.
			if readable(w) && w.Box.W > r.W+r.H {
				return page
			}
			continue
		}
		out = append(out, w)
	}
	slices.SortStableFunc(old, func(a, b Word) int { return compare(a.Box.X, b.Box.X) })
	before, after := len(t.findLabels(old)), len(t.findLabels(line))
	if after > before || after == before && sureLetters(line) > 1.05*sureLetters(old) {
		return append(out, line...)
	}
	return page
}

// sureLetters counts the letters of words by how sure the engine is of them.
func sureLetters(words []Word) float64 {
	sum := 0.0
	for _, w := range words {
		sum += w.Confidence * float64(letters(w.Text)+digits(w.Text))
	}
	return sum
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

// lineWords reads a line, in another way where the first does not make it out,
// and returns its words in the page's coordinates.
func (rd *Reader) lineWords(ctx context.Context, t *Template, p imprint, r photo.Rect, strip bool) ([]Word, error) {
	names := rd.Names
	if names == nil {
		names = rd.Page
	}
	var best []Word
	for _, way := range []struct {
		e Engine
		m gocv.Mat
		p preparation
	}{{rd.Page, p.sharp, asIs}, {rd.Page, p.plain, clean}, {names, p.sharp, small}} {
		if way.e == names && !strip {
			break
		}
		found, err := rd.words(ctx, way.e, way.m, r, way.p)
		if err != nil {
			return nil, err
		}
		if strip {
			if len(t.findLabels(found)) > 0 {
				return found, nil
			}
			continue
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

func (rd *Reader) words(ctx context.Context, e Engine, m gocv.Mat, r photo.Rect, p preparation) ([]Word, error) {
	where := photo.Rect{X: r.X - 0.35*r.H, Y: r.Y - 0.3*r.H, W: r.W + 0.7*r.H, H: 1.6 * r.H}
	crop, ok := line(m, where, r.H, p)
	if !ok {
		return nil, nil
	}
	defer crop.Close()
	page, err := e.Read(ctx, crop, Request{PSM: 7})
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
		w.Box.X, w.Box.Y = w.Box.X+float64(in.Min.X), w.Box.Y+float64(in.Min.Y)
		top, foot := max(w.Box.Y, r.Y), min(w.Box.Y+w.Box.H, r.Y+r.H)
		if foot <= top {
			continue
		}
		w.Box.Y, w.Box.H = top, foot-top
		out = append(out, w)
	}
	return out, nil
}
