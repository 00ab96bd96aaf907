package face

import (
	"fmt"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
)

// Reason says in a stable word why a comparison could not be made, or what
// about it a caller should know.
type Reason string

const (
	// ReasonNone: both faces were found without ambiguity.
	ReasonNone Reason = ""
	// ReasonPortraitUnreadable and ReasonSelfieUnreadable: not an 8-bit image
	// with pixels.
	ReasonPortraitUnreadable Reason = "portrait_unreadable"
	ReasonSelfieUnreadable   Reason = "selfie_unreadable"
	// ReasonPortraitNoFace and ReasonSelfieNoFace: no face in any orientation.
	ReasonPortraitNoFace Reason = "portrait_no_face"
	ReasonSelfieNoFace   Reason = "selfie_no_face"
	// ReasonFaceUnusable: a face was found but its points span no alignment.
	ReasonFaceUnusable Reason = "face_unusable"
	// ReasonSelfieSeveralFaces: another face of comparable size stands in the
	// selfie; the main one was compared.
	ReasonSelfieSeveralFaces Reason = "selfie_several_faces"
	// ReasonPortraitRotated and ReasonSelfieRotated: the face was found only
	// after turning the image, and compared.
	ReasonPortraitRotated Reason = "portrait_rotated"
	ReasonSelfieRotated   Reason = "selfie_rotated"
)

// Match is the outcome of comparing a document's portrait with a selfie.
type Match struct {
	// Similarity is [Engine.Similarity] of the two faces, nil when one of the
	// faces could not be found or described (Reason says which).
	Similarity *float64 `json:"similarity"`
	// PortraitFace and SelfieFace are the faces that were compared.
	PortraitFace *Face `json:"portrait_face,omitempty"`
	SelfieFace   *Face `json:"selfie_face,omitempty"`
	// Strength is the smaller of the two faces' [Description.Strength]; 0 where
	// there is no similarity.
	Strength float64 `json:"strength,omitempty"`
	// PortraitFaces and SelfieFaces count what was found in each image.
	PortraitFaces int    `json:"portrait_faces"`
	SelfieFaces   int    `json:"selfie_faces"`
	Reason        Reason `json:"reason,omitempty"`
}

// MatchPortrait compares the main face of a document's portrait with the main
// face of a selfie.
func (e *Engine) MatchPortrait(portrait, selfie gocv.Mat) (Match, error) {
	p, ok := dnn.BGR(portrait)
	if !ok {
		return Match{Reason: ReasonPortraitUnreadable}, nil
	}
	defer p.Close()
	s, ok := dnn.BGR(selfie)
	if !ok {
		return Match{Reason: ReasonSelfieUnreadable}, nil
	}
	defer s.Close()
	return e.matchBGR(p, s)
}

// MatchFace is MatchPortrait for a selfie whose face is known already: f must
// come from Detect on that very image.
func (e *Engine) MatchFace(portrait, selfie gocv.Mat, f Face) (Match, error) {
	p, ok := dnn.BGR(portrait)
	if !ok {
		return Match{Reason: ReasonPortraitUnreadable}, nil
	}
	defer p.Close()
	s, ok := dnn.BGR(selfie)
	if !ok {
		return Match{Reason: ReasonSelfieUnreadable}, nil
	}
	defer s.Close()
	return e.compare(p, s, subject{main: &f, faces: 1})
}

func (e *Engine) matchBGR(portrait, selfie gocv.Mat) (Match, error) {
	s, err := e.subject(selfie)
	if err != nil {
		return Match{}, fmt.Errorf("read selfie: %w", err)
	}
	return e.compare(portrait, selfie, s)
}

// compare finds the portrait's face and compares it with the selfie's.
func (e *Engine) compare(portrait, selfie gocv.Mat, s subject) (Match, error) {
	p, err := e.subject(portrait)
	if err != nil {
		return Match{}, fmt.Errorf("read portrait: %w", err)
	}
	out := Match{PortraitFaces: p.faces, SelfieFaces: s.faces, PortraitFace: p.main, SelfieFace: s.main}
	switch {
	case p.main == nil:
		out.Reason = ReasonPortraitNoFace
		return out, nil
	case s.main == nil:
		out.Reason = ReasonSelfieNoFace
		return out, nil
	case s.others > 0:
		out.Reason = ReasonSelfieSeveralFaces
	case s.turn != 0:
		out.Reason = ReasonSelfieRotated
	case p.turn != 0:
		out.Reason = ReasonPortraitRotated
	}
	ep, lp, err := e.embedPortrait(portrait, *p.main)
	if err != nil {
		return out, err
	}
	es, ls, err := e.embedBGR(selfie, *s.main)
	if err != nil {
		return out, err
	}
	if ep == nil || es == nil {
		out.Reason = ReasonFaceUnusable
		return out, nil
	}
	sim := e.Similarity(ep, es)
	out.Similarity, out.Strength = &sim, min(lp, ls)
	return out, nil
}

// Description is the main face of one picture, for comparisons of many
// pictures with each other. Embedding is nil where Reason says why.
type Description struct {
	Face      *Face     `json:"face,omitempty"`
	Faces     int       `json:"faces"`
	Embedding Embedding `json:"-"`
	// Strength is the length of the embedding before it was made a unit vector.
	// A network that learnt by cosine gives short vectors to faces that it can
	// not tell well (blur, pose, covering; Meng et al., "MagFace", CVPR 2021),
	// so it predicts how far genuine similarities can be trusted to be high.
	// Its scale belongs to the network.
	Strength float64 `json:"strength"`
	Reason   Reason  `json:"reason,omitempty"`
}

// DescribePortrait describes the main face of a document's portrait and
// DescribeSelfie that of a selfie, as MatchPortrait does: [Engine.Similarity]
// of the two is the same.
func (e *Engine) DescribePortrait(m gocv.Mat) (Description, error) {
	return e.describe(m, e.embedPortrait, ReasonPortraitUnreadable, ReasonPortraitNoFace)
}

// DescribeSelfie is documented at DescribePortrait.
func (e *Engine) DescribeSelfie(m gocv.Mat) (Description, error) {
	return e.describe(m, e.embedBGR, ReasonSelfieUnreadable, ReasonSelfieNoFace)
}

func (e *Engine) describe(m gocv.Mat, embed func(gocv.Mat, Face) (Embedding, float64, error), unreadable, none Reason) (Description, error) {
	bgr, ok := dnn.BGR(m)
	if !ok {
		return Description{Reason: unreadable}, nil
	}
	defer bgr.Close()
	s, err := e.subject(bgr)
	if err != nil {
		return Description{}, err
	}
	if s.main == nil {
		return Description{Reason: none}, nil
	}
	d := Description{Face: s.main, Faces: s.faces}
	if d.Embedding, d.Strength, err = embed(bgr, *s.main); err == nil && d.Embedding == nil {
		d.Reason = ReasonFaceUnusable
	}
	return d, err
}

// subject is the main face of a picture among what was found there.
type subject struct {
	main          *Face
	faces, others int
	turn          int
}

func (e *Engine) subject(bgr gocv.Mat) (subject, error) {
	found, turn, err := e.detectTurned(bgr)
	if err != nil || len(found) == 0 {
		return subject{}, err
	}
	i, others := Main(found, bgr.Cols(), bgr.Rows())
	return subject{main: &found[i], faces: len(found), others: others, turn: turn}, nil
}
