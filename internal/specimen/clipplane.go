package specimen

import (
	"image"
	"math"
	"math/rand/v2"
	"time"

	"github.com/proofline/proofline/photo"
)

// filmFrames shows the frames one after another on one screen that is moved.
func filmFrames(frames []*image.RGBA, r *rand.Rand, o ClipOptions, times []time.Duration, light *clipLight) []*image.RGBA {
	made := make([]instrument, len(frames))
	for i, f := range frames {
		made[i] = instrumentOf(ScreenClip, &Selfie{Image: f}, o.Seed)
	}
	return planeFrames(func(i int) instrument { return made[i] }, ScreenClip, r, o, times, light)
}

// instrumentOf draws the plane that is held up.
func instrumentOf(kind ClipKind, s *Selfie, seed int64) instrument {
	if kind == PrintClip {
		return paper(s, seed)
	}
	return panel(s, seed)
}

// planeFrames moves and tilts a plane by hand before a camera.
func planeFrames(in func(int) instrument, kind ClipKind, r *rand.Rand, o ClipOptions, times []time.Duration, light *clipLight) []*image.RGBA {
	first := in(0)
	w, h := float64(first.img.Rect.Dx()), float64(first.img.Rect.Dy())
	cam := Camera{Width: o.Width, Height: o.Height, Rotation: between(r, -4, 4), Tilt: between(r, 2, 12), TiltAxis: between(r, 20, 160),
		Fill: between(r, 1.0, 1.2), Background: pick(r, []Background{Desk, Wood, Cloth, Dark}), Seed: o.Seed, Falloff: 0.15}
	if kind == ScreenClip {
		cam.Glare = []Glare{{X: between(r, 0.1, 0.3), Y: between(r, 0.1, 0.2), Radius: 0.07, Stretch: 1.6, Strength: 0.5}}
	}
	room := blurredBy(backdrop(cam.Background, cam.Seed, o.Width, o.Height), 4, 4)
	// A hand moves a picture as much as people move their heads, and turns it.
	dx, dy := newWave(r, 0.04*float64(o.Width)), newWave(r, 0.03*float64(o.Height))
	turn, lean, swing := newWave(r, 2.5), newWave(r, between(r, 2, 9)), newWave(r, between(r, 2, 9))
	near := newWave(r, 0.05)
	base := cam.plane(w, h)
	focal := 1.3 * math.Max(float64(o.Width), float64(o.Height))
	at := base.apply(photo.Point{X: w / 2, Y: h / 2})
	var out []*image.RGBA
	for i, t := range times {
		m := base.then(translate(-at.X, -at.Y)).
			then(rotate(turn.at(t) * math.Pi / 180)).
			then(stretch(1+near.at(t), 1+near.at(t))).
			then(tilted(lean.at(t)*math.Pi/180, 0, focal)).
			then(tilted(swing.at(t)*math.Pi/180, math.Pi/2, focal)).
			then(translate(at.X+dx.at(t), at.Y+dy.at(t)))
		scene := toRGBA(room)
		laid := layDown(in(i).img, m, o.Width, o.Height)
		compose(scene, laid, cam.light(m, w, h))
		if light != nil {
			light.shine(scene, i, light.onPlane(kind, o.Width, o.Height, lean.at(t)*math.Pi/180, swing.at(t)*math.Pi/180, laid))
		}
		out = append(out, blurredBy(scene, 0.6, 0.6))
	}
	return out
}
