package ocr

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// maxCaptions bounds the captions that are read one by one on a sheet.
const maxCaptions = 12

// captions reads again, each by itself and enlarged, the small print before
// values in which the reading of the page found no caption: two or three letters
// at 2 mm, as North American cards have them, are often taken for others there.
func (rd *Reader) captions(ctx context.Context, t *Template, p imprint, rows [][]Word) ([][]Word, error) {
	labels := t.anchors(rows)
	column, ok := captionColumn(rows, labels)
	if !ok {
		return rows, nil
	}
	out, left := slices.Clone(rows), maxCaptions
	for i, r := range rows {
		n := unread(r, labels[i], column)
		if n == 0 || left == 0 {
			continue
		}
		left--
		next, err := rd.caption(ctx, t, p, r, n, len(labels[i]))
		if err != nil {
			return nil, err
		}
		if next != nil {
			out[i] = next
		}
	}
	return out, nil
}

// caption reads the first n words of a row in up to three ways, until they hold
// more captions than were known; nil where they do not.
func (rd *Reader) caption(ctx context.Context, t *Template, p imprint, r []Word, n, known int) ([]Word, error) {
	where := union(r[:n])
	around := photo.Rect{X: where.X - 0.5*where.H, Y: where.Y - 0.4*where.H, W: where.W + where.H, H: 1.8 * where.H}
	names := rd.Names
	if names == nil {
		names = rd.Page
	}
	for _, way := range []struct {
		e Engine
		m gocv.Mat
		p preparation
	}{{rd.Page, p.sharp, asIs}, {rd.Page, p.plain, clean}, {names, p.sharp, small}} {
		crop, ok := line(way.m, around, where.H, way.p)
		if !ok {
			return nil, nil
		}
		page, err := way.e.Read(ctx, crop, Request{PSM: 7})
		crop.Close()
		if err != nil {
			return nil, fmt.Errorf("ocr: read caption: %w", err)
		}
		if len(page.Words) == 0 {
			continue
		}
		again := Word{Text: join(page.Words), Confidence: page.Words[0].Confidence, Box: where, Line: r[0].Line}
		next := append([]Word{again}, r[n:]...)
		if len(t.numbered(next, t.findLabels(next))) > known {
			return next, nil
		}
	}
	return nil, nil
}

// captionColumn is where most captions of the sheet begin.
func captionColumn(rows [][]Word, labels [][]label) (float64, bool) {
	var xs []float64
	for i := range rows {
		if len(labels[i]) > 0 {
			xs = append(xs, labels[i][0].box.X)
		}
	}
	if len(xs) < 3 {
		return 0, false
	}
	slices.Sort(xs)
	return xs[len(xs)/2], true
}

// unread is the number of words at the beginning of a row that stand in the
// column of the captions, are printed small and hold no caption, with a value
// behind them.
func unread(r []Word, ls []label, column float64) int {
	d := r[0].Box.X - column
	if d < -r[0].Box.H || d > r[0].Box.H || len(ls) > 0 && ls[0].from == 0 {
		return 0
	}
	big := 0.0
	for _, w := range r {
		if !strings.ContainsAny(w.Text, ",;QJ") { // those reach below the line
			big = max(big, w.Box.H)
		}
	}
	n := 0
	// A lone digit may have been taken together with the pattern around it.
	for n < len(r) && n < 4 && (r[n].Box.H <= 0.85*big || n == 0 && len([]rune(r[n].Text)) <= 2) {
		n++
	}
	if n == len(r) || n == 4 {
		return 0
	}
	return n
}
