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

// framing is one way in which a network is shown a face.
type framing struct {
	scale float64 // of the face box
	up    float64 // how far the crop's centre stands above the box's, in box heights
	flip  bool    // mirrored
}

// framings are those that a network is asked about one face in; the answers are
// averaged. One look alone changes its mind when the crop moves by a few pixels.
//
// fr_liveness was trained on boxes from forehead to chin, taller than those of
// BlazeFace (brows to chin) by a third and reaching higher: in units of the
// latter its 2.3 boxes are 2.3 to 3.1 and stand 0.15 higher. A wider look sees the
// edges of paper and screens, a closer one at the least reach steadies the answer.
// The heights differ, so that the looks do where a picture is too narrow for the
// wide ones (docs/biometrics.md has what each is worth). MiniFASNet is used as its
// authors do, and mirrored.
func (n *network) framings() []framing {
	s := n.model.Input.CropScale
	if n.model.Role == roles[0] {
		return []framing{{0.8 * s, 0.3, false}, {1.26 * s, 0.15, false}, {1.43 * s, 0.3, false}}
	}
	return []framing{{s, 0, false}, {s, 0, true}}
}

// crop is the part of a picture of width × height that a framing shows around a
// face box: so many times the box, less where the picture is too small for it,
// shifted inside the picture. reached is false when that leaves less than
// minReach.
//
// fr_liveness takes a square, here the one with the area of the box, so that
// detectors with square and with tall boxes give the same crop. MiniFASNet
// scales the box as it is (Silent-Face-Anti-Spoofing, generate_patches.py).
func (n *network) crop(f framing, box photo.Rect, width, height int) (r photo.Rect, reached bool) {
	w, h := float64(width), float64(height)
	c := box.Centre()
	if n.model.Role == roles[0] {
		box.W = math.Sqrt(box.W * box.H)
		box.H = box.W
	}
	c.Y -= f.up * box.H
	scale := math.Min(f.scale, math.Min(w/box.W, h/box.H))
	r = photo.Rect{W: box.W * scale, H: box.H * scale}
	r.X = math.Max(0, math.Min(c.X-r.W/2, w-r.W))
	r.Y = math.Max(0, math.Min(c.Y-r.H/2, h-r.H))
	return r, scale >= minReach
}
