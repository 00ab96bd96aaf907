package liveness

import (
	"math"
	"os"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/photo"
)

// coded is m after one more JPEG compression.
func coded(t testing.TB, m gocv.Mat, quality int) gocv.Mat {
	t.Helper()
	b, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, m, []int{gocv.IMWriteJpegQuality, quality})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	out, err := gocv.IMDecode(b.GetBytes(), gocv.IMReadColor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	return out
}

// The figures of docs/biometrics.md, over six people and eight selfies of each:
//
//	PROOFLINE_EVAL=default go test ./liveness -run CompressedTwice -v
func TestAFaceThatWasCompressedTwiceIsTold(t *testing.T) {
	people, seeds := portraits(t), 1
	if os.Getenv("PROOFLINE_EVAL") != "" {
		seeds = 8
	}
	type pass struct{ first, last int }
	passes := []pass{{55, 75}, {60, 85}, {70, 85}, {75, 85}, {80, 85}, {60, 92}, {75, 92}, {80, 92}, {85, 92}, {75, 95}}
	once, twice := map[int][]float64{}, map[pass][]float64{}
	value := func(m gocv.Mat) float64 {
		w, h := float64(m.Cols()), float64(m.Rows())
		s, err := recompressed(m, photo.Rect{X: w / 4, Y: h / 4, W: w / 2, H: h / 2})
		if err != nil {
			t.Fatal(err)
		}
		if s.Skipped != "" {
			return math.NaN()
		}
		return s.Value
	}
	for _, id := range people.People() {
		person, err := people.Person(id)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range seeds {
			s, err := specimen.TakeSelfie(person, specimen.SelfieOptions{Seed: int64(seed)})
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.JPEG(100)
			if err != nil {
				t.Fatal(err)
			}
			img, err := photo.Decode(b, photo.DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			for _, last := range []int{75, 85, 92, 95} {
				once[last] = append(once[last], value(coded(t, img.Mat, last)))
			}
			for _, p := range passes {
				twice[p] = append(twice[p], value(coded(t, coded(t, img.Mat, p.first), p.last)))
			}
			img.Close()
		}
	}
	for _, p := range passes {
		var all []calibrate.Presentation
		for _, v := range once[p.last] {
			all = append(all, calibrate.Presentation{Score: -v})
		}
		for _, v := range twice[p] {
			all = append(all, calibrate.Presentation{Score: -v, Species: "twice"})
		}
		auc := calibrate.AttacksOf(all).AUC("twice")
		t.Logf("%d then %d: AUC %.3f; once %.2f, twice %.2f", p.first, p.last, auc, once[p.last], twice[p])
		if p.last-p.first >= 15 && auc < 0.95 {
			t.Errorf("%d then %d: AUC %.3f", p.first, p.last, auc)
		}
	}
}

func TestAPictureWithoutAGridHasNoRecompression(t *testing.T) {
	m := textured(t, 400, 400)
	for name, box := range map[string]photo.Rect{
		"never compressed": {X: 100, Y: 100, W: 200, H: 200},
		"outside":          {X: 900, Y: 900, W: 50, H: 50},
		"a few pixels":     {X: 10, Y: 10, W: 5, H: 5},
	} {
		if s, err := recompressed(m, box); err != nil || s.Skipped != SkippedNoGrid || s.Value != 0 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}
