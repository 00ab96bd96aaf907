package liveness

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/photo"
)

func TestAPatchIsFollowedToAFractionOfAPixel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	// A smooth random texture, sampled at a shift.
	type blob struct{ x, y, s, a float64 }
	var blobs []blob
	for range 400 {
		blobs = append(blobs, blob{rng.Float64() * 200, rng.Float64() * 200, 2 + 4*rng.Float64(), 60 * (rng.Float64() - 0.5)})
	}
	draw := func(dx, dy, light float64) *plane {
		p := &plane{200, 200, make([]float32, 200*200)}
		for y := range 200 {
			for x := range 200 {
				v := 120 + light
				for _, b := range blobs {
					ux, uy := float64(x)-dx-b.x, float64(y)-dy-b.y
					if d := ux*ux + uy*uy; d < 9*b.s*b.s {
						v += b.a * math.Exp(-d/(2*b.s*b.s))
					}
				}
				p.px[y*200+x] = float32(v)
			}
		}
		return p
	}
	look := newPatch(pyramidOf(draw(0, 0, 0)), photo.Point{X: 100, Y: 90})
	for _, by := range [][3]float64{{0.3, -0.4, 0}, {5.25, 3.5, 20}, {-9.6, 7.1, -15}} {
		got, mismatch, ok := look.follow(pyramidOf(draw(by[0], by[1], by[2])), photo.Point{X: 100, Y: 90})
		if !ok || math.Abs(got.X-100-by[0]) > 0.05 || math.Abs(got.Y-90-by[1]) > 0.05 || mismatch > 1 {
			t.Errorf("shift %v: %v, mismatch %.2f, %v", by, got, mismatch, ok)
		}
	}
	flat := &plane{200, 200, make([]float32, 200*200)}
	if newPatch(pyramidOf(flat), photo.Point{X: 100, Y: 100}).levels[0].ok {
		t.Error("a patch without texture was accepted")
	}
}

func TestAHomographyFitsAllButWhatIsNoPlane(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	want := homography{1.02, 0.03, 0.05, -0.02, 0.98, -0.04, 0.06, -0.03, 1}
	var from, to []photo.Point
	for i := range 60 {
		p := photo.Point{X: rng.Float64() - 0.5, Y: rng.Float64() - 0.5}
		q := want.at(p)
		if i%12 == 0 {
			q.X += 0.1
		}
		from, to = append(from, p), append(to, q)
	}
	got, ok := fitHomography(from, to)
	for i, p := range from {
		if i%12 != 0 && (!ok || got.at(p).Distance(to[i]) > 0.004) {
			t.Fatalf("%v → %v, want %v", p, got.at(p), to[i])
		}
	}
	if _, ok := fitHomography(from[:7], to[:7]); ok {
		t.Error("seven points")
	}
	line := slices.Repeat([]photo.Point{{X: 0.1, Y: 0.1}}, 20)
	if _, ok := fitHomography(line, line); ok {
		t.Error("one point twenty times")
	}
}

func TestABurstThatIsNotOneIsFound(t *testing.T) {
	people := portraits(t)
	_, faces := engines(t, "")
	live := simulated(t, people, specimen.LiveClip, 1)
	other := simulated(t, people, specimen.LiveClip, 2)
	defer closeFrames(live)
	defer closeFrames(other)
	still := make([]Frame, len(live))
	blank := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(90, 90, 90, 0), live[0].Image.Rows(), live[0].Image.Cols(), gocv.MatTypeCV8UC3)
	defer blank.Close()
	small := gocv.NewMatWithSize(40, 30, gocv.MatTypeCV8UC3)
	defer small.Close()
	for i := range still {
		still[i] = Frame{Image: live[0].Image, At: live[i].At}
	}
	with := func(change func([]Frame)) []Frame {
		fs := slices.Clone(live)
		change(fs)
		return fs
	}
	for name, c := range map[string]struct {
		frames []Frame
		want   string
		scored bool
	}{
		"as it should be": {live, "", true},
		"five frames":     {live[:5], BurstTooFewFrames, false},
		"times":           {with(func(fs []Frame) { fs[4].At = fs[3].At }), BurstTimeOrder, true},
		"too fast": {with(func(fs []Frame) {
			for i := range fs {
				fs[i].At = time.Duration(i) * 20 * time.Millisecond
			}
		}), BurstTooShort, true},
		"a repeated frame":  {with(func(fs []Frame) { fs[7].Image = fs[2].Image }), BurstRepeatedFrames, true},
		"one photo":         {still, BurstStill, false},
		"nobody":            {with(func(fs []Frame) { fs[0].Image = blank }), BurstNoFace, false},
		"gone":              {with(func(fs []Frame) { fs[6].Image = blank }), BurstFaceLost, false},
		"another size":      {with(func(fs []Frame) { fs[6].Image = small }), BurstSizes, false},
		"an unreadable one": {with(func(fs []Frame) { fs[6].Image = gocv.Mat{} }), BurstTooFewFrames, false},
	} {
		got, err := AssessBurst(faces, c.frames)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (got.Score != nil) != c.scored || c.want != "" && !slices.Contains(got.Findings, c.want) || c.want == "" && len(got.Findings) > 0 {
			t.Errorf("%s: findings %v, inconclusive %q", name, got.Findings, got.Inconclusive)
		}
	}
	swapped, err := AssessBurst(faces, append(slices.Clone(live[:8]), other[8:]...))
	if same, ok := swapped.Signal(SignalSameFace); err == nil && swapped.Inconclusive == "" && (!ok || same > 0.5) {
		t.Errorf("another person at the end: similarity %v", same)
	}
	if _, err := AssessBurst(faces, nil); !errors.Is(err, ErrNoFrames) {
		t.Error(err)
	}
}

func BenchmarkBurstOfTwelveFrames(b *testing.B) {
	people := portraits(b)
	_, faces := engines(b, "")
	frames := simulated(b, people, specimen.LiveClip, 1)
	defer closeFrames(frames)
	done := reportCPU(b)
	for b.Loop() {
		if r, err := AssessBurst(faces, frames); err != nil || r.Score == nil {
			b.Fatal(r.Findings, err)
		}
	}
	done()
}
