package face

import (
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
	// Similarity is the cosine of the two embeddings, nil when one of the
	// faces could not be found or described (Reason says which).
	Similarity *float64 `json:"similarity"`
	// PortraitFace and SelfieFace are the faces that were compared.
	PortraitFace *Face `json:"portrait_face,omitempty"`
	SelfieFace   *Face `json:"selfie_face,omitempty"`
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

func (e *Engine) matchBGR(p, s gocv.Mat) (Match, error) {
	var out Match
	pf, err := e.detectBGR(p)
	if err != nil {
		return out, err
	}
	sf, err := e.detectBGR(s)
	if err != nil {
		return out, err
	}
	out.PortraitFaces, out.SelfieFaces = len(pf), len(sf)
	switch {
	case len(pf) == 0:
		out.Reason = ReasonPortraitNoFace
		return out, nil
	case len(sf) == 0:
		out.Reason = ReasonSelfieNoFace
		return out, nil
	}
	out.PortraitFace, out.SelfieFace = &pf[0], &sf[0]
	ep, err := e.embedBGR(p, pf[0])
	if err != nil {
		return out, err
	}
	es, err := e.embedBGR(s, sf[0])
	if err != nil {
		return out, err
	}
	if ep == nil || es == nil {
		out.Reason = ReasonFaceUnusable
		return out, nil
	}
	sim := Similarity(ep, es)
	out.Similarity = &sim
	return out, nil
}
