package pipeline

import (
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
)

var glarePhotos = flag.Int("glare-photos", 10, "documents photographed for each exposure, with and without a reflection")

// Paper is almost white in a photo a quarter of a stop too bright, and burnt out in
// one half a stop too bright. docs/quality.md has the figures of 40 documents each.
func TestAReflectionIsSeenOnPaperThatIsAlmostWhite(t *testing.T) {
	e := engines(t)
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		testserver.Missing(t, "portraits", "run `make setup`")
	}
	for _, exposure := range []float64{0.1, 0.25, 0.4, 0.5} {
		if exposure != 0.25 && *glarePhotos <= 10 {
			continue
		}
		found, seen, wrong := 0, 0, 0
		for i := range *glarePhotos {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			doc, err := specimen.New(int64(9100+i), specimen.Options{Portraits: ps, Format: []specimen.Format{specimen.TD3, specimen.TD1}[i%2]})
			if err != nil {
				t.Fatal(err)
			}
			k := specimen.GoodCamera(int64(9100 + i))
			k.Exposure = exposure
			if v, ok := glareOf(t, e, doc, k); ok && v > 0.02 {
				wrong++
			}
			k.Glare = []specimen.Glare{{X: 0.2 + 0.6*r.Float64(), Y: 0.2 + 0.6*r.Float64(), Radius: 0.13 + 0.1*r.Float64(), Stretch: 0.6 + 0.8*r.Float64(), Strength: 1}}
			v, ok := glareOf(t, e, doc, k)
			if ok {
				found++
			}
			if v > 0.02 {
				seen++
			}
		}
		t.Logf("%+.2f stops: %d of %d reflections seen, %d of %d photos without one accused", exposure, seen, found, wrong, *glarePhotos)
		if exposure == 0.25 && (seen*20 < found*19 || found < *glarePhotos*9/10 || wrong > 0) {
			t.Error("a reflection on bright paper is missed, or seen where there is none")
		}
	}
}

// glareOf is the area that counts as reflection in a photo, if the document is found.
func glareOf(t *testing.T, e *Engines, doc *specimen.Specimen, k specimen.Camera) (float64, bool) {
	t.Helper()
	p, err := specimen.Photograph(doc.Front(), k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.JPEG(92)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Gate(ctx, e, policy.Default(), "document_front", b)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Findings {
		if v, ok := f.Measured("document.glare_area"); ok {
			return v, true
		}
	}
	return 0, false
}
