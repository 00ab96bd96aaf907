package ocr

import (
	"image"
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// maxComponents bounds the pieces of print on a page; more is a pattern.
const maxComponents = 4000

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

// pieces are the letters of the page, some joined, as connected ink.
func (s printSize) pieces(m gocv.Mat) []photo.Rect {
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
	return pieces
}

// lines are the rows of pieces that stand at the distance of letters and words.
func (s printSize) lines(pieces []photo.Rect) []photo.Rect {
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

// trimmed are the words with boxes as high as the lines of print that they stand
// on: an accent that touches a caption, or a picture above, makes the engine's
// boxes reach over other rows.
func trimmed(words []Word, lines []photo.Rect) []Word {
	out := slices.Clone(words)
	for i, w := range out {
		var on photo.Rect
		for _, l := range lines {
			across := min(w.Box.X+w.Box.W, l.X+l.W) - max(w.Box.X, l.X)
			down := min(w.Box.Y+w.Box.H, l.Y+l.H) - max(w.Box.Y, l.Y)
			if across > 0.6*w.Box.W && down > 0.7*l.H && l.H > on.H {
				on = l
			}
		}
		if on.H > 0 && w.Box.H > 1.15*on.H {
			top, foot := max(w.Box.Y, on.Y), min(w.Box.Y+w.Box.H, on.Y+on.H)
			out[i].Box.Y, out[i].Box.H = top, foot-top
		}
	}
	return out
}

// around is the height of the print in a box: a line's words all come with the
// height of the line.
func around(b photo.Rect, pieces []photo.Rect) photo.Rect {
	top, foot := b.Y+b.H, b.Y
	for _, p := range pieces {
		if contains(b, p.Centre()) {
			top, foot = min(top, p.Y), max(foot, p.Y+p.H)
		}
	}
	if foot-top < 0.3*b.H {
		return b
	}
	b.Y, b.H = top, foot-top
	return b
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
