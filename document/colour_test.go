package document

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/policy"
)

// inDisplayP3 is the same picture in the numbers that a phone with a wide gamut
// writes: linear light, through the primaries of sRGB and Display P3 (SMPTE EG
// 432-1, D65), and back with the same transfer curve.
func inDisplayP3(src image.Image) *image.RGBA {
	var linear [256]float64
	for i := range linear {
		v := float64(i) / 255
		if linear[i] = v / 12.92; v > 0.04045 {
			linear[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	coded := func(v float64) uint8 {
		v = math.Max(0, math.Min(1, v))
		if v <= 0.0031308 {
			return uint8(255*12.92*v + 0.5)
		}
		return uint8(255*(1.055*math.Pow(v, 1/2.4)-0.055) + 0.5)
	}
	b := src.Bounds()
	out := image.NewRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.RGBAModel.Convert(src.At(x, y)).(color.RGBA)
			r, g, bl := linear[c.R], linear[c.G], linear[c.B]
			out.SetRGBA(x, y, color.RGBA{
				coded(0.8225*r + 0.1774*g), coded(0.0332*r + 0.9669*g), coded(0.0171*r + 0.0724*g + 0.9108*bl), 255})
		}
	}
	return out
}

// Profiles of pictures are not read. Phones write Display P3: this is what is
// wrong by that.
func TestAWideGamutChangesNoVerdictAndHardlyAnyMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two photos")
	}
	f := NewFinder()
	cell := policy.Default().Cell(policy.Context{})
	for i, d := range []specimen.Degradation{specimen.GlareMRZ, specimen.Greyscale} {
		doc, err := specimen.New(int64(i+1), specimen.Options{Format: specimen.Formats[i], State: "*"})
		if err != nil {
			t.Skipf("draw specimen: %v", err)
		}
		p, err := specimen.Photograph(doc.Front(), specimen.CameraFor(int64(i+1), d, &doc.Truth.Sides[0]))
		if err != nil {
			t.Fatal(err)
		}
		file := func(m image.Image) []byte {
			var b bytes.Buffer
			if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 92}); err != nil {
				t.Fatal(err)
			}
			return b.Bytes()
		}
		plain, wide := measure(t, f, "sRGB", "", file(p.Image)).values, measure(t, f, "Display P3", "", file(inDisplayP3(p.Image))).values
		for name, v := range plain {
			w := wide[name]
			limit := 0.05*math.Abs(v) + 0.01
			switch name {
			case "document.saturation": // the numbers of colours lie closer together
				limit = 0.25*v + 0.01
			case "document.screen_pattern": // decibels of noise
				limit = 2
			}
			if math.Abs(v-w) > limit {
				t.Errorf("%s: %s is %.4g in sRGB, %.4g in Display P3", d, name, v, w)
			}
			if th := bound(cell, name); th != nil {
				fails := func(v float64) bool { return th.Min != nil && v < *th.Min || th.Max != nil && v > *th.Max }
				if fails(v) != fails(w) {
					t.Errorf("%s: the verdict of %s changes from %.4g to %.4g", d, name, v, w)
				}
			}
		}
	}
}
