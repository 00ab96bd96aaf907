package liveness

import (
	"math"

	"github.com/proofline/proofline/photo"
)

// minReach is the least framing, in face widths, at which a network is asked:
// the crop must hold at least 1.8 times the face in both directions. The
// networks were trained on 2.3 to 4 times the face, but on photos of telephones
// held upright, whose edges limit the crop to about twice the face all the
// same. Below that they see nothing but the face and their answer is chance
// (AUC 0.50 on tight crops, against 0.885 on whole photos).
const minReach = 1.8

// crop is the part of a picture of width × height that the network was trained
// to see around a face box: CropScale times the box, less where the picture is
// too small for it, shifted inside the picture. reached is false when that
// leaves less than minReach.
//
// fr_liveness takes a square, here the one with the area of the box, so that
// detectors with square and with tall boxes give the same crop. MiniFASNet
// scales the box as it is (Silent-Face-Anti-Spoofing, generate_patches.py).
func (n *network) crop(box photo.Rect, width, height int) (r photo.Rect, reached bool) {
	w, h := float64(width), float64(height)
	c := box.Centre()
	if n.model.Role == roles[0] {
		box.W = math.Sqrt(box.W * box.H)
		box.H = box.W
	}
	scale := math.Min(n.model.Input.CropScale, math.Min(w/box.W, h/box.H))
	r = photo.Rect{W: box.W * scale, H: box.H * scale}
	r.X = math.Max(0, math.Min(c.X-r.W/2, w-r.W))
	r.Y = math.Max(0, math.Min(c.Y-r.H/2, h-r.H))
	return r, scale >= minReach
}
