package face

import (
	"image"
	"image/color"
	"testing"

	"gocv.io/x/gocv"
)

// paste lays a picture, scaled to w×h, over another one.
func paste(t *testing.T, onto, m gocv.Mat, at image.Point, w, h int) {
	t.Helper()
	small := gocv.NewMat()
	defer small.Close()
	if err := gocv.Resize(m, &small, image.Pt(w, h), 0, 0, gocv.InterpolationArea); err != nil {
		t.Fatal(err)
	}
	r := onto.Region(image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))})
	defer r.Close()
	small.CopyTo(&r)
}

func TestAFaceOnAShirtIsNotTheOneThatIsCompared(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	f := detectOne(t, e, m)
	b := squareAround(f.Box, 1.6).Bounds(m.Cols(), m.Rows())
	head := m.Region(b)
	defer head.Close()
	scene := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(96, 110, 104, 0), 1100, 700, gocv.MatTypeCV8UC3)
	defer scene.Close()
	paste(t, scene, head, image.Pt(150, 60), 400, 400)
	paste(t, scene, head, image.Pt(280, 800), 150, 150)
	got, err := e.MatchPortrait(m, scene)
	if err != nil || got.SelfieFace == nil || got.SelfieFace.Box.Y > 500 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.Reason != ReasonNone || got.SelfieFaces != 2 {
		t.Errorf("%d faces, reason %q", got.SelfieFaces, got.Reason)
	}
}

func TestAFaceOfTwentyPixelsIsWeakIfItIsFound(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	good, err := e.DescribeSelfie(m)
	if err != nil || good.Embedding == nil {
		t.Fatalf("%+v, %v", good, err)
	}
	k := 20 / good.Face.Box.W
	small := gocv.NewMat()
	defer small.Close()
	if err := gocv.Resize(m, &small, image.Point{}, k, k, gocv.InterpolationArea); err != nil {
		t.Fatal(err)
	}
	got, err := e.DescribeSelfie(small)
	if err != nil {
		t.Fatal(err)
	}
	if got.Embedding != nil && got.Strength > 0.9*good.Strength {
		t.Errorf("strength %.2f at 20 pixels, %.2f in full", got.Strength, good.Strength)
	}
	if got.Embedding == nil && got.Reason == ReasonNone {
		t.Error("no embedding and no reason")
	}
}

func TestAMaskOverMouthAndNoseCostsStrengthOrTheFace(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	good, err := e.DescribeSelfie(m)
	if err != nil || good.Embedding == nil {
		t.Fatal(err)
	}
	masked := m.Clone()
	defer masked.Close()
	p := good.Face.Points
	d := good.Face.InterEye()
	cover := image.Rect(int(p[Mouth].X-1.1*d), int(p[Nose].Y-0.2*d), int(p[Mouth].X+1.1*d), int(p[Mouth].Y+0.8*d)).
		Intersect(image.Rect(0, 0, m.Cols(), m.Rows()))
	if err := gocv.Rectangle(&masked, cover, color.RGBA{R: 190, G: 205, B: 215, A: 255}, -1); err != nil {
		t.Fatal(err)
	}
	got, err := e.DescribeSelfie(masked)
	if err != nil {
		t.Fatal(err)
	}
	if got.Embedding != nil && (got.Strength >= good.Strength || e.Similarity(got.Embedding, good.Embedding) > 0.9) {
		t.Errorf("strength %.2f with a mask, %.2f without; similarity %.2f", got.Strength, good.Strength, e.Similarity(got.Embedding, good.Embedding))
	}
}

func TestADrawingMatchesNobody(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	drawing := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(250, 250, 250, 0), 500, 500, gocv.MatTypeCV8UC3)
	defer drawing.Close()
	black, skin := color.RGBA{A: 255}, color.RGBA{R: 240, G: 205, B: 180, A: 255}
	ellipse := func(x, y, w, h int, c color.RGBA, thick int) {
		if err := gocv.Ellipse(&drawing, image.Pt(x, y), image.Pt(w, h), 0, 0, 360, c, thick); err != nil {
			t.Fatal(err)
		}
	}
	ellipse(250, 250, 120, 155, skin, -1)
	ellipse(250, 250, 120, 155, black, 4)
	for _, x := range []int{205, 295} {
		ellipse(x, 220, 18, 10, black, 3)
		ellipse(x, 220, 6, 6, black, -1)
	}
	ellipse(250, 320, 40, 12, black, 3)
	got, err := e.MatchPortrait(drawing, m)
	if err != nil {
		t.Fatal(err)
	}
	if got.Similarity != nil && *got.Similarity > 0.3 {
		t.Errorf("a drawing has similarity %.2f, strength %.2f", *got.Similarity, got.Strength)
	}
	if got.Similarity == nil && got.Reason == ReasonNone {
		t.Error("no similarity and no reason")
	}
}
