package document

import (
	"fmt"
	"image"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// zone is a machine readable zone by its looks: two or three lines of evenly
// spaced characters across the sheet. It is evidence for orientation and class
// only; reading it is the business of mrz/reader.
type zone struct {
	rect  photo.Rect // relative to the sheet: 0-1 of its width and height
	lines int
	chars float64 // characters per width of the sheet, from their spacing
	score float64 // 0-1
}

const zoneWidth = 800

// findZone looks for a machine readable zone on a rectified sheet, in the lower
// or the upper part. Doc 9303-3: OCR-B size 1, 10 characters per inch.
func findZone(sheet gocv.Mat) (zone, bool, error) {
	h := max(1, sheet.Rows()*zoneWidth/max(1, sheet.Cols()))
	small, grey, dark := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer small.Close()
	defer grey.Close()
	defer dark.Close()
	k := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(17, 13))
	defer k.Close()
	err := gocv.Resize(sheet, &small, image.Pt(zoneWidth, h), 0, 0, gocv.InterpolationArea)
	if err == nil {
		err = gocv.CvtColor(small, &grey, gocv.ColorBGRToGray)
	}
	if err == nil {
		err = gocv.MorphologyEx(grey, &dark, gocv.MorphBlackhat, k)
	}
	var p []byte
	if err == nil {
		p, err = dark.DataPtrUint8()
	}
	if err != nil {
		return zone{}, false, fmt.Errorf("look for a machine readable zone: %w", err)
	}
	// Print of a zone is among the darkest there is; guilloches and other
	// background are not. How much darker depends on the light, so two levels
	// are tried.
	var hist [256]int
	for _, v := range p {
		hist[v]++
	}
	ink, seen := 255, 0
	for ; ink > 0 && seen < len(p)/50; ink-- {
		seen += hist[ink]
	}
	tops := darkest(p, h)
	best, found := zone{}, false
	for _, f := range []float64{0.32, 0.5} {
		z, ok := zoneAt(p, tops, math.Max(12, f*float64(ink)))
		if ok && z.score > best.score {
			best, found = z, true
		}
	}
	return best, found && best.score > 0.45, nil
}

// A row of the sheet in cells of about a character.
const (
	zoneCells = 40
	cellWidth = zoneWidth / zoneCells
)

// darkest is how much darker than its surroundings each cell of each row gets.
func darkest(p []byte, h int) []byte {
	out := make([]byte, h*zoneCells)
	for i := range out {
		top := byte(0)
		for _, v := range p[i*cellWidth : (i+1)*cellWidth] {
			top = max(top, v)
		}
		out[i] = top
	}
	return out
}

// zoneAt looks for the zone among the rows that have something darker than
// floor nearly everywhere across.
func zoneAt(p, tops []byte, floor float64) (zone, bool) {
	h := len(tops) / zoneCells
	cover := make([]float64, h)
	for y := range cover {
		n := 0
		for _, top := range tops[y*zoneCells : (y+1)*zoneCells] {
			if float64(top) > floor {
				n++
			}
		}
		cover[y] = float64(n) / zoneCells
	}
	var runs [][2]int
	for y := 0; y < h; y++ {
		if cover[y] < 0.66 {
			continue
		}
		e := y
		for e < h && cover[e] >= 0.55 {
			e++
		}
		if n := e - y; n >= 8 && n <= 44 {
			runs = append(runs, [2]int{y, e})
		}
		y = e
	}
	best, found := zone{}, false
	for i := range runs {
		group := [][2]int{runs[i]}
		for j := i + 1; j < len(runs) && len(group) < 3; j++ {
			last := group[len(group)-1]
			gap := runs[j][0] - last[1]
			a, b := float64(last[1]-last[0]), float64(runs[j][1]-runs[j][0])
			if gap > 36 || math.Min(a, b) < 0.5*math.Max(a, b) {
				break
			}
			group = append(group, runs[j])
		}
		if len(group) < 2 {
			continue
		}
		z := zone{lines: len(group)}
		top, bottom := group[0][0], group[len(group)-1][1]
		z.rect = photo.Rect{X: 0.03, Y: float64(top) / float64(h), W: 0.94, H: float64(bottom-top) / float64(h)}
		var power float64
		z.chars, power = spacing(p, group)
		if z.chars == 0 { // even lines, but not evenly spaced characters: other print
			continue
		}
		z.score = math.Min(1, 0.35*float64(len(group)-1)+power)
		if mid := z.rect.Y + z.rect.H/2; mid > 0.38 && mid < 0.62 {
			z.score *= 0.4 // neither at the foot nor at the head
		}
		if z.score > best.score {
			best, found = z, true
		}
	}
	return best, found
}

// spacing measures the period of the characters: every line's column profile is
// correlated with waves of 26 to 54 periods per width, and the powers added.
func spacing(p []byte, lines [][2]int) (chars, power float64) {
	const lo, hi, step = 26.0, 54.0, 0.25
	n := int((hi-lo)/step) + 1
	sum := make([]float64, n)
	var total float64
	profile := make([]float64, zoneWidth)
	for _, l := range lines {
		var mean float64
		for x := range profile {
			profile[x] = 0
			for y := l[0]; y < l[1]; y++ {
				profile[x] += float64(p[y*zoneWidth+x])
			}
			mean += profile[x] / zoneWidth
		}
		var energy float64
		for x := range profile {
			// Hann window: the zone does not reach the sheet's edges.
			profile[x] = (profile[x] - mean) * math.Sin(math.Pi*(float64(x)+0.5)/zoneWidth)
			energy += profile[x] * profile[x]
		}
		if energy == 0 {
			continue
		}
		total++
		for i := range sum {
			f := 2 * math.Pi * (lo + float64(i)*step) / zoneWidth
			var re, im float64
			s, c := math.Sincos(f)
			cr, ci := 1.0, 0.0
			for _, v := range profile {
				re += v * cr
				im += v * ci
				cr, ci = cr*c-ci*s, cr*s+ci*c
			}
			sum[i] += (re*re + im*im) / (energy * zoneWidth / 2)
		}
	}
	if total == 0 {
		return 0, 0
	}
	best := 0
	for i := range sum {
		if sum[i] > sum[best] {
			best = i
		}
	}
	power = sum[best] / total
	if power < 0.08 {
		return 0, power
	}
	return lo + float64(best)*step, power
}
