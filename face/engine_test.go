package face

import (
	"errors"
	"image"
	"math"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
)

// sample is a picture of one face from the gocv module (Apache-2.0), which the
// build has in its module cache anyway.
func sample(t testing.TB) gocv.Mat {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gocv.io/x/gocv").Output()
	if err != nil {
		t.Skip("module cache is not here")
	}
	return read(t, filepath.Join(strings.TrimSpace(string(dir)), "images", "face.jpg"))
}

func detectOne(t testing.TB, e *Engine, m gocv.Mat) Face {
	t.Helper()
	fs, err := e.Detect(m)
	if err != nil {
		t.Fatal(err)
	}
	if len(fs) == 0 {
		t.Fatal("no face")
	}
	i, _ := Main(fs, m.Cols(), m.Rows())
	return fs[i]
}

func embedOf(t testing.TB, e *Engine, m gocv.Mat, f Face) Embedding {
	t.Helper()
	em, err := e.Embed(m, f)
	if err != nil || em == nil {
		t.Fatalf("embedding %v, error %v", em, err)
	}
	return em
}

func TestAFaceIsFoundWithItsPointsInOrder(t *testing.T) {
	m := sample(t)
	for _, profile := range []string{models.Default, models.Zoo} {
		f := detectOne(t, engine(t, profile, Options{}), m)
		p := f.Points
		if !(p[RightEye].X < p[LeftEye].X && p[Nose].Y > p[RightEye].Y && p[Mouth].Y > p[Nose].Y) {
			t.Errorf("%s: points %v", f.Detector, p)
		}
		if math.Abs(f.Roll()) > 25 {
			t.Errorf("%s: roll %v", f.Detector, f.Roll())
		}
	}
}

func TestATurnedPictureGivesTheSameEmbedding(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	want := embedOf(t, e, m, detectOne(t, e, m))
	for _, q := range quarterTurns {
		r := gocv.NewMat()
		defer r.Close()
		if err := gocv.Rotate(m, &r, q.code); err != nil {
			t.Fatal(err)
		}
		fs, turn, err := e.DetectAnyRotation(r)
		if err != nil || len(fs) == 0 {
			t.Fatalf("turned by %d°: %d faces, %v", q.degrees, len(fs), err)
		}
		if turn == 0 {
			continue // the detector stood the turn
		}
		i, _ := Main(fs, r.Cols(), r.Rows())
		if s := e.Similarity(want, embedOf(t, e, r, fs[i])); s < 0.8 {
			t.Errorf("turned by %d°: similarity %.3f", q.degrees, s)
		}
	}
}

func TestSizeAndFramingHardlyChangeTheEmbedding(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	f := detectOne(t, e, m)
	want := embedOf(t, e, m, f)
	resized := func(k float64) gocv.Mat {
		r := gocv.NewMat()
		t.Cleanup(func() { r.Close() })
		if err := gocv.Resize(m, &r, image.Point{}, k, k, gocv.InterpolationArea); err != nil {
			t.Fatal(err)
		}
		return r
	}
	tight := m.Region(squareAround(f.Box, 1.05).Bounds(m.Cols(), m.Rows()))
	defer tight.Close()
	small := 60 / f.Box.W
	for name, v := range map[string]gocv.Mat{"three times the size": resized(3), "60 px face": resized(small), "tight crop": tight} {
		if s := e.Similarity(want, embedOf(t, e, v, detectOne(t, e, v))); s < 0.75 {
			t.Errorf("%s: similarity %.3f", name, s)
		}
	}
}

func TestSmallFacesInALargePhotoAndACrowdAreFound(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	f := detectOne(t, e, m)
	face := m.Region(squareAround(f.Box, 2).Bounds(m.Cols(), m.Rows()))
	defer face.Close()
	thumb := gocv.NewMat()
	defer thumb.Close()
	if err := gocv.Resize(face, &thumb, image.Pt(100, 100), 0, 0, gocv.InterpolationArea); err != nil {
		t.Fatal(err)
	}
	scene := func(w, h int, at ...image.Point) gocv.Mat {
		s := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(120, 130, 125, 0), h, w, gocv.MatTypeCV8UC3)
		t.Cleanup(func() { s.Close() })
		for _, p := range at {
			r := s.Region(image.Rectangle{Min: p, Max: p.Add(image.Pt(100, 100))})
			thumb.CopyTo(&r)
			r.Close()
		}
		return s
	}
	fs, err := e.Detect(scene(1600, 1200, image.Pt(1200, 300)))
	if err != nil || len(fs) != 1 {
		t.Errorf("one 50 px face in 1600×1200: %d found, %v", len(fs), err)
	}
	var crowd []image.Point
	for i := range 30 {
		crowd = append(crowd, image.Pt(20+130*(i%6), 20+130*(i/6)))
	}
	fs, err = e.Detect(scene(800, 680, crowd...))
	if err != nil || len(fs) < 25 || len(fs) > 31 {
		t.Errorf("crowd of 30: %d found, %v", len(fs), err)
	}
}

// hostile are images that hold no usable face.
func hostile(t testing.TB) map[string]gocv.Mat {
	out := map[string]gocv.Mat{"zero value": {}, "empty": gocv.NewMat()}
	for name, s := range map[string][2]int{"1×1": {1, 1}, "ribbon": {20, 4000}, "column": {4000, 20}, "hair": {1, 5000}, "grey field": {300, 300}} {
		out[name] = gocv.NewMatWithSizeFromScalar(gocv.NewScalar(90, 90, 90, 0), s[0], s[1], gocv.MatTypeCV8UC3)
	}
	out["16 bit"] = gocv.NewMatWithSize(200, 200, gocv.MatTypeCV16UC3)
	out["floats"] = gocv.NewMatWithSize(200, 200, gocv.MatTypeCV32FC3)
	out["grey channel"] = gocv.NewMatWithSize(200, 200, gocv.MatTypeCV8UC1)
	out["alpha"] = gocv.NewMatWithSize(200, 200, gocv.MatTypeCV8UC4)
	noise := gocv.NewMatWithSize(240, 320, gocv.MatTypeCV8UC3)
	px, err := noise.DataPtrUint8()
	if err != nil {
		t.Fatal(err)
	}
	seed := uint32(7)
	for i := range px {
		seed = seed*1664525 + 1013904223
		px[i] = byte(seed >> 24)
	}
	out["noise"] = noise
	t.Cleanup(func() {
		for name, m := range out {
			if name != "zero value" {
				m.Close()
			}
		}
	})
	return out
}

func TestImagesWithoutAFaceAreAnswersNotErrors(t *testing.T) {
	for _, profile := range []string{models.Default, models.Zoo} {
		e, good := engine(t, profile, Options{}), sample(t)
		for name, m := range hostile(t) {
			if profile == models.Zoo && name != "noise" && name != "1×1" && name != "zero value" {
				continue // the search is the same code
			}
			pairs := [][2]gocv.Mat{{m, good}}
			if name == "noise" || name == "zero value" {
				pairs = append(pairs, [2]gocv.Mat{good, m})
			}
			for _, pair := range pairs {
				got, err := e.MatchPortrait(pair[0], pair[1])
				if err != nil || got.Similarity != nil || got.Reason == ReasonNone {
					t.Errorf("%s, %s: %+v, %v", profile, name, got, err)
				}
			}
			if em, err := e.Embed(m, Face{}); em != nil || err != nil {
				t.Errorf("%s, %s: embedding of no face: %v, %v", profile, name, em, err)
			}
		}
	}
}

func TestCutOffFacesNeverCrash(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	b := detectOne(t, e, m).Box.Bounds(m.Cols(), m.Rows())
	w, h := b.Dx(), b.Dy()
	for _, r := range []image.Rectangle{
		image.Rect(b.Min.X, b.Min.Y, b.Min.X+w/2, b.Max.Y), image.Rect(b.Min.X, b.Min.Y+h/2, b.Max.X, b.Max.Y),
		image.Rect(b.Min.X, b.Min.Y, b.Max.X, b.Min.Y+h/3), image.Rect(b.Min.X, b.Min.Y, b.Min.X+w/8, b.Max.Y),
	} {
		half := m.Region(r)
		if _, err := e.MatchPortrait(half, m); err != nil {
			t.Errorf("%v: %v", r, err)
		}
		half.Close()
	}
}

func TestAPictureMatchesItselfAndABystanderIsNamed(t *testing.T) {
	e, m := engine(t, "", Options{}), sample(t)
	got, err := e.MatchPortrait(m, m)
	if err != nil || got.Similarity == nil || *got.Similarity < 0.85 {
		t.Fatalf("%+v, %v", got, err)
	}
	two := gocv.NewMat()
	defer two.Close()
	if err := gocv.Hconcat(m, m, &two); err != nil {
		t.Fatal(err)
	}
	got, err = e.MatchPortrait(m, two)
	if err != nil || got.Similarity == nil || got.Reason != ReasonSelfieSeveralFaces {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestManyGoroutinesGetTheSameAnswer(t *testing.T) {
	e, m := engine(t, "", Options{Workers: 2, Quick: true}), sample(t)
	want := embedOf(t, e, m, detectOne(t, e, m))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				fs, err := e.Detect(m)
				if err != nil || len(fs) == 0 {
					t.Errorf("%d faces, %v", len(fs), err)
					return
				}
				em, err := e.Embed(m, fs[0])
				if err != nil || math.Abs(e.Similarity(want, em)-1) > 1e-5 {
					t.Errorf("similarity %v, %v", e.Similarity(want, em), err)
				}
			}
		})
	}
	wg.Wait()
}

func TestAClosedEngineFailsCleanlyAndLeavesNoNetwork(t *testing.T) {
	m := sample(t)
	before := dnn.Live()
	e := engine(t, "", Options{Workers: 3})
	detectOne(t, e, m)
	e.Close()
	e.Close()
	if _, err := e.Detect(m); !errors.Is(err, dnn.ErrClosed) {
		t.Errorf("detect on a closed engine: %v", err)
	}
	if dnn.Live() != before {
		t.Errorf("%d networks left over", dnn.Live()-before)
	}
}

func TestAMissingModelNamesTheCommandThatFetchesIt(t *testing.T) {
	set, err := models.Open(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(set)
	var missing *models.MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "models fetch") {
		t.Errorf("%v", err)
	}
}

func BenchmarkDetectAlignEmbed(b *testing.B) {
	for name, o := range map[string]Options{"default": {Workers: 1}, "quick": {Workers: 1, Quick: true}} {
		b.Run(name, func(b *testing.B) {
			e, m := engine(b, "", o), sample(b)
			embedOf(b, e, m, detectOne(b, e, m))
			defer reportCPU(b)()
			for b.Loop() {
				embedOf(b, e, m, detectOne(b, e, m))
			}
		})
	}
}

func BenchmarkMatchPortrait(b *testing.B) {
	e, m := engine(b, "", Options{Workers: 1}), sample(b)
	defer reportCPU(b)()
	for b.Loop() {
		if _, err := e.MatchPortrait(m, m); err != nil {
			b.Fatal(err)
		}
	}
}
