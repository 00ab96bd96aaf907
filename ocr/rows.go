package ocr

import "slices"

// rows groups the words into rows by where they stand, left to right and top
// to bottom. Tesseract's own lines end at column gaps, which is not what a
// form with captions in columns needs.
func (p *Page) rows() [][]Word {
	words := slices.Clone(p.Words)
	slices.SortStableFunc(words, func(a, b Word) int {
		return compare(a.Box.Centre().Y, b.Box.Centre().Y)
	})
	usual := usualHeight(words)
	var rows [][]Word
	var alone [][]Word
	top, bottom := 0.0, 0.0 // of the row being filled
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
		mid := w.Box.Centre().Y
		n := len(rows)
		// The same row: the middle of the word lies within the row's height.
		if n > 0 && mid > top && mid < bottom {
			rows[n-1] = append(rows[n-1], w)
			if h := max(bottom, w.Box.Y+w.Box.H) - min(top, w.Box.Y); h < 1.5*max(usual, bottom-top, w.Box.H) && w.Box.H > usual/3 {
				top, bottom = min(top, w.Box.Y), max(bottom, w.Box.Y+w.Box.H)
			}
			continue
		}
		rows = append(rows, []Word{w})
		top, bottom = w.Box.Y, w.Box.Y+w.Box.H
	}
	rows = append(rows, alone...)
	for _, r := range rows {
		slices.SortStableFunc(r, func(a, b Word) int { return compare(a.Box.X, b.Box.X) })
	}
	slices.SortStableFunc(rows, func(a, b []Word) int { return compare(a[0].Box.Centre().Y, b[0].Box.Centre().Y) })
	return rows
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
