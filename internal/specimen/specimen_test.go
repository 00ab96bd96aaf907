package specimen

import (
	"bytes"
	"errors"
	"image"
	"slices"
	"testing"
	"unicode"

	"golang.org/x/image/font/sfnt"

	"github.com/proofline/proofline/mrz"
	"github.com/proofline/proofline/photo"
)

// drawOrSkip skips where the font of the machine readable zone is missing.
func drawOrSkip(t testing.TB, seed int64, o Options) *Specimen {
	t.Helper()
	s, err := New(seed, o)
	var missing *FontError
	if errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryFormatHasItsSizeAndAValidZone(t *testing.T) {
	for _, f := range Formats {
		for seed := int64(0); seed < 5; seed++ {
			s := drawOrSkip(t, seed, Options{Format: f, State: "*", DPI: 110})
			d, err := mrz.Parse(s.Truth.Lines)
			if err != nil || !d.Valid || string(d.Format) != string(f) {
				t.Fatalf("%s seed %d: %v valid %v format %s, lines %q", f, seed, err, d.Valid, d.Format, s.Truth.Lines)
			}
			if d.Fields.DocumentNumber != s.Truth.Identity.DocumentNumber {
				t.Errorf("%s seed %d: number %q is not the printed %q", f, seed, d.Fields.DocumentNumber, s.Truth.Identity.DocumentNumber)
			}
			w, h := f.SizeMM()
			b := s.Front().Bounds()
			if got, want := float64(b.Dx())/float64(b.Dy()), w/h; got < want*0.99 || got > want*1.01 {
				t.Errorf("%s: proportions %.3f, want %.3f", f, got, want)
			}
		}
	}
}

func TestPrintedRegionsLieInsideAndDoNotOverlap(t *testing.T) {
	for _, f := range Formats {
		for seed := int64(0); seed < 6; seed++ {
			s := drawOrSkip(t, seed, Options{Format: f, State: "*", DPI: 110})
			for _, side := range s.Truth.Sides {
				whole := photo.Rect{W: float64(side.Width), H: float64(side.Height)}
				regions := map[string]photo.Rect{}
				for _, fl := range side.Fields {
					regions[fl.Name] = fl.Region
				}
				for name, r := range map[string]*photo.Rect{"portrait": side.Portrait, "ghost": side.Ghost, "mrz": side.MRZ} {
					if r != nil {
						regions[name] = *r
					}
				}
				for name, r := range regions {
					if r.W <= 0 || r.H <= 0 || r.X < 0 || r.Y < 0 || r.X+r.W > whole.W || r.Y+r.H > whole.H {
						t.Errorf("%s %s seed %d: %s %v reaches out of %v", f, side.Side, seed, name, r, whole)
					}
					for other, q := range regions {
						if name < other && r.X < q.X+q.W && q.X < r.X+r.W && r.Y < q.Y+q.H && q.Y < r.Y+r.H {
							t.Errorf("%s %s seed %d: %s and %s overlap", f, side.Side, seed, name, other)
						}
					}
				}
			}
		}
	}
}

func TestASeedAlwaysDrawsTheSameDocument(t *testing.T) {
	a := drawOrSkip(t, 11, Options{Format: TD1, State: "*"})
	b := drawOrSkip(t, 11, Options{Format: TD1, State: "*"})
	c := drawOrSkip(t, 12, Options{Format: TD1, State: "*"})
	if !bytes.Equal(a.Front().Pix, b.Front().Pix) || !bytes.Equal(a.Back().Pix, b.Back().Pix) {
		t.Error("the same seed gave two pictures")
	}
	if bytes.Equal(a.Front().Pix, c.Front().Pix) {
		t.Error("two seeds gave one picture")
	}
}

func TestEveryInventedNameCanBePrintedAndTransliterated(t *testing.T) {
	types, err := faces()
	if err != nil {
		t.Skip(err)
	}
	var buf sfnt.Buffer
	names := slices.Concat(surnames, givenFemale, givenMale)
	for _, st := range states {
		names = append(names, st.Places...)
		names = append(names, st.Authorities...)
	}
	for _, n := range names {
		for _, ch := range n {
			if i, err := types.bold.GlyphIndex(&buf, ch); err != nil || i == 0 {
				t.Errorf("%s: the font has no %q", n, ch)
			}
		}
	}
	for _, n := range slices.Concat(surnames, givenFemale, givenMale) {
		for _, ch := range transliterate(n) {
			if ch != ' ' && (ch > unicode.MaxASCII || !unicode.IsUpper(ch)) {
				t.Errorf("%s: %q is left in %q", n, ch, transliterate(n))
			}
		}
	}
	for _, ch := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<" {
		if _, err := types.machineCut(ch); err != nil {
			t.Error(err)
		}
	}
}

func TestAnExpiredSpecimenExpiredBeforeItsReference(t *testing.T) {
	for seed := int64(0); seed < 10; seed++ {
		fresh := drawOrSkip(t, seed, Options{DPI: 100}).Truth.Identity
		old := drawOrSkip(t, seed, Options{DPI: 100, Expired: true}).Truth.Identity
		today := ReferenceDate.Format("2006-01-02")
		if fresh.ExpiryDate <= today || fresh.IssueDate > today || old.ExpiryDate >= today || old.IssueDate <= old.BirthDate {
			t.Errorf("seed %d: issued %s to %s; expired one %s to %s, born %s", seed, fresh.IssueDate, fresh.ExpiryDate, old.IssueDate, old.ExpiryDate, old.BirthDate)
		}
	}
}

func TestThePrintedZoneIsWhereTheTruthSaysAtTheStandardsPitch(t *testing.T) {
	s := drawOrSkip(t, 3, Options{Format: TD3})
	side := s.Truth.Side("front")
	zone := *side.MRZ
	if got, want := zone.W, 44*2.54*side.PxPerMM; got < want-1 || got > want+1 {
		t.Errorf("44 characters take %.1f px, want %.1f", got, want)
	}
	outside, inside := 0, 0
	img := s.Front()
	for y := side.Height - round(zoneMM*side.PxPerMM) + 4; y < side.Height; y++ {
		for x := range side.Width {
			if p := img.RGBAAt(x, y); int(p.R)+int(p.G)+int(p.B) < 150 {
				if (image.Point{X: x, Y: y}).In(image.Rect(int(zone.X), int(zone.Y), int(zone.X+zone.W)+1, int(zone.Y+zone.H)+1)) {
					inside++
				} else {
					outside++
				}
			}
		}
	}
	if inside < 3000 || outside > 0 {
		t.Errorf("%d dark pixels inside the zone, %d outside", inside, outside)
	}
}

func TestAnUnknownStateOrResolutionIsRefused(t *testing.T) {
	for _, o := range []Options{{State: "FRA"}, {DPI: 5}, {DPI: 1e6}, {Person: "ines"}} {
		if _, err := New(1, o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}
