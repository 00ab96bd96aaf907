// Package quality measures how well a document or a face was captured.
//
// Photo looks at a whole photo, Document at the rectified document, Face at a
// face. Each returns Measures: a name, a value with its unit, and where in the
// picture the value comes from. Nothing here is good or bad: thresholds belong
// to the policy. docs/quality.md says for every measure what it is, which
// direction is better and where its default threshold comes from.
package quality

import (
	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Measure is one measured property of a picture.
type Measure struct {
	Name    string       `json:"name"`
	Value   float64      `json:"value"`
	Unit    string       `json:"unit"`
	Regions []photo.Rect `json:"regions,omitempty"` // in pixels of the picture handed in
}

// DocumentInfo is what is known about a rectified document.
type DocumentInfo struct {
	Quad                    photo.Quad  // in the photo
	PxPerMM                 float64     // of the rectified picture; 0 when the size is unknown
	SourcePxPerMM           float64     // resolution the photo itself had on the document; 0 when unknown
	CutOff                  []string    // sides that lie outside the photo: "top", "right", "bottom", "left"
	Class                   string      // document.Class
	MRZ                     *photo.Rect // zones, in the rectified picture
	Portrait                *photo.Rect
	FrameWidth, FrameHeight int // of the photo that Quad refers to
}

// FaceInfo is a detected face: its box and its points (right eye, left eye,
// nose, mouth centre, then optional ones), in pixels of the picture.
type FaceInfo struct {
	Box    photo.Rect
	Points []photo.Point
	Count  int // faces in the picture, for face.count
}

// Photo measures a whole photo.
func Photo(m gocv.Mat) []Measure { return nil }

// Document measures a rectified document.
func Document(doc gocv.Mat, d DocumentInfo) []Measure { return nil }

// Face measures a face.
func Face(m gocv.Mat, f FaceInfo) []Measure { return nil }
