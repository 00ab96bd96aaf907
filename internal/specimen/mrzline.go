package specimen

import (
	"image/color"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"github.com/proofline/proofline/photo"
)

// The machine readable zone of Doc 9303: characters at 10 per inch (9303-3
// §4.2), the zone the lowest 23.2 mm of the side (9303-4 §4.1, 9303-5, -6, -7).
const (
	pitchMM   = 2.54
	zoneMM    = 23.2
	capsMM    = 2.4 // height of a capital of OCR-B size 1 (ISO 1073-2)
	twoLineMM = 6.35
	threeMM   = 4.25
)

// machineZone prints the lines centred in the zone, the first character left
// millimetres from the edge. Each glyph is centred in its own cell, so the
// pitch is exact whatever the font's own advance is.
func (c *canvas) machineZone(lines []string, left float64) {
	const probe = 100.0 // px, only to learn the font's proportions
	f, err := sized(c.types.ocrb[0], probe)
	if err != nil {
		c.err = err
		return
	}
	box, _, _ := f.GlyphBounds('H')
	em := capsMM / (unfix(box.Max.Y-box.Min.Y) / probe)
	spacing := twoLineMM
	if len(lines) == 3 {
		spacing = threeMM
	}
	middle := c.h - zoneMM/2
	var zone photo.Rect
	for i, line := range lines {
		base := middle + (float64(i)-float64(len(lines)-1)/2)*spacing + capsMM/2
		for j, ch := range line {
			cut, err := c.types.machineCut(ch)
			if err != nil {
				c.err = err
				return
			}
			face := c.face(cut, em)
			adv, _ := face.GlyphAdvance(ch)
			x := (left+(float64(j)+0.5)*pitchMM)*c.k - unfix(adv)/2
			d := font.Drawer{Dst: c.img, Src: color2(0x141418), Face: face, Dot: fixed.Point26_6{X: fix(x), Y: fix(base * c.k)}}
			d.DrawString(string(ch))
		}
		r := photo.Rect{X: left * c.k, Y: (base - capsMM - 0.2) * c.k, W: float64(len(line)) * pitchMM * c.k, H: (capsMM + 0.4) * c.k}
		if i == 0 {
			zone = r
		}
		zone.W = max(zone.W, r.W)
		zone.H = r.Y + r.H - zone.Y
	}
	c.truth.MRZ = &zone
}

// zoneBand lightens the paper under the zone: 9303-3 §4.1 asks for a
// background that does not disturb its reading.
func (c *canvas) zoneBand() {
	b := c.img.Bounds()
	top := round((c.h - zoneMM - 1.5) * c.k)
	for y := top; y < b.Dy(); y++ {
		for x := range b.Dx() {
			c.blend(x, y, color.RGBA{250, 250, 250, 255}, 0.62*math.Min(1, float64(y-top)/(2.5*c.k)))
		}
	}
}
