package liveness

import (
	"image"
	"image/color"
	"math"
	"testing"

	"gocv.io/x/gocv"
	"pgregory.net/rapid"

	"github.com/proofline/proofline/photo"
)

// textured is an even field with soft noise, like skin out of focus.
func textured(t testing.TB, w, h int) gocv.Mat {
	t.Helper()
	m := gocv.NewMatWithSize(h, w, gocv.MatTypeCV8UC3)
	t.Cleanup(func() { m.Close() })
	px, err := m.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	seed := uint32(3)
	for i := range px {
		seed = seed*1664525 + 1013904223
		px[i] = byte(110 + (seed>>24)%40)
	}
	if err := gocv.GaussianBlur(m, &m, image.Pt(5, 5), 1, 1, gocv.BorderReflect); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAGridOverTheFaceRaisesTheMoireSignal(t *testing.T) {
	m := textured(t, 400, 400)
	box := photo.Rect{X: 120, Y: 120, W: 160, H: 160}
	plain, err := moire(m, box)
	if err != nil {
		t.Fatal(err)
	}
	grid := m.Clone()
	defer grid.Close()
	px, err := grid.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	for i := range px {
		x, y := float64(i/3%400), float64(i/3/400)
		px[i] = byte(float64(px[i]) + 3*math.Sin(0.9*x+0.7*y))
	}
	raised, err := moire(grid, box)
	if err != nil {
		t.Fatal(err)
	}
	if raised.Value < plain.Value+6 {
		t.Errorf("plain %.1f dB, with a grid of amplitude 3 of 255: %.1f dB", plain.Value, raised.Value)
	}
}

func TestMoireNeedsAPatchAtTheCamerasOwnResolution(t *testing.T) {
	s, err := moire(textured(t, 200, 300), photo.Rect{X: 50, Y: 50, W: 100, H: 100})
	if err != nil || s.Skipped != InconclusiveFaceSmall {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestASheetAroundTheFaceHasFourSides(t *testing.T) {
	m := textured(t, 640, 640)
	box := photo.Rect{X: 260, Y: 260, W: 120, H: 120}
	before, err := frame(m, box)
	if err != nil {
		t.Fatal(err)
	}
	gocv.Rectangle(&m, image.Rect(170, 150, 470, 490), color.RGBA{R: 250, G: 250, B: 250}, 6)
	after, err := frame(m, box)
	if err != nil {
		t.Fatal(err)
	}
	if before.Value > 0.5 || after.Value < 3.9 {
		t.Errorf("without %.2f, with a sheet %.2f sides", before.Value, after.Value)
	}
}

func TestEnclosureStaysBetweenNoneAndFourSides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		var segs []segment
		at := func() photo.Point {
			return photo.Point{X: rapid.Float64Range(-50, 700).Draw(t, "x"), Y: rapid.Float64Range(-50, 700).Draw(t, "y")}
		}
		for range n {
			segs = append(segs, segment{at(), at()})
		}
		v := enclosure(segs, photo.Rect{X: 200, Y: 200, W: 100, H: 120})
		if !(v >= 0 && v <= 4) {
			t.Fatalf("%v sides", v)
		}
	})
}

func TestAGreyFaceHasNoChroma(t *testing.T) {
	m := textured(t, 300, 300)
	box := photo.Rect{X: 90, Y: 90, W: 120, H: 120}
	grey := gocv.NewMat()
	defer grey.Close()
	if err := gocv.CvtColor(m, &grey, gocv.ColorBGRToGray); err != nil {
		t.Fatal(err)
	}
	if err := gocv.CvtColor(grey, &grey, gocv.ColorGrayToBGR); err != nil {
		t.Fatal(err)
	}
	a, err := chroma(m, box)
	if err != nil {
		t.Fatal(err)
	}
	b, err := chroma(grey, box)
	if err != nil {
		t.Fatal(err)
	}
	if b.Value > 0.1 || a.Value <= b.Value {
		t.Errorf("colour %.2f, grey %.2f", a.Value, b.Value)
	}
}

func TestABlurredBackgroundRaisesTheFocusSignal(t *testing.T) {
	m := textured(t, 480, 480)
	box := photo.Rect{X: 180, Y: 180, W: 120, H: 120}
	even, err := focus(m, box)
	if err != nil {
		t.Fatal(err)
	}
	soft := gocv.NewMat()
	defer soft.Close()
	if err := gocv.GaussianBlur(m, &soft, image.Pt(0, 0), 3, 3, gocv.BorderReflect); err != nil {
		t.Fatal(err)
	}
	r := box.Bounds(480, 480)
	src, dst := m.Region(r), soft.Region(r)
	defer src.Close()
	defer dst.Close()
	src.CopyTo(&dst)
	sharp, err := focus(soft, box)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(even.Value) > 0.7 || sharp.Value < even.Value+1 {
		t.Errorf("even %.2f, sharp face %.2f", even.Value, sharp.Value)
	}
}

func TestTheCropStaysInsideThePictureAndSaysWhenItIsTooTight(t *testing.T) {
	n := &network{}
	n.model.Role, n.model.Input.CropScale = "liveness-v2", 2.7
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(50, 3000).Draw(t, "w"), rapid.IntRange(50, 3000).Draw(t, "h")
		box := photo.Rect{
			X: rapid.Float64Range(-100, 3000).Draw(t, "x"), Y: rapid.Float64Range(-100, 3000).Draw(t, "y"),
			W: rapid.Float64Range(10, 2000).Draw(t, "bw"), H: rapid.Float64Range(10, 2000).Draw(t, "bh"),
		}
		look := rapid.SampledFrom(append(n.framings(), framing{2.3, 0.15, false})).Draw(t, "look")
		r, reached := n.crop(look, box, w, h)
		const e = 1e-6
		if r.X < -e || r.Y < -e || r.X+r.W > float64(w)+e || r.Y+r.H > float64(h)+e {
			t.Fatalf("%+v leaves %d×%d", r, w, h)
		}
		if enough := float64(w) >= minReach*box.W && float64(h) >= minReach*box.H; reached != enough {
			t.Fatalf("box %+v in %d×%d: reached %v", box, w, h, reached)
		}
	})
}
