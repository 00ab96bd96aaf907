package face

import (
	"math"

	"github.com/proofline/proofline/photo"
)

// Indexes into Face.Points. Right and left are the person's own, so the right
// eye of an upright face lies left in the picture.
const (
	RightEye = iota
	LeftEye
	Nose
	Mouth
	RightEar
	LeftEar
)

// Face is one detected face, in pixels of the image that was searched. Points
// and box may lie outside of an image that cuts the face off.
type Face struct {
	Box photo.Rect `json:"box"`
	// Points are right eye, left eye, nose tip, mouth centre and, from
	// detectors that give them, right and left ear.
	Points []photo.Point `json:"points"`
	// MouthCorners (right, left) are set by detectors that give them.
	MouthCorners []photo.Point `json:"mouth_corners,omitempty"`
	// Score is the detector's confidence, 0 to 1. Scores of different
	// detectors do not compare.
	Score    float64 `json:"score"`
	Detector string  `json:"detector"`
}

// InterEye is the distance between the eye centres in pixels (ISO/IEC
// 29794-5, inter-eye distance), 0 when the points are missing.
func (f Face) InterEye() float64 {
	if len(f.Points) <= LeftEye {
		return 0
	}
	return f.Points[RightEye].Distance(f.Points[LeftEye])
}

// Roll is the in-plane rotation in degrees, from the line through the eyes:
// 0 upright, positive when the head leans clockwise as seen in the picture,
// ±180 upside down.
func (f Face) Roll() float64 {
	if len(f.Points) <= LeftEye {
		return 0
	}
	d := f.Points[LeftEye].Sub(f.Points[RightEye])
	return math.Atan2(d.Y, d.X) * 180 / math.Pi
}

// Yaw approximates the rotation about the vertical axis in degrees from where
// the nose tip stands between the eyes: 0 frontal, positive when the person
// looks to the right edge of the picture. It assumes a nose tip that stands
// 0.55 inter-eye distances in front of the eye plane, and is an approximation
// for sorting and hints, not a measurement of angle (error about ±10°).
func (f Face) Yaw() float64 {
	side, _, ok := f.noseOffset()
	if !ok {
		return 0
	}
	const noseDepth = 0.55
	return math.Atan(side/noseDepth) * 180 / math.Pi
}

// Pitch approximates the rotation about the horizontal axis in degrees from
// where the nose tip stands between eye line and mouth: 0 frontal, positive
// when the person looks down. Coarser than Yaw, since faces differ more here.
func (f Face) Pitch() float64 {
	_, down, ok := f.noseOffset()
	if !ok || len(f.Points) <= Mouth {
		return 0
	}
	// On frontal faces the nose tip stands at about 0.56 of the way from the
	// eye line to the mouth (ArcFace template: (71.7-51.6)/(92.3-51.6) = 0.49
	// for the mouth corners' line, detectors' own points a little lower).
	const frontal, perDegree = 0.52, 0.011
	_, mouth := f.upright(f.Points[Mouth])
	if mouth < 0.2 {
		return 0
	}
	return math.Max(-90, math.Min(90, (down/mouth-frontal)/perDegree))
}

// noseOffset is the nose tip relative to the middle of the eyes, in inter-eye
// distances, along and across the eye line.
func (f Face) noseOffset() (side, down float64, ok bool) {
	if len(f.Points) <= Nose || f.InterEye() < 1 {
		return 0, 0, false
	}
	side, down = f.upright(f.Points[Nose])
	return side, down, true
}

// upright expresses a point in the face's own frame: origin between the eyes,
// axes along and across the eye line, unit the inter-eye distance.
func (f Face) upright(p photo.Point) (x, y float64) {
	r, l := f.Points[RightEye], f.Points[LeftEye]
	d := f.InterEye()
	ux, uy := (l.X-r.X)/d, (l.Y-r.Y)/d
	px, py := p.X-(r.X+l.X)/2, p.Y-(r.Y+l.Y)/2
	return (px*ux + py*uy) / d, (-px*uy + py*ux) / d
}

// Embedding describes a face as a unit vector. Only embeddings of the same
// model compare.
type Embedding []float32

// Cosine is the cosine of two embeddings, -1 to 1; 0 when they have different
// lengths or one is empty. [Engine.Similarity] is the score made of it.
func Cosine(a, b Embedding) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return 0
	}
	var dot, na, nb float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
		na += float64(a[i]) * float64(a[i])
		nb += float64(b[i]) * float64(b[i])
	}
	if na == 0 || nb == 0 {
		return 0
	}
	return math.Max(-1, math.Min(1, dot/math.Sqrt(na*nb)))
}

// normalised scales v to unit length in place and returns it; nil for a
// vector that is zero or not finite, which no face yields.
func normalised(v Embedding) Embedding {
	n := v.length()
	if n < 1e-9 || math.IsNaN(n) || math.IsInf(n, 0) {
		return nil
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / n)
	}
	return v
}

func (v Embedding) length() float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

// mean is the normalised mean of embeddings, nil when there are none.
func mean(es []Embedding) Embedding {
	if len(es) == 0 {
		return nil
	}
	sum := make(Embedding, len(es[0]))
	for _, e := range es {
		for i := range sum {
			sum[i] += e[i]
		}
	}
	return normalised(sum)
}
