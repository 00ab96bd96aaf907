package reader

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/proofline/proofline/photo"
	"gocv.io/x/gocv"
)

// What has to be seen before something counts as a zone or as read; measured
// in docs/mrz.md.
const (
	minPeriodicity = 0.12
	minProbe       = 0.35 // of a line, to look further
	minMean        = 0.55 // mean probability over the zone, to call it found
	minCertain     = 0.60 // smallest probability, to call it valid
)

// search goes from the most to the least promising line and returns the
// first zone read without doubt, or the best of a few.
func (w *worker) search(ctx context.Context, grey gocv.Mat) (*Result, error) {
	lines, err := findLines(grey)
	if err != nil {
		return nil, fmt.Errorf("find text lines: %w", err)
	}
	cand, err := w.promising(lines)
	if err != nil {
		return nil, err
	}
	var top *zone
	tried := 0
	var seen []line
	for _, l := range cand {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("read MRZ: %w", err)
		}
		if l.score < minProbe || tried >= 4 {
			break
		}
		if slices.ContainsFunc(seen, func(o line) bool { return sameLine(o, l) }) {
			continue
		}
		tried++
		block, err := w.block(l)
		if err != nil {
			return nil, err
		}
		for _, r := range block {
			seen = append(seen, r.line)
		}
		z, err := interpret(block)
		if err != nil {
			return nil, err
		}
		if z != nil && (top == nil || z.rank() > top.rank()) {
			top = z
		}
		if top != nil && top.doc.Valid {
			break
		}
	}
	if top == nil || !top.isZone() {
		return nil, nil
	}
	return top.result(), nil
}

// promising measures pitch and probes each line, best first.
func (w *worker) promising(lines []line) ([]line, error) {
	var out []line
	for _, l := range lines {
		pitch, strength, err := w.levels.periodicity(l)
		if err != nil {
			return nil, fmt.Errorf("measure pitch: %w", err)
		}
		n := l.length / math.Max(pitch, 1e-9)
		if strength < minPeriodicity || n < 14 || n > 64 {
			continue
		}
		l.pitch, l.score = pitch, strength*math.Min(1, n/28)
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b line) int { return compare(b.score, a.score) })
	out = out[:min(len(out), maxLines)]
	for i, l := range out {
		l, err := w.levels.straighten(l)
		if err != nil {
			return nil, fmt.Errorf("straighten: %w", err)
		}
		l.score = 0
		if out[i], err = w.probe(l); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b line) int { return compare(b.score, a.score) })
	return out, nil
}

// interpret tries every run of two or three neighbouring lines that could be
// a zone and keeps the best.
func interpret(block []reading) (*zone, error) {
	var top *zone
	for _, size := range []struct{ lines, width int }{{3, 30}, {2, 44}, {2, 36}} {
		for i := 0; i+size.lines <= len(block); i++ {
			part := block[i : i+size.lines]
			if !slices.ContainsFunc(part, func(r reading) bool {
				n := float64(len(r.free.at))
				return math.Abs(n-float64(size.width)) <= 0.13*float64(size.width)
			}) {
				continue
			}
			z, err := decode(part, size.width)
			if err != nil {
				return nil, fmt.Errorf("decode: %w", err)
			}
			if top == nil || z.rank() > top.rank() {
				top = z
			}
		}
	}
	return top, nil
}

// rank orders interpretations: check digits that hold, then how sure the
// characters are.
func (z *zone) rank() float64 {
	r := z.mean + 0.5*float64(z.passed)/float64(max(1, z.checks))
	if z.doc.Valid {
		r++
	}
	return r
}

// isZone tells a zone from other text of constant pitch.
func (z *zone) isZone() bool {
	if z.mean < minMean {
		return false
	}
	return z.passed >= 2 || z.mean > 0.8
}

func (z *zone) result() *Result {
	conf := z.confidence()
	r := &Result{Found: true, Format: string(z.doc.Format), Lines: z.lines, Document: z.doc, Repairs: z.repairs,
		Confidence: conf, Valid: z.doc.Valid && conf >= minCertain}
	if r.Repairs == nil {
		r.Repairs = []Repair{}
	}
	for i, l := range z.lines {
		p := make([]float64, len(l))
		for k := range l {
			p[k] = math.Round(1000*z.cells[i][k][classOf(l[k])]) / 1000
		}
		r.Characters = append(r.Characters, p)
	}
	first, last := z.readings[0], z.readings[len(z.readings)-1]
	h := 0.7 * first.line.pitch
	corner := func(rd reading, p photo.Point, along, down float64) photo.Point {
		a, b := rd.line.local(p)
		return rd.line.at(a+along, b+down)
	}
	r.Region = photo.Quad{corner(first, first.start, -h, -h), corner(first, first.end, h, -h),
		corner(last, last.end, h, h), corner(last, last.start, -h, h)}
	turn := math.Atan2(-first.line.uy, first.line.ux) * 180 / math.Pi
	r.Rotation = (int(math.Round(turn/90))*90 + 360) % 360
	return r
}
