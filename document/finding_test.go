package document

import (
	"fmt"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"sort"
	"strconv"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/photo"
)

// scene is a seeded photo with the truth about it.
type scene struct {
	name string
	jpeg []byte
	quad photo.Quad
	form specimen.Format
}

// clutter draws the scene of a seed: any document, any background, turned and
// tilted as people hold their phones, sometimes upside down.
func clutter(t testing.TB, seed int64) scene {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(seed), 17))
	form := specimen.Formats[r.IntN(len(specimen.Formats))]
	doc, err := specimen.New(seed, specimen.Options{Format: form, State: "*"})
	if err != nil {
		t.Skipf("draw specimen: %v", err)
	}
	side := doc.Front()
	name := string(form)
	if doc.Back() != nil && r.IntN(2) == 0 {
		side, name = doc.Back(), name+" back"
	}
	c := specimen.GoodCamera(seed)
	backs := specimen.Backgrounds
	c.Background = backs[r.IntN(len(backs))]
	c.Rotation = 24*r.Float64() - 12
	switch r.IntN(6) {
	case 0:
		c.Rotation += 180
	case 1:
		c.Rotation += 90
	}
	c.Tilt, c.TiltAxis = 22*r.Float64(), 360*r.Float64()
	c.Fill = 0.45 + 0.48*r.Float64()
	c.OffsetX, c.OffsetY = 1.6*r.Float64()-0.8, 1.6*r.Float64()-0.8
	p, err := specimen.Photograph(side, c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.JPEG(85)
	if err != nil {
		t.Fatal(err)
	}
	return scene{fmt.Sprintf("%d %s on %s, %.0f° tilt %.0f° fill %.2f", seed, name, c.Background, c.Rotation, c.Tilt, c.Fill), b, p.Quad, form}
}

// cornerError is the mean distance between corners over the diagonal of the
// true quadrilateral, whatever corner either begins with, and whether both
// begin with the same.
func cornerError(got, want photo.Quad) (err float64, upright bool) {
	diagonal := (want[0].Distance(want[2]) + want[1].Distance(want[3])) / 2
	best, turn := math.MaxFloat64, 0
	for k := range 4 {
		s := 0.0
		for i := range 4 {
			s += got[(i+k)%4].Distance(want[i]) / 4
		}
		if s < best {
			best, turn = s, k
		}
	}
	return best / diagonal, turn == 0
}

// PROOFLINE_SCENES sets how many seeds are tried; PROOFLINE_DRAW a folder for
// pictures of the ones that went wrong.
func TestDocumentsAreFoundOnClutteredBackgrounds(t *testing.T) {
	n := 12
	if v, err := strconv.Atoi(os.Getenv("PROOFLINE_SCENES")); err == nil {
		n = v
	}
	var errs []float64
	found, good, upright, spent := 0, 0, 0, time.Duration(0)
	f := NewFinder()
	first, _ := strconv.Atoi(os.Getenv("PROOFLINE_FIRST"))
	for seed := int64(first + 1); seed <= int64(first+n); seed++ {
		s := clutter(t, seed)
		i, err := photo.Decode(s.jpeg, photo.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		fs, err := f.Find(i.Mat, Hints{})
		spent += time.Since(start)
		if err != nil {
			t.Fatal(err)
		}
		e, up := 1.0, false
		desc := "none"
		if len(fs) > 0 {
			found++
			e, up = cornerError(fs[0].Quad, s.quad)
			desc = fmt.Sprintf("%s %.2f", fs[0].Class, fs[0].Confidence)
		}
		if e <= 0.02 {
			good++
		}
		if up {
			upright++
		}
		errs = append(errs, e)
		if e > 0.02 || testing.Verbose() && !up {
			t.Logf("%s: error %.1f %%, upright %v, %d found, %s", s.name, 100*e, up, len(fs), desc)
			if dir := os.Getenv("PROOFLINE_DRAW"); dir != "" {
				outline(&i.Mat, s.quad, color.RGBA{0, 255, 0, 0})
				for k := range fs {
					outline(&i.Mat, fs[k].Quad, color.RGBA{255, 0, 0, 0})
				}
				gocv.IMWrite(fmt.Sprintf("%s/%03d.jpg", dir, seed), i.Mat)
			}
		}
		closeAll(fs)
		i.Close()
	}
	sort.Float64s(errs)
	t.Logf("%d scenes: %d found, %d within 2 %%, %d upright; median error %.2f %%, 90th %.2f %%, 95th %.2f %%; %v each",
		n, found, good, upright, 100*errs[n/2], 100*errs[n*9/10], 100*errs[n*95/100], (spent / time.Duration(n)).Round(time.Millisecond))
	if good*100 < 95*n && n >= 12 {
		t.Errorf("%d of %d within 2 %% of the diagonal", good, n)
	}
}

func outline(m *gocv.Mat, q photo.Quad, c color.RGBA) {
	for i := range q {
		a, b := q[i], q[(i+1)%4]
		gocv.Line(m, a.Image(), b.Image(), c, 1+m.Cols()/500)
	}
}
