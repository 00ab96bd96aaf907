package specimen

import (
	"errors"
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Camera says how a photo is taken. The zero value is a sharp, upright,
// evenly lit photo of 2 megapixels on a wooden table; GoodCamera adds what no
// real photo is without.
type Camera struct {
	Seed          int64
	Width, Height int        // of the photo; 1632 × 1224 when zero
	Background    Background // what the document lies on; Wood when empty
	Rotation      float64    // of the document, degrees clockwise
	Tilt          float64    // of the document plane away from the camera, degrees
	TiltAxis      float64    // direction of the axis of the tilt, degrees
	Fill          float64    // the document's bounding box as part of the frame; 0.85 when zero, beyond 1 it is cut off
	OffsetX       float64    // -1 to 1: where in the room left by Fill
	OffsetY       float64
	Defocus       float64 // standard deviation of the blur, px
	Motion        float64 // length of the motion streak, px
	MotionAngle   float64 // degrees
	Glare         []Glare
	Foils         []Foil // holograms, where the document has them
	Fingers       []Finger
	Beside        *image.RGBA // a second document, to the right of the first
	Panel         *Panel      // the photo is shown on a display and photographed again
	Match         bool        // the table has the colour of the document's rim
	Shadow        float64     // darkness 0-1 of a shadow whose edge crosses the document
	Falloff       float64     // 0-1: how much darker the far end of the scene is
	Noise         float64     // standard deviation, levels of 255
	Exposure      float64     // stops; 0 is right
	Warmth        float64     // -1 bluish to 1 yellowish
	Grey          bool        // a black and white copy
	Orientation   int         // EXIF 1-8: the way the sensor's rows lie in the file
}

// Glare is a specular spot, placed on the document.
type Glare struct {
	X, Y     float64 // of the document's width and height, 0-1
	Radius   float64 // of the document's width
	Stretch  float64 // height per width of the spot; 1 when zero
	Strength float64 // 0-1; from about 0.8 on nothing is left to read in the middle
}

// Photo is a simulated photo and where the document is in it.
type Photo struct {
	Image       *image.RGBA
	Quad        photo.Quad // corners of the document, top left first, in pixels of Image
	Orientation int

	plane matrix // document pixels to photo pixels
}

// Region maps a rectangle of the document into the photo.
func (p *Photo) Region(r photo.Rect) photo.Quad {
	at := func(x, y float64) photo.Point { return p.plane.apply(photo.Point{X: x, Y: y}) }
	return photo.Quad{at(r.X, r.Y), at(r.X+r.W, r.Y), at(r.X+r.W, r.Y+r.H), at(r.X, r.Y+r.H)}
}

// Photograph puts a document (an image whose transparent parts are not there)
// in front of the camera.
func Photograph(doc *image.RGBA, c Camera) (*Photo, error) {
	if doc == nil || doc.Rect.Empty() {
		return nil, errors.New("photograph: there is no document")
	}
	if c.Width == 0 || c.Height == 0 {
		c.Width, c.Height = 1632, 1224
	}
	if c.Fill == 0 {
		c.Fill = 0.85
	}
	w, h := float64(doc.Rect.Dx()), float64(doc.Rect.Dy())
	plane := c.plane(w, h)
	quad := plane.corners(w, h)
	laid := layDown(c.withFoils(doc), plane, c.Width, c.Height)
	scene := backdrop(c.Background, c.Seed, c.Width, c.Height)
	if c.Match {
		scene = matching(doc, c.Seed, c.Width, c.Height)
	}
	if c.Beside != nil {
		c.besides(scene, plane)
	}
	dropShadow(scene, quad)
	light := c.light(plane, w, h)
	compose(scene, laid, light)
	c.fingers(scene, plane, w, h, math.Exp2(c.Exposure/2.2))
	if c.Panel != nil {
		var again matrix
		scene, again = c.Panel.photographed(scene)
		plane = plane.then(again)
		quad = plane.corners(w, h)
	}
	blurred := c.blur(scene)
	c.sensor(blurred)
	return &Photo{Image: blurred, Quad: quad, Orientation: max(1, c.Orientation), plane: plane}, nil
}

// besides lays the second document to the right of the first, a little turned.
func (c Camera) besides(scene *image.RGBA, plane matrix) {
	r := stream(c.Seed, "beside")
	w, h := float64(c.Beside.Rect.Dx()), float64(c.Beside.Rect.Dy())
	second := translate(-w/2, -h/2).then(rotate(between(r, -0.12, 0.12))).then(translate(w*1.6, h*between(r, 0.4, 0.6))).then(plane)
	laid := layDown(c.Beside, second, c.Width, c.Height)
	dropShadow(scene, second.corners(w, h))
	for i := 0; i < len(scene.Pix); i += 4 {
		if a := uint32(laid.Pix[i+3]); a > 0 {
			for ch := range 3 {
				scene.Pix[i+ch] = uint8(min(255, uint32(laid.Pix[i+ch])+uint32(scene.Pix[i+ch])*(255-a)/255))
			}
		}
	}
}

// plane is the pinhole projection of the document: turned in its plane, tilted
// about an axis in it, scaled so that its bounding box fills the frame as
// wanted, and moved.
func (c Camera) plane(w, h float64) matrix {
	frameW, frameH := float64(c.Width), float64(c.Height)
	scale := 1.0
	focal := 1.3 * math.Max(frameW, frameH)
	var m matrix
	for range 4 {
		m = translate(-w/2, -h/2).then(stretch(scale, scale)).then(rotate(c.Rotation * math.Pi / 180)).then(tilted(c.Tilt*math.Pi/180, c.TiltAxis*math.Pi/180, focal))
		box := boundsOf(m.corners(w, h))
		scale *= c.Fill / math.Max(box.W/frameW, box.H/frameH)
	}
	box := boundsOf(m.corners(w, h))
	x := frameW/2 - (box.X + box.W/2) + c.OffsetX*math.Abs(frameW-box.W)/2
	y := frameH/2 - (box.Y + box.H/2) + c.OffsetY*math.Abs(frameH-box.H)/2
	return m.then(translate(x, y))
}

// tilted turns the plane about the axis in direction phi through its middle
// and projects it from the distance focal (Rodrigues' formula, third column
// left out because the plane has no depth).
func tilted(angle, phi, focal float64) matrix {
	sin, cos := math.Sincos(angle)
	ay, ax := math.Sincos(phi)
	k := 1 - cos
	return matrix{
		cos + ax*ax*k, ax * ay * k, 0,
		ax * ay * k, cos + ay*ay*k, 0,
		-ay * sin / focal, ax * sin / focal, 1,
	}
}

func boundsOf(q photo.Quad) photo.Rect {
	minX, minY, maxX, maxY := q[0].X, q[0].Y, q[0].X, q[0].Y
	for _, p := range q[1:] {
		minX, minY, maxX, maxY = math.Min(minX, p.X), math.Min(minY, p.Y), math.Max(maxX, p.X), math.Max(maxY, p.Y)
	}
	return photo.Rect{X: minX, Y: minY, W: maxX - minX, H: maxY - minY}
}

// layDown warps the document into the frame. A document that shrinks a lot is
// reduced by area first, as a lens would, so that fine lines do not alias.
func layDown(doc *image.RGBA, plane matrix, w, h int) *image.RGBA {
	dw, dh := float64(doc.Rect.Dx()), float64(doc.Rect.Dy())
	q := plane.corners(dw, dh)
	long := math.Max(math.Hypot(q[1].X-q[0].X, q[1].Y-q[0].Y), math.Hypot(q[2].X-q[3].X, q[2].Y-q[3].Y))
	if k := long / dw; k < 0.8 {
		small := resized(doc, int(math.Ceil(dw*k)), int(math.Ceil(dh*k)), gocv.InterpolationArea)
		fx, fy := dw/float64(small.Rect.Dx()), dh/float64(small.Rect.Dy())
		return warp(small, stretch(fx, fy).then(plane), w, h, gocv.InterpolationLinear, edgeClear)
	}
	return warp(doc, plane, w, h, gocv.InterpolationLinear, edgeClear)
}

func resized(img *image.RGBA, w, h int, how gocv.InterpolationFlags) *image.RGBA {
	in := matOf(img)
	defer in.Close()
	out := gocv.NewMat()
	defer out.Close()
	_ = gocv.Resize(in, &out, image.Pt(max(w, 1), max(h, 1)), 0, 0, how)
	return imageOf(out)
}

// dropShadow darkens the scene around the document: it lies on something.
func dropShadow(scene *image.RGBA, q photo.Quad) {
	const shrink = 8
	w, h := scene.Rect.Dx()/shrink, scene.Rect.Dy()/shrink
	c := &canvas{img: image.NewRGBA(image.Rect(0, 0, w, h)), k: 1.0 / shrink, w: float64(scene.Rect.Dx()), h: float64(scene.Rect.Dy())}
	var points [][2]float64
	for _, p := range q {
		points = append(points, [2]float64{p.X + 5, p.Y + 8})
	}
	c.path(color.RGBA{A: 255}, points...)
	soft := blurredBy(c.img, 1.6, 1.6)
	full := resized(soft, scene.Rect.Dx(), scene.Rect.Dy(), gocv.InterpolationLinear)
	for i := 0; i < len(scene.Pix); i += 4 {
		if a := uint32(full.Pix[i+3]); a > 0 {
			keep := 255 - a*45/100
			scene.Pix[i] = uint8(uint32(scene.Pix[i]) * keep / 255)
			scene.Pix[i+1] = uint8(uint32(scene.Pix[i+1]) * keep / 255)
			scene.Pix[i+2] = uint8(uint32(scene.Pix[i+2]) * keep / 255)
		}
	}
}

func blurredBy(img *image.RGBA, sx, sy float64) *image.RGBA {
	m := matOf(img)
	defer m.Close()
	_ = gocv.GaussianBlur(m, &m, image.Pt(0, 0), sx, sy, gocv.BorderReplicate)
	return imageOf(m)
}

// blur is that of the lens and of the hand.
func (c Camera) blur(img *image.RGBA) *image.RGBA {
	m := matOf(img)
	defer m.Close()
	if sigma := math.Hypot(c.Defocus, 0.55); sigma > 0 {
		_ = gocv.GaussianBlur(m, &m, image.Pt(0, 0), sigma, sigma, gocv.BorderReplicate)
	}
	if c.Motion >= 1 {
		kernel := streak(c.Motion, c.MotionAngle*math.Pi/180)
		defer kernel.Close()
		_ = gocv.Filter2D(m, &m, -1, kernel, image.Pt(-1, -1), 0, gocv.BorderReplicate)
	}
	return imageOf(m)
}

// streak is the kernel of a straight motion: a line of the given length.
func streak(length, angle float64) gocv.Mat {
	half := int(math.Ceil(length / 2))
	n := 2*half + 1
	k := gocv.NewMatWithSize(n, n, gocv.MatTypeCV32F)
	k.SetTo(gocv.NewScalar(0, 0, 0, 0))
	steps := 4 * n
	for i := range steps {
		t := (float64(i)/float64(steps-1) - 0.5) * length
		x, y := half+round(t*math.Cos(angle)), half+round(t*math.Sin(angle))
		k.SetFloatAt(y, x, k.GetFloatAt(y, x)+1/float32(steps))
	}
	return k
}
