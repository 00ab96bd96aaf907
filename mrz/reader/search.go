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
	minPeriodicity = 0.08
	minProbe       = 0.30 // of a line, to look further
	clearProbe     = 0.70 // of a line, to look no further before reading it
	faintProbe     = 0.06 // of a line, to try another shape of its letters
	minFit         = 0.80 // of the evidence for characters, explained by a width
	minMean        = 0.55 // mean probability over the zone, to call it found
	minCertain     = 0.80 // smallest probability, to call it valid
)

// search goes from the most to the least promising line and returns the
// first zone read without doubt, or the best of a few.
func (w *worker) search(ctx context.Context, grey gocv.Mat) (*Result, error) {
	s := state{worker: w}
	sheets, err := sheetsOf(grey)
	if err != nil {
		return nil, fmt.Errorf("find text lines: %w", err)
	}
	defer closeSheets(sheets)
	for _, how := range searches {
		if err := s.pass(ctx, sheets, how); err != nil {
			return nil, err
		}
		if s.done() {
			break
		}
	}
	if s.top == nil || !s.top.isZone() {
		return nil, nil
	}
	return s.top.result(), nil
}

// pass runs one search over the photo.
func (s *state) pass(ctx context.Context, sheets []sheet, how masking) error {
	lines, err := findLines(sheets, how)
	if err != nil {
		return fmt.Errorf("find text lines: %w", err)
	}
	cand, err := s.promising(s.fresh(lines), how.lines)
	if err != nil {
		return err
	}
	var later []line
	for _, l := range cand {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read MRZ: %w", err)
		}
		if s.knows(l) {
			continue
		}
		s.tried = append(s.tried, l.found)
		if l, err = s.probe(l); err != nil {
			return fmt.Errorf("probe line: %w", err)
		}
		if l.score < clearProbe {
			later = append(later, l)
			continue
		}
		if err := s.expand(l); err != nil {
			return err
		}
		if s.done() {
			break
		}
	}
	slices.SortFunc(later, func(a, b line) int { return compare(b.score, a.score) })
	for i, l := range later {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read MRZ: %w", err)
		}
		if s.done() || i >= maxLater || l.score < minProbe {
			break
		}
		if s.knows(l) {
			continue
		}
		if err := s.expand(l); err != nil {
			return err
		}
	}
	return nil
}

// maxLater bounds how many unclear lines are read in full.
const maxLater = 3

// state is what a search has seen so far.
type state struct {
	*worker
	top   *zone
	seen  []line
	tried []outline
}

// fresh leaves out the lines that an earlier pass has found alike and probed.
func (s *state) fresh(lines []line) []line {
	out := lines[:0]
	for _, l := range lines {
		l.found = outline{l.x, l.y, l.length, l.height, l.ux, l.uy}
		if !slices.ContainsFunc(s.tried, l.found.like) {
			out = append(out, l)
		}
	}
	return out
}

func (s *state) done() bool { return s.top != nil && s.top.doc.Valid }

func (s *state) knows(l line) bool {
	return slices.ContainsFunc(s.seen, func(o line) bool {
		a, b := o.local(l.at(0, 0))
		return o.angleTo(l) < 0.1 && math.Abs(b) < 0.5*o.pitch && math.Abs(a) < o.length/2
	})
}

// expand reads a line and its neighbours and keeps the zone if it is the best.
func (s *state) expand(l line) error {
	block, z, err := s.block(l)
	if err != nil {
		return fmt.Errorf("read lines: %w", err)
	}
	s.seen = append(s.seen, l)
	for _, r := range block {
		s.seen = append(s.seen, r.line)
	}
	if z != nil && (s.top == nil || z.rank() > s.top.rank()) {
		s.top = z
	}
	return nil
}

// promising measures pitch and orders lines by how strongly and how long
// they keep it.
func (w *worker) promising(lines []line, most int) ([]line, error) {
	var out []line
	for _, l := range lines {
		pitch, strength, err := w.levels.periodicity(l)
		if err != nil {
			return nil, fmt.Errorf("measure pitch: %w", err)
		}
		n := l.length / math.Max(pitch, 1e-9)
		if strength < minPeriodicity || n < 8 || n > 64 {
			continue
		}
		l.pitch, l.score = pitch, strength*math.Min(1, n/28)
		out = append(out, l)
	}
	for i := range out {
		if slices.ContainsFunc(out, func(o line) bool { return twins(out[i], o) }) {
			out[i].score *= 2
		}
	}
	slices.SortFunc(out, func(a, b line) int { return compare(b.score, a.score) })
	out = out[:min(len(out), most)]
	for i, l := range out {
		l, err := w.levels.straighten(l)
		if err != nil {
			return nil, fmt.Errorf("straighten: %w", err)
		}
		out[i] = l
	}
	return out, nil
}

// twins reports whether two lines lie as two lines of one zone do.
func twins(a, b line) bool {
	along, across := a.local(b.at(0, 0))
	off := math.Abs(across) / math.Min(a.pitch, a.height)
	return off > minSpacing && off < 2*maxSpacing && math.Abs(along) < 0.15*a.length && math.Abs(a.pitch/b.pitch-1) < 0.08 && a.angleTo(b) < 0.08
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
				return math.Abs(n-float64(size.width)) <= 0.17*float64(size.width)
			}) {
				continue
			}
			z, err := decode(part, size.width)
			if err != nil {
				return nil, fmt.Errorf("decode: %w", err)
			}
			if z.fit >= minFit && (top == nil || z.rank() > top.rank()) {
				top = z
			}
		}
	}
	return top, nil
}

// rank orders interpretations: check digits that hold, then how sure the
// characters are.
func (z *zone) rank() float64 {
	r := z.mean + 2*z.fit + 0.5*float64(z.passed)/float64(max(1, z.checks))
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
		Confidence: conf, Valid: z.doc.Valid && !z.doubtful && conf >= minCertain}
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
