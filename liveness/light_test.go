package liveness

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/proofline/proofline/photo"
)

// litView paints twelve frames. by is how much light at full brightness adds to
// the room's at a point (face widths from the middle of the face); drift is what
// the camera or the room does to the whole picture.
func litView(order []float64, by func(x, y float64) float64, drift func(frame int) float64) (*view, []homography) {
	rng := rand.New(rand.NewPCG(5, 6))
	v := &view{face: photo.Rect{X: 100, Y: 100, W: 100, H: 120}}
	var planes []homography
	c := v.face.Centre()
	for i, l := range order {
		p := &plane{300, 320, make([]float32, 300*320)}
		for y := range p.h {
			for x := range p.w {
				albedo := 0.15 + 0.05*math.Sin(float64(x)/5)*math.Cos(float64(y)/7)
				light := albedo * (1 + l*by((float64(x)-c.X)/v.face.W, (float64(y)-c.Y)/v.face.W)) * drift(i)
				p.px[y*p.w+x] = float32(math.Max(0, math.Min(255, math.Round(255*math.Pow(light, 1/2.2)+2*rng.NormFloat64()))))
			}
		}
		v.frames = append(v.frames, pyramid{p})
		v.light = append(v.light, lit{i, float64(i) / 5, l})
		planes = append(planes, homography{1, 0, 0, 0, 1, 0, 0, 0, 1})
	}
	return v, planes
}

func TestLightIsToldFromWhatTheRoomAndTheCameraDo(t *testing.T) {
	order := []float64{0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0}
	head := func(x, y float64) float64 {
		if d := math.Hypot(x/0.5, y/0.6); d < 1.2 {
			return 0.3 * (1 - 0.5*d*d)
		}
		return 0.02
	}
	flat := func(float64, float64) float64 { return 0.3 }
	none := func(float64, float64) float64 { return 0 }
	// A display mirrors the light in one place.
	spot := func(x, y float64) float64 { return 2 * math.Exp(-((x-0.1)*(x-0.1)+y*y)/0.01) }
	steady := func(int) float64 { return 1 }
	for name, c := range map[string]struct {
		order               []float64
		by                  func(x, y float64) float64
		drift               func(int) float64
		light, shape, near  bool
		least, most, relief float64 // per cent of light, and whether the shape is that of a head
	}{
		"a head":                        {order, head, steady, true, true, true, 15, 30, 1},
		"a head while it gets brighter": {order, head, func(i int) float64 { return 1 + 0.03*float64(i) }, true, true, true, 15, 30, 1},
		"paper":                         {order, flat, steady, true, true, true, 25, 35, 0},
		"a display":                     {order, spot, steady, false, false, false, 0, 0, 0},
		"daylight":                      {order, none, steady, false, false, false, 0, 0, 0},
		"a room that flickers": {order, none, func(i int) float64 { return 1 + 0.1*float64((i*7)%5-2) },
			false, false, false, 0, 0, 0},
		"another order than the light's": {[]float64{0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1}, none,
			func(i int) float64 { return 1 + 0.3*order[i] }, false, false, false, 0, 0, 0},
	} {
		v, planes := litView(c.order, c.by, c.drift)
		var b Burst
		b.illumination(v, planes)
		light, seen := b.Signal(SignalLight)
		shape, hasShape := b.Signal(SignalLightShape)
		near, hasNear := b.Signal(SignalLightNear)
		if seen != c.light || hasShape != c.shape || hasNear != c.near || light < c.least || light > c.most {
			t.Errorf("%s: light %.2f %v, shape %.2f %v, near %.2f %v; %+v", name, light, seen, shape, hasShape, near, hasNear, b.relief)
		}
		if head := shape > 0.2 && near > 5; head != (c.relief == 1) {
			t.Errorf("%s: shape %.2f, near %.2f", name, shape, near)
		}
		answered, told := b.Signal(SignalLightAnswered)
		if !told || answered == 1 != c.light || len(b.Signals) != 4 {
			t.Errorf("%s: %v", name, b.Signals)
		}
	}
}

func TestLightSpeaksAgainstAPlaneAndNeverForAHead(t *testing.T) {
	lit := func(face, err, around float64, has bool) *relief {
		return &relief{face: response{face, err}, surround: response{around, err}, hasSurround: has}
	}
	for name, c := range map[string]struct {
		relief *relief
		has    bool
		least  float64
		most   float64
	}{
		"no light":             {nil, false, 0, 0},
		"too faint":            {lit(0.02, 0.01, 0.02, true), false, 0, 0},
		"nothing beside it":    {lit(0.3, 0.01, 0, false), false, 0, 0},
		"a far room":           {lit(0.3, 0.01, 0, true), true, 0, 0},
		"a wall close behind":  {lit(0.3, 0.01, 0.15, true), true, 0, 0},
		"the same paper":       {lit(0.3, 0.01, 0.28, true), true, -3, -2},
		"more than the face's": {lit(0.3, 0.01, 0.9, true), true, -mostAgainst, -mostAgainst},
	} {
		b := Burst{relief: c.relief}
		b.fuse(evenParallax, math.NaN())
		got, has := b.Contributions[SignalLightNear]
		if has != c.has || got < c.least || got > c.most || (*b.Score < 0.5) != (got < 0) {
			t.Errorf("%s: %.2f %v, score %.3f", name, got, has, *b.Score)
		}
	}
}

func TestNothingIsSaidOfALightThatTellsNothing(t *testing.T) {
	steady := func(int) float64 { return 1 }
	half := func(float64, float64) float64 { return 0.5 }
	for name, order := range map[string][]float64{
		"too few frames":        {0, 1, 0, 1, 0, 1, 0},
		"always on":             {1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		"hardly a change":       {0.4, 0.5, 0.4, 0.5, 0.4, 0.5, 0.4, 0.5},
		"as a sunrise would go": {0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1},
	} {
		v, planes := litView(order, half, steady)
		var b Burst
		if b.illumination(v, planes); len(b.Signals) != 1 || b.Signals[0].Name != SignalLightAnswered || b.Signals[0].Value != 0 {
			t.Errorf("%s: %+v", name, b.Signals)
		}
	}
	// Black and burnt-out pictures.
	for _, grey := range []float32{0, 255} {
		v, planes := litView([]float64{0, 1, 1, 0, 0, 1, 1, 0, 1, 0}, half, steady)
		for _, f := range v.frames {
			for i := range f[0].px {
				f[0].px[i] = grey
			}
		}
		var b Burst
		if b.illumination(v, planes); len(b.Signals) != 1 || b.Signals[0].Name != SignalLightAnswered || b.Signals[0].Value != 0 {
			t.Errorf("grey %v: %+v", grey, b.Signals)
		}
	}
}
