package specimen

import "github.com/proofline/proofline/photo"

// Degradation names what is wrong with a photo. The names are the variants of
// the labelled quality sets that `proofline eval quality` reads.
type Degradation string

const (
	Good          Degradation = "good"
	BlurDefocus   Degradation = "blur_defocus"
	BlurMotion    Degradation = "blur_motion"
	GlareMRZ      Degradation = "glare_mrz"
	GlarePortrait Degradation = "glare_portrait"
	TooDark       Degradation = "dark"
	Overexposed   Degradation = "overexposed"
	ShadowEdge    Degradation = "shadow"
	Tilted        Degradation = "tilt"
	Turned        Degradation = "rotated"
	Noisy         Degradation = "noise"
	LowResolution Degradation = "lowres"
	Cropped       Degradation = "cropped"
	Compressed    Degradation = "compressed"
	Greyscale     Degradation = "greyscale"
	Hologram      Degradation = "hologram" // a good photo of a document with shining foils
	Held          Degradation = "held"     // a good photo of a document held at its edges
	Scene         Degradation = "scene"    // a good photo on any table, at any angle, near or far
	Fingers       Degradation = "fingers"  // fingers lie on the document
	Two           Degradation = "two_documents"
	OnScreen      Degradation = "screen" // photographed from a display
	SameColour    Degradation = "same_colour"
)

// Degradations lists all of them, the good photo first.
var Degradations = []Degradation{
	Good, BlurDefocus, BlurMotion, GlareMRZ, GlarePortrait, TooDark, Overexposed, ShadowEdge,
	Tilted, Turned, Noisy, LowResolution, Cropped, Compressed, Greyscale, Hologram,
	Held, Scene, Fingers, Two, OnScreen, SameColour,
}

// Label is the class of a degradation in the quality sets: blur, glare, dark,
// and so on.
func (d Degradation) Label() string {
	switch d {
	case BlurDefocus, BlurMotion:
		return "blur"
	case GlareMRZ, GlarePortrait:
		return "glare"
	case Hologram, Held, Scene:
		return string(Good)
	}
	return string(d)
}

// GoodCamera is a careful person with a phone: a few degrees off in every
// direction, ordinary light and noise.
func GoodCamera(seed int64) Camera {
	r := stream(seed, "camera")
	return Camera{
		Seed: seed, Background: pick(r, []Background{Wood, Cloth, Desk}),
		Rotation: between(r, -4, 4), Tilt: between(r, 0, 8), TiltAxis: between(r, 0, 360),
		Fill: between(r, 0.80, 0.90), OffsetX: between(r, -0.5, 0.5), OffsetY: between(r, -0.5, 0.5),
		Falloff: between(r, 0.05, 0.22), Noise: between(r, 1.5, 3.5), Exposure: between(r, -0.15, 0.1), Warmth: between(r, -0.3, 0.5),
	}
}

// CameraFor is GoodCamera with one thing wrong. side says where the parts of
// the document are that glare is aimed at; it may be nil for the others.
func CameraFor(seed int64, d Degradation, side *SideTruth) Camera {
	c := GoodCamera(seed)
	r := stream(seed, "degradation "+string(d))
	switch d {
	case BlurDefocus:
		c.Defocus = between(r, 3.8, 6)
	case BlurMotion:
		c.Motion, c.MotionAngle = between(r, 16, 26), between(r, 0, 180)
	case GlareMRZ, GlarePortrait:
		c.Glare = glareOn(side, d, between(r, 0.2, 0.8), between(r, 0.3, 0.7))
	case TooDark:
		c.Exposure, c.Noise = between(r, -5, -4), between(r, 7, 10)
	case Overexposed:
		c.Exposure = between(r, 2.4, 3.2)
	case ShadowEdge:
		c.Shadow = between(r, 0.5, 0.65)
	case Tilted:
		c.Tilt = between(r, 38, 48)
	case Turned:
		c.Rotation += pick(r, []float64{90, 180, 270, between(r, 20, 340)})
	case Noisy:
		c.Noise = between(r, 16, 24)
	case LowResolution:
		c.Width, c.Height, c.Fill = 480, 360, between(r, 0.75, 0.9)
	case Cropped:
		c.Fill, c.OffsetX, c.OffsetY = between(r, 1.2, 1.35), pick(r, []float64{-1, 1}), pick(r, []float64{-1, 1})
	case Greyscale:
		c.Grey = true
	case Hologram:
		c.Foils = foils(seed)
	case Held, Fingers:
		c.Fingers = hand(seed, side.long(), map[Degradation][2]float64{Held: {1.5, 4}, Fingers: {9, 20}}[d])
		c.Fill = between(r, 0.7, 0.82)
	case Scene:
		c = sceneCamera(seed)
	case Two:
		c.Fill, c.OffsetX, c.OffsetY = 0.44, -0.85, between(r, -0.6, 0.6)
	case OnScreen:
		c.Panel = displayFor(seed)
	case SameColour:
		c.Match = true
	}
	return c
}

// long is the longer side of the document in millimetres.
func (s *SideTruth) long() float64 {
	if s == nil || s.PxPerMM == 0 {
		return 125
	}
	return float64(max(s.Width, s.Height)) / s.PxPerMM
}

// sceneCamera is somebody who photographs a document where it lies: on any
// background, turned by up to 12 degrees or by a quarter or a half turn more,
// tilted by up to 22 degrees, filling a third to nearly all of the frame.
func sceneCamera(seed int64) Camera {
	r := stream(seed, "scene")
	c := GoodCamera(seed)
	c.Background = pick(r, Backgrounds)
	c.Rotation = between(r, -12, 12) + pick(r, []float64{0, 0, 0, 180, 90, 270})
	c.Tilt, c.TiltAxis = between(r, 0, 22), between(r, 0, 360)
	c.Fill = between(r, 0.35, 0.93)
	c.OffsetX, c.OffsetY = between(r, -0.8, 0.8), between(r, -0.8, 0.8)
	return c
}

// Quality is the JPEG quality at which such a photo is stored.
func (d Degradation) Quality() int {
	if d == Compressed {
		return 9
	}
	return 90
}

// glareOn aims a spot at a part of the document, u and v of the way along it.
func glareOn(side *SideTruth, d Degradation, u, v float64) []Glare {
	g := Glare{X: 0.5, Y: 0.5, Radius: 0.13, Strength: 1}
	var target *photo.Rect
	if side != nil {
		target = side.Portrait
		if d == GlareMRZ {
			target = side.MRZ
		}
	}
	if target != nil {
		g.X, g.Y = (target.X+u*target.W)/float64(side.Width), (target.Y+v*target.H)/float64(side.Height)
	}
	return []Glare{g}
}
