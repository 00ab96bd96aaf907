package specimen

import (
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"
	"golang.org/x/image/vector"
)

// An ID portrait has the proportions of 35 × 45 mm, the eyes on one level a
// little above the middle (ISO/IEC 39794-5, as Doc 9303-3 §3.9 asks).
const (
	portraitW = 700
	portraitH = 900
	eyeLine   = 0.47  // of the height, from the top
	eyeSpan   = 0.225 // distance of the eyes, of the width
)

// idPortrait cuts a person out of the source picture and sets them before a
// plain background, as a photographer's studio would.
func idPortrait(seed int64, p *Person) (*image.RGBA, error) {
	if p == nil {
		return drawnFigure(seed), nil
	}
	src, err := p.source()
	if err != nil {
		return nil, err
	}
	face := warp(src, uprightTo(p, portraitW, portraitH), portraitW, portraitH, gocv.InterpolationCubic, edgeReplicate)
	mask := outlineMask(p.Outline)
	out := studio(rgb(0xe4e8ec), rgb(0xc9d0d8))
	for i := 0; i < len(out.Pix); i += 4 {
		// The edge is drawn inwards so that no rim of the old background
		// is left around the hair.
		a := math.Max(0, (float64(mask.Pix[i/4])/255-0.4)/0.6)
		for c := range 3 {
			out.Pix[i+c] = mix(out.Pix[i+c], face.Pix[i+c], a)
		}
	}
	return out, nil
}

// uprightTo maps source pixels to a portrait of w × h pixels.
func uprightTo(p *Person, w, h float64) matrix {
	rx, ry, lx, ly := p.Eyes[0], p.Eyes[1], p.Eyes[2], p.Eyes[3]
	scale := eyeSpan * w / math.Hypot(lx-rx, ly-ry)
	tilt := math.Atan2(ly-ry, lx-rx) * p.Level
	return translate(-(rx+lx)/2, -(ry+ly)/2).then(rotate(-tilt)).then(stretch(scale, scale)).then(translate(w/2, eyeLine*h))
}

// outlineMask is the outline filled and feathered.
func outlineMask(outline []float64) *image.Alpha {
	z := vector.NewRasterizer(portraitW, portraitH)
	const k = portraitW / 1000.0
	for i := 0; i+1 < len(outline); i += 2 {
		x, y := float32(outline[i]*k), float32(outline[i+1]*k)
		if i == 0 {
			z.MoveTo(x, y)
		} else {
			z.LineTo(x, y)
		}
	}
	z.ClosePath()
	mask := image.NewAlpha(image.Rect(0, 0, portraitW, portraitH))
	z.Draw(mask, mask.Rect, image.Opaque, image.Point{})
	m, err := gocv.NewMatFromBytes(portraitH, portraitW, gocv.MatTypeCV8U, mask.Pix)
	if err != nil {
		return mask
	}
	defer m.Close()
	_ = gocv.GaussianBlur(m, &m, image.Pt(0, 0), 7, 7, gocv.BorderReplicate)
	mask.Pix = m.ToBytes()
	return mask
}

func studio(top, bottom color.RGBA) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, portraitW, portraitH))
	for y := range portraitH {
		for x := range portraitW {
			u := (float64(x)/portraitW - 0.5) * 2
			t := float64(y)/portraitH*0.7 + 0.3*u*u
			out.SetRGBA(x, y, color.RGBA{mix(top.R, bottom.R, t), mix(top.G, bottom.G, t), mix(top.B, bottom.B, t), 255})
		}
	}
	return out
}

// drawnFigure is a schematic head and shoulders, for specimens that need no
// face: tests of text and geometry run without any picture installed.
func drawnFigure(seed int64) *image.RGBA {
	r := stream(seed, "figure")
	out := studio(rgb(0xe4e8ec), rgb(0xc9d0d8))
	c := &canvas{img: out, k: 20, w: 35, h: 45}
	ellipse := func(col color.RGBA, x, y, rx, ry float64) {
		var points [][2]float64
		for i := range 72 {
			a := 2 * math.Pi * float64(i) / 72
			points = append(points, [2]float64{x + rx*math.Cos(a), y + ry*math.Sin(a)})
		}
		c.path(col, points...)
	}
	skin := pick(r, []color.RGBA{rgb(0xf0cdb0), rgb(0xd9a77f), rgb(0xa9744f), rgb(0x7a4c33)})
	hair := pick(r, []color.RGBA{rgb(0x2b211d), rgb(0x5b3a22), rgb(0xb58b4c), rgb(0x6f6a68)})
	cloth := pick(r, []color.RGBA{rgb(0x2f3f5c), rgb(0x5a2d3a), rgb(0x35524a), rgb(0x44424a)})
	shade := func(col color.RGBA, t float64) color.RGBA {
		return color.RGBA{mix(col.R, 0, t), mix(col.G, 0, t), mix(col.B, 0, t), 255}
	}
	ellipse(cloth, 17.5, 46, 15.5, 11)
	ellipse(hair, 17.5, 18.5, 10.2, 11.6)
	c.path(shade(skin, 0.12), [2]float64{14, 30}, [2]float64{21, 30}, [2]float64{22, 37.5}, [2]float64{17.5, 40}, [2]float64{13, 37.5})
	ellipse(skin, 17.5, 22, 8.2, 10.8)
	ellipse(hair, 17.5, 12.0, 8.4, 3.6)
	for _, side := range []float64{-1, 1} {
		x := 17.5 + side*3.5
		ellipse(rgb(0xf8f6f2), x, 21.2, 1.5, 0.8)
		ellipse(rgb(0x2c2320), x, 21.2, 0.75, 0.75)
		c.stroke(shade(hair, 0.1), 0.6, [][2]float64{{x - 1.8, 19.1}, {x, 18.6}, {x + 1.8, 19.1}})
	}
	c.stroke(shade(skin, 0.25), 0.4, [][2]float64{{17.3, 21.5}, {16.6, 25.4}, {18.2, 25.7}})
	c.stroke(rgb(0x9c4a4a), 0.8, [][2]float64{{14.9, 28.5}, {17.5, 29.1}, {20.1, 28.5}})
	return out
}
