package document

import (
	"fmt"
	"math"
	"sort"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

const (
	smallest    = 48   // pixels on the shorter side below which nothing is looked for
	thinnest    = 6.0  // proportion of a photo beyond which it is no photo of a document
	shortlist   = 300  // candidates that are looked at closely
	maxSkew     = 0.22 // |cos| between neighbouring sides of a sheet
	maxTilt     = 62 * math.Pi / 180
	convinced   = 0.85 // confidence that an outline alone needs to be reported
	worthALook  = 0.25 // confidence that suffices beside a zone or a portrait
	mostLooks   = 4    // outlines that are straightened to look for these
	overlapping = 0.15
)

// Find returns the documents in m, best first; none is an empty slice.
func (f *Finder) Find(m gocv.Mat, h Hints) ([]Found, error) {
	if m.Empty() || m.Type() != gocv.MatTypeCV8UC3 {
		return nil, fmt.Errorf("find document: want an 8-bit BGR picture, got %v", m.Type())
	}
	w, ht := float64(m.Cols()), float64(m.Rows())
	if math.Min(w, ht) < smallest || math.Max(w, ht)/math.Min(w, ht) > thinnest {
		return nil, nil
	}
	if h.Max <= 0 {
		h.Max = 2
	}
	mid, toPhoto, err := coarse(m, refineSide)
	if err != nil {
		return nil, fmt.Errorf("find document: %w", err)
	}
	defer mid.Close()
	candidates, err := outlines(mid)
	if err != nil {
		return nil, fmt.Errorf("find document: %w", err)
	}
	var out []Found
	for _, c := range candidates {
		found, ok, err := build(m, mid, c, toPhoto, h)
		if err != nil {
			return nil, fmt.Errorf("find document: %w", err)
		}
		if !ok {
			continue
		}
		if alt, better := c.alternative(&found); better {
			again, ok, err := build(m, mid, alt, toPhoto, h)
			if err != nil {
				return nil, fmt.Errorf("find document: %w", err)
			}
			if ok && again.Class == found.Class {
				found = again
			}
		}
		if found.Confidence < convinced && !found.Upright {
			continue
		}
		out = append(out, found)
	}
	// What carries a zone or a portrait comes before what is only a rectangle.
	sort.SliceStable(out, func(i, j int) bool { return rank(&out[i]) > rank(&out[j]) })
	if len(out) == 0 || !out[0].Upright {
		whole, ok, err := wholeFrame(m, mid, h)
		if err != nil {
			return nil, fmt.Errorf("find document: %w", err)
		}
		if ok {
			out = []Found{whole}
		}
	}
	if len(out) > h.Max {
		out = out[:h.Max]
	}
	for i := range out {
		if err := out[i].straighten(m, h); err != nil {
			closeAll(out[:i])
			return nil, fmt.Errorf("find document: %w", err)
		}
	}
	return out, nil
}

// A zone beside a portrait is more than either: the ghost image on the page
// opposite is a portrait too.
func rank(f *Found) float64 {
	r := f.Confidence
	if f.Upright {
		r++
	}
	if f.evidence > 1 {
		r++
	}
	return r
}

func closeAll(fs []Found) {
	for i := range fs {
		fs[i].Close()
	}
}

// outlines returns convincing candidates in pixels of mid, best first, none
// overlapping a better one.
func outlines(mid gocv.Mat) ([]candidate, error) {
	work, toMid, err := shrink(mid, workSide)
	if err != nil {
		return nil, err
	}
	defer work.Close()
	g, err := newGradient(work)
	if err != nil {
		return nil, err
	}
	defer gradients.Put(g)
	pic, blurred, err := newColours(work)
	if err != nil {
		return nil, err
	}
	defer blurred.Close()
	lines := findLines(g, g.edges(), pic)
	w, h := float64(work.Cols()), float64(work.Rows())
	lines = append(lines, frameLines(w, h)...)
	for i := range lines {
		lines[i].profile(g)
	}
	var list []candidate
	for _, c := range propose(lines, w, h, shortlist) {
		if c.judge(pic, float64(g.noise), w, h) {
			list = append(list, c)
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].score > list[j].score })
	polish := func(c candidate) candidate {
		var fixed [4]bool
		for i, s := range c.sides {
			fixed[i] = lines[s].border
		}
		c.quad = refine(mid, c.quad.Scaled(toMid), fixed, 3.5*toMid)
		return c
	}
	var out []candidate
next:
	for _, c := range list {
		if c.confidence() < worthALook {
			break
		}
		for i := range out {
			o := &out[i]
			if overlap(c.quad.Scaled(toMid).Bounds(), o.quad.Bounds()) <= overlapping {
				continue
			}
			if o.rival(c.quad.Scaled(toMid)) {
				c.polish = polish
				o.rivals = append(o.rivals, c)
			}
			continue next
		}
		if len(out) < mostLooks {
			out = append(out, polish(c))
		}
	}
	return out, nil
}

// rival tells whether q is another reading of the same sheet: it shares most of
// the area but has a side elsewhere.
func (c *candidate) rival(q photo.Quad) bool {
	if len(c.rivals) == 24 {
		return false
	}
	e, diagonal := 0.0, c.quad[0].Distance(c.quad[2])
	for i := range q {
		e = math.Max(e, q[i].Distance(c.quad[i]))
	}
	return e > 0.025*diagonal && e < 0.3*diagonal
}

// alternative returns the best other reading of the sheet when what it carries
// says that this one has the wrong proportion: the rule under a printed heading
// is easily taken for the edge of the sheet.
func (c *candidate) alternative(f *Found) (candidate, bool) {
	if f.MRZ == nil || len(f.CutOff) > 0 {
		return candidate{}, false
	}
	want := f.size
	off := func(k *candidate) float64 { return k.shape.off(want) }
	best, found := *c, false
	for i := range c.rivals {
		r := &c.rivals[i]
		if r.border == 0 && off(r) < 0.5*off(c) && off(c)-off(r) > 0.03 && (!found || r.score-2*off(r) > best.score-2*off(&best)) {
			best, found = *r, true
		}
	}
	if !found {
		return candidate{}, false
	}
	return best.polish(best), true
}

// judge adds to the edge support what needs a closer look: whether the sheet's
// proportion and perspective are possible, and whether its surface differs from
// what surrounds it.
func (c *candidate) judge(pic colours, noise, w, h float64) bool {
	if !c.normalise(w, h) {
		return false
	}
	s := c.shape
	if c.border == 0 && (s.skew > maxSkew || s.tilt > maxTilt || s.depth > 2.2) {
		return false
	}
	fit := plausible(s)
	if c.border > 0 {
		fit, s.skew = 0.45, 0 // sides are missing: neither proportion nor angles say anything
	} else if fit == 0 {
		return false
	}
	c.compare(pic, noise)
	weakest := 1.0
	for i := range c.strips {
		if c.support[i] > 0 {
			weakest = math.Min(weakest, c.strips[i])
		}
	}
	c.score += 0.30*c.step + 0.15*weakest + 0.22*fit - 0.6*s.skew - 0.12*s.tilt
	return true
}

// confidence maps the score to 0-1. The score has no natural scale: the curve
// is steepest where right and wrong outlines were equally frequent on seeded
// photos (docs/document.md).
func (c *candidate) confidence() float64 {
	return 1 / (1 + math.Exp(-7*(c.score-1.25)))
}

// overlap is the shared area over the smaller area.
func overlap(a, b photo.Rect) float64 {
	x := math.Min(a.X+a.W, b.X+b.W) - math.Max(a.X, b.X)
	y := math.Min(a.Y+a.H, b.Y+b.H) - math.Max(a.Y, b.Y)
	if x <= 0 || y <= 0 {
		return 0
	}
	return x * y / math.Max(1, math.Min(a.W*a.H, b.W*b.H))
}

// wholeFrame recognises a picture that is nothing but the document, a scan or
// a crop: it has the proportion of a document and carries a machine readable
// zone or a face where documents have them.
func wholeFrame(m, mid gocv.Mat, h Hints) (Found, bool, error) {
	w, ht := float64(m.Cols()), float64(m.Rows())
	c := candidate{quad: photo.Rect{W: float64(mid.Cols()), H: float64(mid.Rows())}.Quad(), whole: true}
	fit := plausible(shape{aspect: math.Max(w/ht, ht/w)})
	if fit < 0.2 {
		return Found{}, false, nil
	}
	if ht > w {
		c.rotate(c.quad, 1)
	}
	f, ok, err := build(m, mid, c, w/float64(mid.Cols()), h)
	if !ok || err != nil {
		return Found{}, false, err
	}
	if !f.Upright {
		return Found{}, false, nil
	}
	f.WholeFrame, f.CutOff = true, nil
	f.Confidence = 0.3 + 0.2*fit
	return f, true, nil
}
