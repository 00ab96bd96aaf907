package liveness

import (
	"math"

	"github.com/proofline/proofline/photo"
)

// crop is the part of a picture of width × height that the network was trained
// to see around a face box: CropScale times the box, made as large as the
// picture allows and shifted inside it. reached is false when the picture is
// too small for at least minReach of the trained framing.
//
// fr_liveness takes a square on the longer side of the box; MiniFASNet scales
// both sides and shrinks both by the same factor (Silent-Face-Anti-Spoofing,
// generate_patches.py).
func (n *network) crop(box photo.Rect, width, height int) (r photo.Rect, reached bool) {
	w, h := float64(width), float64(height)
	want := n.model.Input.CropScale
	if n.model.Role == "liveness" {
		side := math.Max(box.W, box.H)
		c := box.Centre()
		box = photo.Rect{X: c.X - side/2, Y: c.Y - side/2, W: side, H: side}
	}
	scale := math.Min(want, math.Min(w/box.W, h/box.H))
	c := box.Centre()
	r = photo.Rect{X: c.X - box.W*scale/2, Y: c.Y - box.H*scale/2, W: box.W * scale, H: box.H * scale}
	r.X = math.Max(0, math.Min(r.X, w-r.W))
	r.Y = math.Max(0, math.Min(r.Y, h-r.H))
	return r, scale >= minReach*want
}

// minReach is the share of the trained framing below which a network is not
// asked: 0.87 makes the default model's least crop 2 times the face (of 2.3),
// MiniFASNet V2's 2.35 (of 2.7) and V1SE's 3.5 (of 4).
const minReach = 0.87
