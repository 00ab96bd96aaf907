package specimen

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"time"

	"gocv.io/x/gocv"
)

// ClipKind says what a simulated burst of frames shows.
type ClipKind string

const (
	// LiveClip is a head with depth before a distant background: it turns and
	// sways a little, blinks, and the hand with the telephone trembles.
	LiveClip ClipKind = "live"
	// PrintClip is a photo on paper and ScreenClip one on a screen, moved and
	// tilted by hand before the camera: planes.
	PrintClip  ClipKind = "print"
	ScreenClip ClipKind = "screen"
	// FilmClip is a screen that plays a LiveClip: the picture moves like a head
	// in a plane that moves.
	FilmClip ClipKind = "film"
)

// ClipKinds lists all of them.
var ClipKinds = []ClipKind{LiveClip, PrintClip, ScreenClip, FilmClip}

// ClipOptions describes a clip. The zero value has 12 frames of 480 × 640 over
// a second and a half.
type ClipOptions struct {
	Seed          int64
	Frames        int
	Span          time.Duration
	Width, Height int
	// Pose turns the head of a live clip or of a film instead of its own small
	// movement: radians at a time, positive yaw towards the person's left,
	// positive pitch downward.
	Pose func(time.Duration) (yaw, pitch float64)
	// Light lights the scene from the camera's side; nil for none.
	Light *ClipLight
}

// Clip is a burst of frames with the times at which they were taken.
type Clip struct {
	Frames []*image.RGBA
	Times  []time.Duration
	Person string
	Kind   ClipKind
}

// JPEGs encodes the frames.
func (c *Clip) JPEGs(quality int) ([][]byte, error) {
	var out [][]byte
	for _, f := range c.Frames {
		b, err := encodeJPEG(f, quality, 1)
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// TakeClip simulates a burst of a person. The depth is invented (an ellipsoid
// with a nose, on a neck, before a wall), as is all motion: it shows that depth
// is told from a plane, and is no measure of how real people move.
func TakeClip(kind ClipKind, p *Person, o ClipOptions) (*Clip, error) {
	if o.Frames == 0 {
		o.Frames = 12
	}
	if o.Span == 0 {
		o.Span = 1500 * time.Millisecond
	}
	if o.Width == 0 || o.Height == 0 {
		o.Width, o.Height = 480, 640
	}
	r := stream(o.Seed, "clip "+string(kind)+" "+p.ID)
	c := &Clip{Person: p.ID, Kind: kind}
	step := o.Span / time.Duration(o.Frames-1)
	for i := range o.Frames {
		// A browser's timer is late by some milliseconds.
		c.Times = append(c.Times, time.Duration(i)*step+time.Duration(between(r, 0, 12)*float64(time.Millisecond)))
	}
	s, err := TakeSelfie(p, SelfieOptions{Seed: o.Seed, Height: o.Height * 5 / 4})
	if err != nil {
		return nil, err
	}
	light := lightOf(o.Light, kind, o.Seed, c.Times)
	switch kind {
	case LiveClip, FilmClip:
		if kind == FilmClip {
			// The filmed person sat in a light of their own.
			c.Frames = headFrames(s, r, o, c.Times, nil)
			c.Frames = filmFrames(c.Frames, r, o, c.Times, light)
		} else {
			c.Frames = headFrames(s, r, o, c.Times, light)
		}
	case PrintClip, ScreenClip:
		in := instrumentOf(kind, s, o.Seed)
		c.Frames = planeFrames(func(int) instrument { return in }, kind, r, o, c.Times, light)
	default:
		return nil, fmt.Errorf("take clip: unknown kind %q", kind)
	}
	for i, f := range c.Frames {
		cam := Camera{Seed: o.Seed*1000 + int64(i), Noise: light.noise()}
		cam.sensor(f)
	}
	return c, nil
}

// wave is a smooth movement: two sines of what a neck or a hand does.
type wave struct{ slow, fast, a, b, size, tremor float64 }

func newWave(r *rand.Rand, size float64) wave {
	return wave{between(r, 0.35, 0.8), between(r, 1.6, 2.8), between(r, 0, 2*math.Pi), between(r, 0, 2*math.Pi),
		size * between(r, 0.5, 1), size * between(r, 0.05, 0.15)}
}

// at is the movement since the first frame.
func (w wave) at(t time.Duration) float64 {
	s := t.Seconds()
	one := func(s float64) float64 {
		return w.size*math.Sin(2*math.Pi*w.slow*s+w.a) + w.tremor*math.Sin(2*math.Pi*w.fast*s+w.b)
	}
	return one(s) - one(0)
}

// headFrames turns the head of a selfie: every pixel has a depth, the rest is
// the pinhole camera.
func headFrames(s *Selfie, r *rand.Rand, o ClipOptions, times []time.Duration, light *clipLight) []*image.RGBA {
	src := matOf(s.Image)
	defer src.Close()
	w, h := s.Image.Rect.Dx(), s.Image.Rect.Dy()
	// Depth in face widths before the plane through the ears; the wall is far
	// behind.
	f := s.FaceBox
	cx, cy := f.X+f.W/2, f.Y+f.H*0.48
	// The face is seen at about 40 cm with a width of 15 cm.
	distance := 2.7 * f.W
	yaw, pitch := newWave(r, between(r, 1.5, 6)*math.Pi/180), newWave(r, between(r, 0.8, 3)*math.Pi/180)
	roll := newWave(r, 0.8*math.Pi/180)
	swayX, swayY, near := newWave(r, 0.03*f.W), newWave(r, 0.02*f.W), newWave(r, 0.03)
	handX, handY := newWave(r, 0.010*f.W), newWave(r, 0.010*f.W)
	blink := times[len(times)-1].Seconds() * between(r, -0.3, 1)
	talk := 0.0
	if r.Float64() < 0.4 {
		talk = between(r, 0.01, 0.03)
	}
	k := float64(o.Height) / float64(h)
	left := (float64(w)*k - float64(o.Width)) / 2
	var out []*image.RGBA
	// The map is smooth: a third of its points is enough.
	const coarse = 3
	gw, gh := o.Width/coarse+1, o.Height/coarse+1
	gridX, gridY := gocv.NewMatWithSize(gh, gw, gocv.MatTypeCV32F), gocv.NewMatWithSize(gh, gw, gocv.MatTypeCV32F)
	mapX, mapY := gocv.NewMat(), gocv.NewMat()
	for _, m := range []gocv.Mat{gridX, gridY, mapX, mapY} {
		defer m.Close()
	}
	shades := make([]float64, gw*gh)
	for at, t := range times {
		turn, nod := yaw.at(t), pitch.at(t)
		if o.Pose != nil {
			turn, nod = o.Pose(t)
			nod = -nod
		}
		sy, cyaw := math.Sincos(turn)
		sp, cp := math.Sincos(nod)
		sr, cr := math.Sincos(roll.at(t))
		shut := math.Max(0, 1-math.Abs(t.Seconds()-blink)/0.11)
		mouth := talk * math.Max(0, math.Sin(2*math.Pi*2.2*t.Seconds()))
		zoom := 1 + near.at(t)
		px, _ := gridX.DataPtrFloat32()
		py, _ := gridY.DataPtrFloat32()
		for j := range gh {
			for i := range gw {
				// In the selfie's pixels about the middle of the head.
				x, y := (float64(i)+0.5)*float64(o.Width)/float64(gw)-0.5, (float64(j)+0.5)*float64(o.Height)/float64(gh)-0.5
				u, v := (x+left)/k-cx-handX.at(t), y/k-cy-handY.at(t)
				// The source of this pixel, found by fixed-point steps: the
				// depth belongs to where the pixel comes from.
				su, sv := u, v
				for range 4 {
					z, body := depth(su/f.W, sv/f.H)
					dx, dy := move(su, sv, z*f.W, body, distance, sy, cyaw, sp, cp, sr, cr, swayX.at(t), swayY.at(t), zoom)
					su, sv = su+(u-dx), sv+(v-dy)
				}
				if light != nil {
					shades[j*gw+i] = light.onHead(su/f.W, sv/f.H, f.W/f.H, turn, nod)
				}
				su, sv = features(su, sv, f.W, f.H, shut, mouth)
				px[j*gw+i], py[j*gw+i] = float32(su+cx), float32(sv+cy)
			}
		}
		_ = gocv.Resize(gridX, &mapX, image.Pt(o.Width, o.Height), 0, 0, gocv.InterpolationLinear)
		_ = gocv.Resize(gridY, &mapY, image.Pt(o.Width, o.Height), 0, 0, gocv.InterpolationLinear)
		dst := gocv.NewMat()
		_ = gocv.Remap(src, &dst, &mapX, &mapY, gocv.InterpolationLinear, gocv.BorderReflect, color.RGBA{})
		out = append(out, imageOf(dst))
		dst.Close()
		if light != nil {
			light.shine(out[at], at, func(x, y int) (float64, float64) {
				return light.share * shades[min(y/coarse, gh-1)*gw+min(x/coarse, gw-1)], 0
			})
		}
	}
	return out
}

// depth is how far a point of the selfie stands before the plane through the
// ears, in face widths, and how much of it follows the head (1) rather than the
// room (0). x and y count from the middle of the face in face widths and heights.
func depth(x, y float64) (z, body float64) {
	// The head is wider than the face box; hair belongs to it.
	r2 := (x/0.62)*(x/0.62) + (y/0.85)*(y/0.85)
	head := 1 / (1 + math.Exp((math.Sqrt(r2)-1.08)*18))
	shoulders := 1 / (1 + math.Exp((0.75-y)*10)) / (1 + math.Exp((math.Abs(x)-1.5)*6))
	cap := 0.5 * math.Sqrt(math.Max(0, 1-math.Min(1, r2*0.8)))
	nx, ny := x/0.13, (y-0.08)/0.2
	nose := 0.16 * math.Exp(-nx*nx-ny*ny)
	brow := 0.03*math.Exp(-(y+0.28)*(y+0.28)/0.006) - 0.03*math.Exp(-(y+0.16)*(y+0.16)/0.006)*math.Min(1, math.Abs(x)*5)
	chin := 0.05 * math.Exp(-((y-0.5)*(y-0.5)/0.02 + x*x/0.05))
	return head*(cap+nose+brow+chin) + (1-head)*(shoulders*0.05-(1-shoulders)*1.5), head + (1-head)*shoulders*0.35
}

// move is where a point that is seen at (u, v) with depth z goes when the head
// turns by the given angles and the body sways.
func move(u, v, z float64, body, distance, sy, cy, sp, cp, sr, cr, dx, dy, zoom float64) (float64, float64) {
	// Back to space: at depth z the pixel stands for a point that much nearer.
	k := (distance - z) / distance
	X, Y, Z := u*k, v*k, z
	X1, Z1 := X*cy+Z*sy, -X*sy+Z*cy
	Y1, Z2 := Y*cp-Z1*sp, Y*sp+Z1*cp
	X2, Y2 := X1*cr-Y1*sr, X1*sr+Y1*cr
	X2, Y2 = X+(X2+dx-X)*body, Y+(Y2+dy-Y)*body
	Z2 = Z + (Z2-Z)*body
	q := zoom * distance / (distance - Z2)
	if body < 0.5 {
		q = (1 + (zoom-1)*body*2) * distance / (distance - Z2)
	}
	return X2 * q, Y2 * q
}

// features closes the eyes and opens the mouth by squeezing the source.
func features(u, v, w, h, shut, mouth float64) (float64, float64) {
	for _, side := range []float64{-0.227, 0.227} {
		ex, ey := side*w, -0.18*h
		dx, dy := (u-ex)/(0.15*w), (v-ey)/(0.07*h)
		if g := math.Exp(-dx*dx - dy*dy*dy*dy); shut > 0 && g > 0.02 {
			v -= shut * g * 0.055 * h // the lid is taken from above
		}
	}
	dx, dy := u/(0.2*w), (v-0.32*h)/(0.12*h)
	if g := math.Exp(-dx*dx - dy*dy); mouth > 0 && g > 0.02 {
		v -= mouth * h * g * math.Copysign(1, v-0.32*h)
	}
	return u, v
}
