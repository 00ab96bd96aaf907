package document

import (
	"fmt"
	"image/color"
	"os"
	"strconv"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/photo"
)

// taken is a photo of the specimen of a seed, after what set does to the camera.
func taken(t *testing.T, seed int64, form specimen.Format, d specimen.Degradation, set func(*specimen.Camera, *specimen.Specimen)) []byte {
	t.Helper()
	doc, err := specimen.New(seed, specimen.Options{Format: form, State: "*"})
	if err != nil {
		t.Skipf("draw specimen: %v", err)
	}
	c := specimen.CameraFor(seed, d, &doc.Truth.Sides[0])
	if set != nil {
		set(&c, doc)
	}
	p, err := specimen.Photograph(doc.Front(), c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.JPEG(90)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFingersOnTheDocumentAreFoundAndThoseAtItsEdgeAreNot(t *testing.T) {
	f := NewFinder()
	for _, c := range []struct {
		what   specimen.Degradation
		form   specimen.Format
		lo, hi float64
	}{{specimen.Fingers, specimen.TD3, 6, 40}, {specimen.Held, specimen.TD3, 0, 6}, {specimen.Good, specimen.TD1, 0, 0}} {
		v, ok := measure(t, f, string(c.what), "", taken(t, 2, c.form, c.what, nil)).values["document.occlusion"]
		if !ok || v < c.lo || v > c.hi {
			t.Errorf("%s: covered %.1f mm deep (measured: %v), want %g to %g", c.what, v, ok, c.lo, c.hi)
		}
	}
}

func TestThePatternOfADisplayIsSeenAndThatOfAWeaveIsNot(t *testing.T) {
	f := NewFinder()
	for _, columns := range []int{500, 900, 1300} {
		b := taken(t, 3, specimen.TD1, specimen.OnScreen, func(c *specimen.Camera, _ *specimen.Specimen) { c.Panel.Columns = columns })
		if v, ok := measure(t, f, "", "", b).values["document.screen_pattern"]; ok && v < 20 {
			t.Errorf("a display of %d columns: %.1f dB", columns, v)
		}
	}
	b := taken(t, 3, specimen.TD2, specimen.Good, func(c *specimen.Camera, _ *specimen.Specimen) { c.Background = specimen.Cloth })
	if v := measure(t, f, "", "", b).values["document.screen_pattern"]; v > 20 {
		t.Errorf("a document on cloth: %.1f dB", v)
	}
}

func TestASecondDocumentAndOneOfTheTablesColourAreFound(t *testing.T) {
	f := NewFinder()
	count := func(b []byte) int {
		i, err := photo.Decode(b, photo.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		defer i.Close()
		fs, err := f.Find(i.Mat, Hints{})
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(fs)
		return len(fs)
	}
	if n := count(taken(t, 4, specimen.TD2, specimen.Two, func(c *specimen.Camera, s *specimen.Specimen) { c.Beside = s.Front() })); n != 2 {
		t.Errorf("%d of two documents found", n)
	}
	if n := count(taken(t, 4, specimen.TD3, specimen.SameColour, nil)); n != 1 {
		t.Errorf("%d documents found on a table of the document's colour", n)
	}
}

// PROOFLINE_TONES sets how many documents are held by hands of each of six tones
// of skin; the rates belong into docs/quality.md.
func TestFingersOfEveryToneOfSkinAreFound(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("PROOFLINE_TONES"))
	if err != nil {
		t.Skip("set PROOFLINE_TONES")
	}
	f := NewFinder()
	for _, tone := range specimen.Tones {
		var found, seen int
		for seed := int64(1); seed <= int64(n); seed++ {
			b := taken(t, seed, specimen.Formats[int(seed)%len(specimen.Formats)], specimen.Fingers, func(c *specimen.Camera, _ *specimen.Specimen) {
				c.Background = specimen.Backgrounds[int(seed)%len(specimen.Backgrounds)]
				for i := range c.Fingers {
					c.Fingers[i].Tone = tone
				}
			})
			if v, ok := measure(t, f, fmt.Sprint(seed), "", b).values["document.occlusion"]; ok {
				if seen++; v > 6 {
					found++
				}
			}
		}
		t.Logf("%s: %d of %d, the document found on %d of %d", hex(tone), found, seen, seen, n)
	}
}

func hex(c color.RGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }
