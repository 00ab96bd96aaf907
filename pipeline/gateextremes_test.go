package pipeline

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/policy"
)

// drawn is a PNG whose pixels come from a function.
func drawn(t *testing.T, w, h int, at func(x, y int) color.Gray) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetGray(x, y, at(x, y))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPicturesOfNothingGetAHintThatHelps(t *testing.T) {
	e := engines(t)
	r := rand.New(rand.NewPCG(1, 2))
	level := func(v uint8) func(int, int) color.Gray { return func(int, int) color.Gray { return color.Gray{Y: v} } }
	noise := func(int, int) color.Gray { return color.Gray{Y: uint8(r.IntN(256))} }
	doc, err := specimen.New(6, specimen.Options{Format: specimen.TD3, State: "*"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := specimen.Photograph(doc.Front(), specimen.CameraFor(6, specimen.SameColour, &doc.Truth.Sides[0]))
	if err != nil {
		t.Fatal(err)
	}
	camouflaged, err := p.JPEG(90)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want policy.Code
	}{
		"all black":                    {drawn(t, 1200, 900, level(0)), "capture.blank"},
		"all white":                    {drawn(t, 1200, 900, level(255)), "capture.blank"},
		"noise":                        {drawn(t, 1200, 900, noise), "capture.blurred"}, // nothing in it is sharp
		"one pixel":                    {drawn(t, 1, 1, level(128)), "capture.resolution_low"},
		"a ribbon":                     {drawn(t, 9000, 3, noise), "capture.resolution_low"},
		"a thumbnail":                  {drawn(t, 60, 40, noise), "capture.resolution_low"},
		"a document on its own colour": {camouflaged, ""},
	} {
		a, err := Gate(ctx, e, policy.Default(), "document_front", c.file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := policy.Code("")
		if a.Hint != nil {
			got = a.Hint.Code
		}
		if got != c.want {
			t.Errorf("%s: hint %q, want %q (codes %v)", name, got, c.want, a.Codes)
		}
	}
}
