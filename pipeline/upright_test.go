package pipeline

import (
	"math"
	"os"
	"strconv"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/photo"
)

// The front of an ID-1 card has no zone: nothing but the portrait says which
// way up it is. PROOFLINE_SCENES sets how many cards are photographed.
func TestCardsThatLieUpsideDownAreTurnedByTheirPortrait(t *testing.T) {
	n := 6
	if v, err := strconv.Atoi(os.Getenv("PROOFLINE_SCENES")); err == nil {
		n = v
	}
	e := engines(t)
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		testserver.Missing(t, "portraits", "run `make setup`")
	}
	upright := 0
	for seed := int64(1); seed <= int64(n); seed++ {
		doc, err := specimen.New(seed, specimen.Options{Format: specimen.TD1, State: "*", Portraits: ps})
		if err != nil {
			t.Fatal(err)
		}
		c := specimen.GoodCamera(seed)
		c.Background = specimen.Backgrounds[int(seed)%len(specimen.Backgrounds)]
		c.Rotation += []float64{90, 180, 270}[seed%3]
		c.Fill = 0.5 + 0.05*float64(seed%9)
		shot, err := specimen.Photograph(doc.Front(), c)
		if err != nil {
			t.Fatal(err)
		}
		b, err := shot.JPEG(85)
		if err != nil {
			t.Fatal(err)
		}
		p, err := photo.Decode(b, photo.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		found, err := e.FindDocuments(p)
		p.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 && math.Hypot(found[0].Quad[0].X-shot.Quad[0].X, found[0].Quad[0].Y-shot.Quad[0].Y) < 20 {
			upright++
		} else {
			t.Logf("seed %d, turned by %.0f degrees: %d found", seed, c.Rotation, len(found))
		}
		for i := range found {
			found[i].Close()
		}
	}
	t.Logf("%d of %d upright", upright, n)
	if upright*100 < 98*n {
		t.Errorf("%d of %d upright", upright, n)
	}
}
