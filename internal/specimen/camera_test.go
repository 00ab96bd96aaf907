package specimen

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"testing"

	"github.com/proofline/proofline/photo"
)

// target is a white card with four dark squares whose centres are known.
func target() (*image.RGBA, [4]photo.Point) {
	img := image.NewRGBA(image.Rect(0, 0, 1000, 700))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	marks := [4]photo.Point{{X: 100, Y: 100}, {X: 900, Y: 100}, {X: 900, Y: 600}, {X: 100, Y: 600}}
	for i, m := range marks {
		for y := int(m.Y) - 30; y < int(m.Y)+30; y++ {
			for x := int(m.X) - 30; x < int(m.X)+30; x++ {
				img.SetRGBA(x, y, [4]color.RGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {0, 0, 0, 255}}[i])
			}
		}
	}
	return img, marks
}

func TestTheQuadAndRegionsOfAPhotoAreWhereThePixelsAre(t *testing.T) {
	doc, marks := target()
	for i, c := range []Camera{
		{}, {Rotation: 90}, {Rotation: 211, Tilt: 25, TiltAxis: 40, Fill: 0.7}, {Rotation: -8, Tilt: 40, TiltAxis: 90}, {Width: 600, Height: 800, Fill: 0.5},
	} {
		c.Background = Dark
		p, err := Photograph(doc, c)
		if err != nil {
			t.Fatal(err)
		}
		for k, m := range marks {
			r := p.Region(photo.Rect{X: m.X - 1, Y: m.Y - 1, W: 2, H: 2})
			x, y := int((r[0].X+r[2].X)/2), int((r[0].Y+r[2].Y)/2)
			got := p.Image.RGBAAt(x, y)
			want := [4][3]bool{{true, false, false}, {false, true, false}, {false, false, true}, {false, false, false}}[k]
			if (got.R > 128) != want[0] || (got.G > 128) != want[1] || (got.B > 128) != want[2] {
				t.Errorf("camera %d: mark %d at (%d, %d) is %v", i, k, x, y, got)
			}
		}
		// Just inside each corner there is the card, just outside the table.
		var cx, cy float64
		for _, q := range p.Quad {
			cx, cy = cx+q.X/4, cy+q.Y/4
		}
		for k, q := range p.Quad {
			n := math.Hypot(q.X-cx, q.Y-cy)
			in := p.Image.RGBAAt(round(q.X-(q.X-cx)/n*8), round(q.Y-(q.Y-cy)/n*8))
			out := p.Image.RGBAAt(round(q.X+(q.X-cx)/n*8), round(q.Y+(q.Y-cy)/n*8))
			if in.R < 150 || out.R > 120 {
				t.Errorf("camera %d corner %d: inside %v, outside %v", i, k, in, out)
			}
		}
	}
}

func TestTheSameCameraTakesTheSamePhoto(t *testing.T) {
	doc, _ := target()
	for _, d := range Degradations {
		a, err := Photograph(doc, CameraFor(5, d, nil))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Photograph(doc, CameraFor(5, d, nil))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Image.Pix, b.Image.Pix) {
			t.Errorf("%s: two photos differ", d)
		}
	}
}

func TestAGoodPhotoHoldsTheWholeDocumentAndACroppedOneDoesNot(t *testing.T) {
	doc, _ := target()
	for seed := int64(0); seed < 30; seed++ {
		for _, d := range []Degradation{Good, Turned, Tilted, Cropped} {
			c := CameraFor(seed, d, nil)
			p, err := Photograph(doc, Camera{Seed: seed, Width: 400, Height: 300, Rotation: c.Rotation, Tilt: c.Tilt, TiltAxis: c.TiltAxis, Fill: c.Fill, OffsetX: c.OffsetX, OffsetY: c.OffsetY})
			if err != nil {
				t.Fatal(err)
			}
			b := boundsOf(p.Quad)
			whole := b.X >= 0 && b.Y >= 0 && b.X+b.W <= 400 && b.Y+b.H <= 300
			if whole == (d == Cropped) {
				t.Errorf("seed %d %s: bounds %v in 400 × 300", seed, d, b)
			}
		}
	}
}

func TestAViewerThatKnowsEXIFSeesThePhotoUpright(t *testing.T) {
	doc, _ := target()
	p, err := Photograph(doc, Camera{Width: 640, Height: 480})
	if err != nil {
		t.Fatal(err)
	}
	for o := 1; o <= 8; o++ {
		p.Orientation = o
		b, err := p.JPEG(95)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			t.Fatalf("orientation %d: %v", o, err)
		}
		got, err := photo.Decode(b, photo.DefaultLimits)
		if err != nil {
			t.Fatalf("orientation %d: %v", o, err)
		}
		if got.Orientation != o || got.Mat.Cols() != 640 || got.Mat.Rows() != 480 {
			t.Errorf("orientation %d is read as %d, %d × %d", o, got.Orientation, got.Mat.Cols(), got.Mat.Rows())
		}
		// The mat is BGR; the marks of the first corner are red there.
		r := p.Region(photo.Rect{X: 90, Y: 90, W: 20, H: 20})
		v := got.Mat.GetVecbAt(int((r[0].Y+r[2].Y)/2), int((r[0].X+r[2].X)/2))
		if v[2] < 150 || v[0] > 100 || v[1] > 100 {
			t.Errorf("orientation %d: the red mark is %v", o, v)
		}
		got.Close()
	}
}

func BenchmarkPhotograph(b *testing.B) {
	s := drawOrSkip(b, 1, Options{})
	for i := range b.N {
		if _, err := Photograph(s.Front(), GoodCamera(int64(i))); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for i := range b.N {
		drawOrSkip(b, int64(i), Options{})
	}
}
