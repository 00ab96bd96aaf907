package face

import (
	"math"
	"slices"
	"sort"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/photo"
)

const (
	// MinScore is the detector score below which a candidate is not reported.
	// It belongs to the detectors and decides nothing about a case.
	MinScore = 0.5
	// minSide is the shortest side of an image that is searched at all; less
	// holds no face that could be embedded.
	minSide = 16
	// maxRefined bounds the work on a photo of a crowd: the largest faces get
	// a second, closer look, the others keep the points of the first.
	maxRefined = 32
	maxTiles   = 9
	// roomForTwo is the side in pixels from which on a picture may show a
	// second face that is large enough to matter.
	roomForTwo = 200
	// nearShare is the share of a picture's side from which on a face makes the
	// far network needless. The near one finds faces from 0.14 of the side (150
	// of 150 of LFW; 146 at 0.12, 105 at 0.10), so it has seen every other face
	// of at least half that size; smaller ones matter to nobody.
	nearShare = 0.28
	// unconfirmed is the score that a face needs when the second look does not
	// see it; noise and texture rarely pass both.
	unconfirmed = 0.75
	// sameFace is the overlap (intersection over union) above which two boxes
	// are one face.
	sameFace = 0.3
	// refineScore is lower than MinScore, because a face is known to be there.
	refineScore = 0.4
	// tightMargin is how far a search goes beyond the edges of a picture that
	// is one tight face: the detectors were trained on faces with surroundings.
	tightMargin = 1.6
)

// cascade is the near network, which places points better, and the far one for
// the smaller faces that the near one misses.
type cascade struct{ near, far *blazeface }

// detect asks both in a picture that has room for a second person whom the near
// network may miss, so that a bystander is seen.
func (c *cascade) detect(m gocv.Mat, region photo.Rect, minScore float64) ([]Face, error) {
	found, err := c.near.detect(m, region, minScore)
	if err != nil || len(found) > 0 && region.W < roomForTwo || fills(found, region) {
		return found, err
	}
	more, err := c.far.detect(m, region, minScore)
	return append(found, more...), err
}

// fills reports whether a clear face takes up so much of the square region that
// the near network has seen all that matter.
func fills(found []Face, region photo.Rect) bool {
	return slices.ContainsFunc(found, func(f Face) bool { return f.Score >= unconfirmed && f.Box.W >= nearShare*region.W })
}

// fallback asks the second detector too where the first finds nothing, or no face
// above a fifth of the side: YuNet learnt faces of up to 300 of its 640 pixels,
// and where one fills the picture it finds something small instead.
type fallback struct{ first, second detector }

func (d fallback) detect(m gocv.Mat, region photo.Rect, minScore float64) ([]Face, error) {
	found, err := d.first.detect(m, region, minScore)
	if err != nil || slices.ContainsFunc(found, func(f Face) bool { return f.Box.W > region.W/5 }) {
		return found, err
	}
	more, err := d.second.detect(m, region, minScore)
	return append(found, more...), err
}

// Detect returns the faces in a photo, largest first; none is an empty result
// and no error. It looks at the whole photo, then, while nothing is found, at
// the photo with a margin (a tight crop of a face) and at overlapping tiles
// (small faces). Each face is detected again on close crops, which places the
// points more exactly. Only faces that are upright within about 45° are found;
// see DetectAnyRotation.
func (e *Engine) Detect(m gocv.Mat) ([]Face, error) {
	bgr, ok := dnn.BGR(m)
	if !ok {
		return nil, nil
	}
	defer bgr.Close()
	return e.detectBGR(bgr)
}

func (e *Engine) detectBGR(m gocv.Mat) ([]Face, error) { return e.detectWithin(m, true) }

// detectWithin searches a photo; fine says whether tiles are searched too when
// nothing, or only small faces, are found in the whole.
func (e *Engine) detectWithin(m gocv.Mat, fine bool) ([]Face, error) {
	w, h := m.Cols(), m.Rows()
	if min(w, h) < minSide {
		return nil, nil
	}
	found, err := e.search(m, tiles(w, h, false))
	if err == nil && len(found) == 0 {
		found, err = e.search(m, []photo.Rect{squareAround(photo.Rect{W: float64(w), H: float64(h)}, tightMargin)})
	}
	if err == nil && fine && small(found, w, h) {
		var more []Face
		more, err = e.search(m, tiles(w, h, true))
		found = append(found, more...)
	}
	if err != nil {
		return nil, err
	}
	found = distinct(found)
	largestFirst(found)
	var kept []Face
	for i, f := range found {
		if i < maxRefined {
			if f, err = e.refine(m, f); err != nil {
				return nil, err
			}
		}
		if f.Score >= MinScore {
			kept = append(kept, f)
		}
	}
	kept = distinct(kept)
	largestFirst(kept)
	return kept, nil
}

// small tells that a picture shows no face, or none above an eighth of its
// shorter side: where one is that small, there may be more that were missed.
func small(found []Face, w, h int) bool {
	for _, f := range found {
		if f.Box.W > float64(min(w, h))/8 {
			return false
		}
	}
	return true
}

func (e *Engine) search(m gocv.Mat, regions []photo.Rect) ([]Face, error) {
	var found []Face
	for _, r := range regions {
		fs, err := e.detector.detect(m, r, MinScore)
		if err != nil {
			return nil, err
		}
		found = append(found, fs...)
	}
	return distinct(found), nil
}

// refinements are the framings, in face widths, at which a face is detected
// again. The near network places points best on a square of about 2.2 times
// the face; the mean over three framings halves the jitter that any one of
// them has (docs/biometrics.md has the effect on error rates).
var refinements = []float64{1.8, 2.2, 2.7}

// refine detects a face again on close crops and averages what is found there.
// Without a face there the first finding stands if it was a clear one or if all
// detectors together see it in another framing; otherwise its score becomes 0.
func (e *Engine) refine(m gocv.Mat, f Face) (Face, error) {
	var again []Face
	for _, scale := range e.refinements {
		found, err := e.close.detect(m, squareAround(f.Box, scale), refineScore)
		if err != nil {
			return f, err
		}
		if g, ok := closest(found, f); ok {
			again = append(again, g)
		}
	}
	if len(again) == 0 && f.Score < unconfirmed {
		found, err := e.detector.detect(m, squareAround(f.Box, tightMargin), refineScore)
		if err != nil {
			return f, err
		}
		if _, ok := closest(found, f); !ok {
			f.Score = 0
		}
		return f, nil
	}
	if len(again) == 0 {
		return f, nil
	}
	out := average(again)
	out.Score = math.Max(out.Score, f.Score)
	return out, nil
}

// closest is the candidate that overlaps f most, if any overlaps it enough to
// be the same face.
func closest(found []Face, f Face) (Face, bool) {
	best, at := sameFace, -1
	for i, g := range found {
		if o := overlap(f.Box, g.Box); o > best {
			best, at = o, i
		}
	}
	if at < 0 {
		return Face{}, false
	}
	return found[at], true
}

// tiles are the squares that a photo is searched in: the whole photo, or a row
// of overlapping squares when it is much longer than wide, because scaling a
// strip into the network's square input would shrink faces away. fine asks for
// squares of half the side, overlapping by half.
func tiles(w, h int, fine bool) []photo.Rect {
	short, long := math.Min(float64(w), float64(h)), math.Max(float64(w), float64(h))
	side := long
	if long > 2.5*short {
		side = short
	}
	if fine {
		side = math.Max(side/2, minSide)
	}
	steps := func(length float64) int {
		if length <= side {
			return 1
		}
		return int(math.Ceil((length-side)/(side/2))) + 1
	}
	nx, ny := steps(float64(w)), steps(float64(h))
	for nx*ny > maxTiles { // bounded work on a ribbon: larger tiles
		side *= 1.25
		nx, ny = steps(float64(w)), steps(float64(h))
	}
	start := func(i, n int, length float64) float64 {
		if n == 1 {
			return (length - side) / 2
		}
		return float64(i) * (length - side) / float64(n-1)
	}
	var out []photo.Rect
	for y := range ny {
		for x := range nx {
			out = append(out, photo.Rect{X: start(x, nx, float64(w)), Y: start(y, ny, float64(h)), W: side, H: side})
		}
	}
	return out
}

// distinct keeps the best scored of faces that overlap, whichever detector or
// tile they come from.
func distinct(found []Face) []Face {
	sort.SliceStable(found, func(i, j int) bool { return found[i].Score > found[j].Score })
	var kept []Face
next:
	for _, f := range found {
		for _, k := range kept {
			if overlap(f.Box, k.Box) > sameFace {
				continue next
			}
		}
		kept = append(kept, f)
	}
	return kept
}

func largestFirst(found []Face) {
	sort.SliceStable(found, func(i, j int) bool {
		return found[i].Box.W*found[i].Box.H > found[j].Box.W*found[j].Box.H
	})
}
