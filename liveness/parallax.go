package liveness

import (
	"math"
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

const (
	maxFacePoints  = 90
	maxOuterPoints = 60
	// minPoints is the least to fit eight numbers to with something left over.
	minPoints = 20
	// maxMismatch is the difference in grey levels, per contrast of the patch,
	// beyond which a point is taken for lost.
	maxMismatch = 0.5
	// still is the motion below which depth would drown in noise: at 0.8 % of
	// the face's width a turn of a degree moves the nose by a tenth of a pixel.
	still = 8.0
)

// trail is where one point goes.
type trail struct {
	start photo.Point
	at    []photo.Point
	outer bool
}

// trails follows corners of the first frame through all others. A point that is
// lost in any frame is dropped.
func (v *view) trails() ([]trail, error) {
	first := v.frames[0][0]
	grey := gocv.NewMatWithSize(first.h, first.w, gocv.MatTypeCV8UC1)
	defer grey.Close()
	px, err := grey.DataPtrUint8()
	if err != nil {
		return nil, err
	}
	for i, p := range first.px {
		px[i] = uint8(p)
	}
	corners := gocv.NewMat()
	defer corners.Close()
	if err := gocv.GoodFeaturesToTrack(grey, &corners, 320, 0.01, 5); err != nil {
		return nil, err
	}
	var out []trail
	nFace, nOuter := 0, 0
	c := v.face.Centre()
	for i := range corners.Rows() {
		xy := corners.GetVecfAt(i, 0)
		if len(xy) < 2 {
			continue
		}
		p := photo.Point{X: float64(xy[0]), Y: float64(xy[1])}
		// The face is taken for an ellipse in its box; hair and chin between it
		// and the outer ring belong to neither.
		d := math.Hypot((p.X-c.X)/(v.face.W/2), (p.Y-c.Y)/(v.face.H/2))
		outer := d > 1.5
		if d > 1.05 && !outer || outer && nOuter >= maxOuterPoints || !outer && nFace >= maxFacePoints {
			continue
		}
		if t, ok := v.follow(p); ok {
			t.outer = outer
			out = append(out, t)
			if outer {
				nOuter++
			} else {
				nFace++
			}
		}
	}
	return out, nil
}

func (v *view) follow(p photo.Point) (trail, bool) {
	look := newPatch(v.frames[0], p)
	if !look.levels[0].ok {
		return trail{}, false
	}
	contrast := deviation(look.levels[0].grey[:])
	t := trail{start: p, at: []photo.Point{p}}
	for i := 1; i < len(v.frames); i++ {
		// Where the point was, moved on as the face's box did.
		last := t.at[i-1]
		guess := photo.Point{X: last.X + v.moved[i].X - v.moved[i-1].X, Y: last.Y + v.moved[i].Y - v.moved[i-1].Y}
		at, mismatch, ok := look.follow(v.frames[i], guess)
		if !ok || mismatch > maxMismatch*contrast+4 {
			at, mismatch, ok = look.follow(v.frames[i], last)
		}
		if !ok || mismatch > maxMismatch*contrast+4 {
			return t, false
		}
		t.at = append(t.at, at)
	}
	return t, true
}

func deviation(v []float32) float64 {
	var sum, squares float64
	for _, x := range v {
		sum, squares = sum+float64(x), squares+float64(x)*float64(x)
	}
	n := float64(len(v))
	return math.Sqrt(math.Max(0, squares/n-(sum/n)*(sum/n)))
}

// motion fits one plane's motion to the face in every frame and measures what
// it leaves.
func (b *Burst) motion(v *view) Burst {
	all, err := v.trails()
	if err != nil {
		return b.inconclusive(BurstFewPoints)
	}
	var inner, outer []trail
	for _, t := range all {
		if t.outer {
			outer = append(outer, t)
		} else {
			inner = append(inner, t)
		}
	}
	if len(inner) < minPoints {
		return b.inconclusive(BurstFewPoints)
	}
	width := v.face.W
	c := v.face.Centre()
	unit := func(p photo.Point) photo.Point { return photo.Point{X: (p.X - c.X) / width, Y: (p.Y - c.Y) / width} }
	from := make([]photo.Point, len(inner))
	for i, t := range inner {
		from[i] = unit(t.start)
	}
	innerLeft, outerLeft := make([][]photo.Point, len(inner)), make([][]photo.Point, len(outer))
	planes := []homography{{1, 0, 0, 0, 1, 0, 0, 0, 1}}
	var moved float64
	for k := 1; k < len(v.frames); k++ {
		to := make([]photo.Point, len(inner))
		var far []float64
		for i, t := range inner {
			to[i] = unit(t.at[k])
			far = append(far, to[i].Distance(from[i]))
		}
		moved = math.Max(moved, median(far))
		h, ok := fitHomography(from, to)
		if !ok {
			return b.inconclusive(BurstFewPoints)
		}
		planes = append(planes, h)
		for i := range inner {
			innerLeft[i] = append(innerLeft[i], to[i].Sub(h.at(from[i])))
		}
		for i, t := range outer {
			outerLeft[i] = append(outerLeft[i], unit(t.at[k]).Sub(h.at(unit(t.start))))
		}
	}
	b.add(SignalMotion, 1000*moved, "‰ of face width")
	parallax := 1000 * persistent(innerLeft)
	b.add(SignalParallax, parallax, "‰ of face width")
	surround := math.NaN()
	if len(outer) >= minPoints/2 {
		surround = 1000 * persistent(outerLeft)
		b.add(SignalSurround, surround, "‰ of face width")
	} else {
		b.Signals = append(b.Signals, Signal{Name: SignalSurround, Unit: "‰ of face width", Skipped: InconclusiveFraming})
	}
	eyes, mouth := v.changes(planes, unit, width)
	b.add(SignalEyes, eyes, "ratio")
	b.add(SignalMouth, mouth, "ratio")
	b.illumination(v, planes)
	if 1000*moved < still {
		return b.inconclusive(BurstStill)
	}
	b.fuse(parallax, surround)
	return *b
}

// persistent is the root mean square of what the residuals of neighbouring
// frames have in common. Depth moves a point smoothly over frames; the noise of
// following it is drawn anew in each, so that its products average to nothing.
// The tenth of the points with most is left out: lashes, glasses' glints.
func persistent(left [][]photo.Point) float64 {
	var power []float64
	for _, r := range left {
		var sum float64
		for k := 1; k < len(r); k++ {
			sum += r[k].X*r[k-1].X + r[k].Y*r[k-1].Y
		}
		power = append(power, sum/float64(len(r)-1))
	}
	slices.Sort(power)
	keep := power[:max(1, len(power)*9/10)]
	var sum float64
	for _, p := range keep {
		sum += p
	}
	return math.Sqrt(math.Max(0, sum/float64(len(keep))))
}

// Where parallax and surround speak for neither, in thousandths of the face's
// width, and how much each weighs per factor of e: between the simulated clips'
// kinds (docs/biometrics.md). Surroundings that do not follow the face are weak
// evidence for life, because a mask cut out of paper has them too; surroundings
// that do follow it are strong evidence against.
const (
	evenParallax, parallaxWeight = 2.0, 3.0
	evenSurround, surroundWeight = 12.0, 2.0
	mostSurround                 = 1.0
)

// Under a light from the camera's side, surroundings that follow it like the
// face lie in its plane. Light that moves over paper also disturbs the points
// that are followed, so a lit print needs this. It speaks against only: a far
// room is behind a mask as well. A wall half an arm behind a head leaves a ratio
// of about a half.
const (
	evenDepth, depthWeight = 0.25, 2.0
	mostAgainst            = 4.0
)

// fuse turns the two measures into a score: the log-odds of a logistic in their
// logarithms.
func (b *Burst) fuse(parallax, surround float64) {
	b.Contributions = map[string]float64{SignalParallax: parallaxWeight * math.Log(math.Max(parallax, 0.1)/evenParallax)}
	if !math.IsNaN(surround) {
		b.Contributions[SignalSurround] = math.Min(mostSurround, surroundWeight*math.Log(math.Max(surround, 0.5)/evenSurround))
	}
	if ratio, ok := b.relief.depth(); ok {
		against := depthWeight * math.Log(math.Max(ratio, 0.01)/evenDepth)
		b.Contributions[SignalLightNear] = math.Max(-mostAgainst, math.Min(0, against))
	}
	sum := b.Contributions[SignalParallax] + b.Contributions[SignalSurround] + b.Contributions[SignalLightNear]
	score := 1 / (1 + math.Exp(-sum))
	b.Score = &score
}
