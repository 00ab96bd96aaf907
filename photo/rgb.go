package photo

import (
	"image"
	"image/color"
)

// rgbPlane shows interleaved 8-bit RGB rows as an image.Image.
type rgbPlane struct {
	pix    []byte
	stride int
	w, h   int
}

func (p *rgbPlane) ColorModel() color.Model { return color.RGBAModel }
func (p *rgbPlane) Bounds() image.Rectangle { return image.Rect(0, 0, p.w, p.h) }
func (p *rgbPlane) At(x, y int) color.Color { return p.RGBA64At(x, y) }

// RGBA64At keeps image/draw from allocating a colour for every pixel.
func (p *rgbPlane) RGBA64At(x, y int) color.RGBA64 {
	s := p.pix[y*p.stride+3*x:]
	return color.RGBA64{uint16(s[0]) * 0x101, uint16(s[1]) * 0x101, uint16(s[2]) * 0x101, 0xffff}
}
