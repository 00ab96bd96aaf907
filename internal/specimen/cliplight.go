package specimen

import (
	"image"
	"math"
	"time"
)

// ClipLight lights the scene of a clip from the side of the camera, as a
// telephone's own screen does. All of it is invented from what such screens and
// rooms have: it shows what a measure can and can not tell, and is no measurement
// of real rooms.
type ClipLight struct {
	// At is how bright the screen is, 0 to 1.
	At func(time.Duration) float64
	// Ambient is the room's own light on the face in lux: 30 is a dim room, 300
	// an office, 1000 a place at a window, 10 000 a cloudy day outside. The
	// screen gives 12 to 33 lux at 40 cm.
	Ambient float64
}

const (
	// screenLux is a screen of 7 × 15 cm and 500 candela per square metre at
	// 40 cm; glassNits is what glass mirrors of it (4 %).
	screenLux = 33.0
	glassNits = 20.0
	// roomAway is how far behind the camera's subject the room is, in face widths.
	roomAway = 9.0
)

// clipLight is a drawn light: what the room and the camera do besides.
type clipLight struct {
	ClipLight
	times              []time.Duration
	share              float64 // of the screen's light in that of the room, at 40 cm
	below              float64 // how far below the camera the screen's middle is, face widths
	ambX, ambY, ambZ   float64 // where most of the room's light comes from
	side               float64 // how much of it comes from there
	restless           []float64
	exposure, settling float64
	gain               float64 // of the camera, logarithm
	nits               float64 // of a presented screen
	mirrorX, mirrorY   float64 // where glass mirrors the lighting screen, parts of the frame from its middle
	glossy             float64 // how much of a mirror the presented thing is
}

// lightOf draws the light of a clip; nil without one.
func lightOf(l *ClipLight, kind ClipKind, seed int64, times []time.Duration) *clipLight {
	if l == nil {
		return nil
	}
	r := stream(seed, "clip light "+string(kind))
	c := &clipLight{ClipLight: *l, times: times}
	c.share = screenLux * between(r, 0.35, 1) / l.Ambient
	c.below = between(r, 0.2, 0.5)
	a, up := between(r, 0, 2*math.Pi), between(r, 0.2, 0.9)
	c.ambX, c.ambY, c.ambZ = math.Sqrt(1-up*up)*math.Cos(a), -up, math.Sqrt(1-up*up)*math.Abs(math.Sin(a))
	c.side = between(r, 0.1, 0.6)
	// Lamps flicker against the frame rate and people move in their light.
	sway := newWave(r, 0.02)
	for _, t := range times {
		c.restless = append(c.restless, 0.006*r.NormFloat64()+sway.at(t))
	}
	// Cameras take back a part of what changes, some tenths of a second later.
	c.exposure, c.settling = between(r, 0, 0.6), between(r, 0.1, 0.4)
	c.nits = between(r, 100, 400)
	c.mirrorX, c.mirrorY = between(r, -0.5, 0.5), between(r, -0.5, 0.5)
	switch {
	case kind == ScreenClip || kind == FilmClip:
		c.glossy = between(r, 0.1, 1)
	case r.Float64() < 0.5:
		c.glossy = between(r, 0.1, 0.6) // photo paper
	}
	return c
}

// noise is the sensor's: little light, much noise.
func (c *clipLight) noise() float64 {
	if c == nil {
		return 2.2
	}
	return 2.2 * math.Min(2.5, math.Max(0.7, math.Sqrt(300/c.Ambient)))
}

// onHead is by how much the light raises that of the room at a point of the
// selfie (face widths and heights from the middle), when the head is turned.
func (c *clipLight) onHead(x, y, wh, turn, nod float64) float64 {
	const e = 0.02
	z, body := depth(x, y)
	zx0, _ := depth(x-e, y)
	zx1, _ := depth(x+e, y)
	zy0, _ := depth(x, y-e)
	zy1, _ := depth(x, y+e)
	nx, ny := -(zx1-zx0)/(2*e), -(zy1-zy0)/(2*e)*wh
	n := math.Sqrt(nx*nx + ny*ny + 1)
	nx, ny, nz := nx/n, ny/n, 1/n
	nx, nz = nx*math.Cos(turn)+nz*math.Sin(turn), -nx*math.Sin(turn)+nz*math.Cos(turn)
	ny, nz = ny*math.Cos(nod)-nz*math.Sin(nod), ny*math.Sin(nod)+nz*math.Cos(nod)
	const away = 2.7 // of the camera, face widths
	lx, ly, lz := -x, c.below-y/wh, away-z
	d2 := lx*lx + ly*ly + lz*lz
	d := math.Sqrt(d2)
	direct := math.Max(0, (nx*lx+ny*ly+nz*lz)/d) * away * away / d2
	ambient := 1 - c.side + c.side*2*math.Max(0, nx*c.ambX+ny*c.ambY+nz*c.ambZ)
	on := direct / math.Max(ambient, 0.25)
	room := 1 - math.Min(1, body/0.35)
	far := away / (away + roomAway)
	return on*(1-room) + far*far*room
}

// shine adds the light to a frame. on is by how much one unit of it raises each
// pixel's own, at is the frame's number. The light of the room is in the pixels.
func (c *clipLight) shine(img *image.RGBA, at int, on func(x, y int) (times, plus float64)) {
	s := c.At(c.times[at])
	if at > 0 { // the camera catches up with the frame before
		s0 := c.At(c.times[at-1])
		pace := 1 - math.Exp(-(c.times[at]-c.times[at-1]).Seconds()/c.settling)
		c.gain += pace * (-c.exposure*c.mean(img, s0, on) - c.gain)
	}
	gain := math.Exp(c.gain + c.restless[at])
	w := img.Rect.Dx()
	for y := range img.Rect.Dy() {
		row := img.Pix[y*img.Stride : y*img.Stride+4*w]
		for x := range w {
			times, plus := on(x, y)
			k, add := gain*(1+s*times), gain*s*plus
			for ch := range 3 {
				row[4*x+ch] = linearTable.raise(row[4*x+ch], k, add)
			}
		}
	}
}

// mean is the logarithm by how much the light raises the frame.
func (c *clipLight) mean(img *image.RGBA, s float64, on func(x, y int) (float64, float64)) float64 {
	var before, after float64
	for y := 8; y < img.Rect.Dy(); y += 16 {
		for x := 8; x < img.Rect.Dx(); x += 16 {
			times, plus := on(x, y)
			v := linearTable[img.Pix[img.PixOffset(x, y)+1]]
			before += v
			after += v*(1+s*times) + s*plus
		}
	}
	return math.Log((after + 1) / (before + 1))
}

// onPlane is the same for a thing that is held up at (0, 0) of the frame: paper
// reflects like skin, a display only mirrors. laid is where it is.
func (c *clipLight) onPlane(kind ClipKind, w, h int, lean, swing float64, laid *image.RGBA) func(x, y int) (times, plus float64) {
	focal := 1.3 * math.Max(float64(w), float64(h))
	const away = 2.7
	far := away / (away + roomAway)
	// The camera exposes for what it sees: white paper under the room's light,
	// or the panel's white.
	white := 0.8 * c.Ambient / math.Pi
	if kind == ScreenClip {
		white = c.nits
	}
	spot := c.glossy * glassNits * c.share * c.Ambient / screenLux / white
	// Of the light on a display's face, one or two per cent come back unordered.
	dull := 0.015 * c.share * c.Ambient / math.Pi / white
	mx, my := (0.5+c.mirrorX)*float64(w)+2*math.Tan(swing)*focal, (0.5+c.mirrorY)*float64(h)+2*math.Tan(lean)*focal
	sx, sy := 0.05*focal, 0.1*focal
	return func(x, y int) (float64, float64) {
		if laid.Pix[laid.PixOffset(x, y)+3] < 128 {
			return c.share * far * far, 0
		}
		u, v := (float64(x)-float64(w)/2)/focal, (float64(y)-float64(h)/2)/focal
		dx, dy := (float64(x)-mx)/sx, (float64(y)-my)/sy
		plus := spot * math.Exp(-(dx*dx*dx*dx + dy*dy*dy*dy))
		if kind == ScreenClip {
			return 0, plus + dull
		}
		// Irradiance on a plane: the fourth power of the cosine, and nearer where
		// it leans towards the light.
		cos2 := 1 / (1 + u*u + v*v)
		near := 1 + u*math.Tan(swing) + v*math.Tan(lean)
		return c.share * cos2 * cos2 / (near * near), plus
	}
}

// gammaTable is the linear light of a grey level, 1 for white.
type gammaTable [256]float64

var linearTable = func() (t gammaTable) {
	for i := range t {
		t[i] = math.Pow(float64(i)/255, 2.2)
	}
	return t
}()

// levelTable is the way back, in steps that are finer than a grey level but for
// the darkest three.
var levelTable = func() (t [1 << 15]uint8) {
	for i := range t {
		t[i] = clamp(float32(255 * math.Pow((float64(i)+0.5)/float64(len(t)), 1/2.2)))
	}
	return t
}()

// raise multiplies and adds in linear light.
func (t *gammaTable) raise(level uint8, times, plus float64) uint8 {
	v := t[level]*times + plus
	if v >= 1 {
		return 255
	}
	return levelTable[int(math.Max(0, v)*float64(len(levelTable)))]
}
