package ocr

import (
	"slices"

	"github.com/proofline/proofline/photo"
)

// rows groups the words into rows by where they stand, left to right and top
// to bottom. Tesseract's own lines end at column gaps, which is not what a
// form with captions in columns needs.
func (p *Page) rows() [][]Word {
	words := slices.Clone(p.Words)
	slices.SortStableFunc(words, func(a, b Word) int {
		return compare(a.Box.Centre().Y, b.Box.Centre().Y)
	})
	usual := usualHeight(words)
	var rows, alone [][]Word
	for _, w := range words {
		if w.Box.H <= 0 || w.Text == "" {
			continue
		}
		// A pattern or a picture that was taken for a tall word reaches over
		// several rows and must not join them.
		if w.Box.H > 2.2*usual {
			alone = append(alone, []Word{w})
			continue
		}
		// Of the last rows: what stands in a picture beside the text may be a row
		// of its own between two words of another.
		at := -1
		for n := len(rows) - 1; n >= 0 && n >= len(rows)-4 && at < 0; n-- {
			if beside(w, rows[n]) {
				at = n
			}
		}
		if at < 0 {
			rows = append(rows, []Word{w})
			continue
		}
		rows[at] = append(rows[at], w)
	}
	rows = append(rows, alone...)
	for _, r := range rows {
		slices.SortStableFunc(r, func(a, b Word) int { return compare(a.Box.X, b.Box.X) })
	}
	slices.SortStableFunc(rows, func(a, b []Word) int { return compare(a[0].Box.Centre().Y, b[0].Box.Centre().Y) })
	return rows
}

// beside: a word stands at the height of the word of a row that is nearest to it.
func beside(w Word, row []Word) bool {
	near := row[0]
	for _, o := range row[1:] {
		if apart(w.Box, o.Box) < apart(w.Box, near.Box) {
			near = o
		}
	}
	overlap := min(w.Box.Y+w.Box.H, near.Box.Y+near.Box.H) - max(w.Box.Y, near.Box.Y)
	return overlap > 0.5*min(w.Box.H, near.Box.H)
}

// apart is the gap between two boxes from left to right, 0 where they overlap.
func apart(a, b photo.Rect) float64 {
	return max(0, a.X-b.X-b.W, b.X-a.X-a.W)
}

// usualHeight is the median of the words' heights.
func usualHeight(words []Word) float64 {
	var hs []float64
	for _, w := range words {
		if w.Box.H > 0 {
			hs = append(hs, w.Box.H)
		}
	}
	if len(hs) == 0 {
		return 0
	}
	slices.Sort(hs)
	return hs[len(hs)/2]
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
