package document

import (
	"image"
	"image/color"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

func plain(w, h int, v float64) gocv.Mat {
	return gocv.NewMatWithSizeFromScalar(gocv.NewScalar(v, v, v, 0), h, w, gocv.MatTypeCV8UC3)
}

func TestNothingIsInventedWhereThereIsNoDocument(t *testing.T) {
	noise := gocv.NewMatWithSize(600, 800, gocv.MatTypeCV8UC3)
	p, _ := noise.DataPtrUint8()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range p {
		p[i] = byte(r.UintN(256))
	}
	for name, m := range map[string]gocv.Mat{
		"black": plain(800, 600, 0), "white": plain(800, 600, 255), "noise": noise,
		"one pixel": plain(1, 1, 9), "a strip": plain(2000, 50, 9), "a thread": plain(3, 4000, 9),
	} {
		fs, err := NewFinder().Find(m, Hints{})
		if err != nil || len(fs) != 0 {
			t.Errorf("%s: %d documents, %v", name, len(fs), err)
		}
		closeAll(fs)
		m.Close()
	}
	empty := gocv.NewMat()
	defer empty.Close()
	if _, err := NewFinder().Find(empty, Hints{}); err == nil {
		t.Error("an empty picture is not an error")
	}
}

func TestAnUpsideDownCardWithoutZoneIsTurnedByItsFace(t *testing.T) {
	for _, seed := range []int64{36, 195} {
		s := clutter(t, seed)
		i, err := photo.Decode(s.jpeg, photo.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		// The portrait of a card is on its left; a stand-in for the detector
		// sees it when there is skin there.
		seesLeft := func(m gocv.Mat) []Face {
			left := m.Region(photo.Rect{X: 0.1 * float64(m.Cols()), Y: 0.35 * float64(m.Rows()), W: 0.2 * float64(m.Cols()), H: 0.35 * float64(m.Rows())}.Bounds(m.Cols(), m.Rows()))
			right := m.Region(photo.Rect{X: 0.7 * float64(m.Cols()), Y: 0.35 * float64(m.Rows()), W: 0.2 * float64(m.Cols()), H: 0.35 * float64(m.Rows())}.Bounds(m.Cols(), m.Rows()))
			defer left.Close()
			defer right.Close()
			if left.Mean().Val2 > right.Mean().Val2-15 {
				return nil
			}
			return []Face{{Box: photo.Rect{X: 0.12 * float64(m.Cols()), Y: 0.35 * float64(m.Rows()), W: 0.16 * float64(m.Cols()), H: 0.3 * float64(m.Rows())}}}
		}
		fs, err := NewFinder().Find(i.Mat, Hints{Faces: seesLeft})
		if err != nil || len(fs) == 0 {
			t.Fatalf("%s: %d found, %v", s.name, len(fs), err)
		}
		defer closeAll(fs)
		if _, up := cornerError(fs[0].Quad, s.quad); !up || fs[0].Class != ID1Front || fs[0].Portrait == nil || !fs[0].Upright {
			t.Errorf("%s: upright %v, class %s, portrait %v", s.name, up, fs[0].Class, fs[0].Portrait)
		}
	}
}

func TestADoubtfulFaceIsNoEvidenceOfADocument(t *testing.T) {
	street := plain(1400, 1050, 120) // of the proportion of a passport page
	defer street.Close()
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		x, y := r.IntN(1400), r.IntN(1050)
		v := uint8(r.UintN(256))
		gocv.Rectangle(&street, image.Rect(x, y, x+10+r.IntN(90), y+10+r.IntN(120)), color.RGBA{v, v / 2, 255 - v, 0}, -1)
	}
	for _, doubtful := range []bool{true, false} {
		sees := func(m gocv.Mat) []Face {
			w, h := float64(m.Cols()), float64(m.Rows())
			return []Face{{Box: photo.Rect{X: 0.1 * w, Y: 0.3 * h, W: 0.15 * w, H: 0.2 * h}, Doubtful: doubtful}}
		}
		fs, err := NewFinder().Find(street, Hints{Faces: sees})
		if err != nil || (len(fs) == 0) != doubtful {
			t.Errorf("doubtful %v: %d documents, %v", doubtful, len(fs), err)
		}
		closeAll(fs)
	}
}

func TestFindingAgainAndAgainKeepsMemoryFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	rss := func() int {
		b, _ := os.ReadFile("/proc/self/statm")
		f := strings.Fields(string(b))
		if len(f) < 2 {
			t.Skip("needs /proc")
		}
		pages, _ := strconv.Atoi(f[1])
		return pages * os.Getpagesize() >> 20
	}
	i, err := photo.Decode(clutter(t, 3).jpeg, photo.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	f, start := NewFinder(), 0
	for n := range 45 {
		fs, err := f.Find(i.Mat, Hints{})
		if err != nil {
			t.Fatal(err)
		}
		closeAll(fs)
		if n == 15 {
			start = rss()
		}
	}
	// One leaked picture at refining size is 3.7 MB: thirty would be 110.
	if end := rss(); end > start+50 {
		t.Errorf("resident size grew from %d to %d MiB", start, end)
	}
}
