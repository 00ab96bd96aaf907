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
	var rows [][]Word
	for _, w := range words {
		if w.Box.H <= 0 || w.Text == "" {
			continue
		}
		if n := len(rows); n > 0 {
			last := rows[n-1]
			// The same row: the middle of the word lies within the row's height.
			var top, bottom float64
			for i, o := range last {
				if i == 0 || o.Box.Y < top {
					top = o.Box.Y
				}
				bottom = max(bottom, o.Box.Y+o.Box.H)
			}
			mid := w.Box.Centre().Y
			first := last[0].Box
			if mid > top && mid < bottom && bottom-top < 2.2*first.H+w.Box.H {
				rows[n-1] = append(last, w)
				continue
			}
		}
		rows = append(rows, []Word{w})
	}
	for _, r := range rows {
		slices.SortStableFunc(r, func(a, b Word) int { return compare(a.Box.X, b.Box.X) })
	}
	return rows
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
