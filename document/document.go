// Package document finds identity documents in a photo, straightens them and
// says what kind they are.
//
// A Finder proposes quadrilaterals from edges, colour and contours, scores
// them by what a document's outline must look like, and returns the convincing
// ones as Found: corners in the photo, the rectified picture at a known number
// of pixels per millimetre (ISO/IEC 7810 sizes), class, confidence and the
// sides that are cut off. When nothing is convincing it returns none: it never
// invents a quadrilateral.
package document

import (
	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/quality"
)

// Class is the kind of document.
type Class string

// The classes.
const (
	PassportPage Class = "passport_page" // ICAO 9303-4 TD3, ID-3 125 × 88 mm
	ID1Front     Class = "id1_front"     // ISO/IEC 7810 ID-1 85.60 × 53.98 mm, portrait side
	ID1Back      Class = "id1_back"
	ID1          Class = "id1" // side unknown
	ID2          Class = "id2" // 105 × 74 mm
	Visa         Class = "visa"
	A4Page       Class = "a4_page"
	Unknown      Class = "unknown"
)

// Found is one document in a photo. It owns Rectified; Close releases it.
type Found struct {
	Quad          photo.Quad  `json:"quad"` // corners in the photo: top left first as the document is read
	Confidence    float64     `json:"confidence"`
	Class         Class       `json:"class"`
	Rectified     gocv.Mat    `json:"-"`
	Rotation      int         `json:"rotation"`         // clockwise degrees the document was turned in the photo: 0, 90, 180, 270
	PxPerMM       float64     `json:"px_per_mm"`        // of Rectified
	SourcePxPerMM float64     `json:"source_px_per_mm"` // what the photo itself resolves
	CutOff        []string    `json:"cut_off,omitempty"`
	Portrait      *photo.Rect `json:"portrait,omitempty"`    // in Rectified
	MRZ           *photo.Rect `json:"mrz,omitempty"`         // where a machine readable zone seems to be, in Rectified
	WholeFrame    bool        `json:"whole_frame,omitempty"` // the picture is the document: no outline was seen
	Upright       bool        `json:"upright"`               // orientation rests on evidence (face, MRZ), not on a guess

	evidence int    // zone, portrait: how many of the two are certain
	size     format // that Rectified shows
}

// Close releases the rectified picture. It may be called twice.
func (f *Found) Close() {
	if f == nil || f.Rectified.Closed() {
		return
	}
	f.Rectified.Close()
}

// Face is a face that a detector sees.
type Face struct {
	Box   photo.Rect
	Score float64 // 0-1: which way up a sheet is, the better face tells
	// Doubtful faces are portraits where a document is known to be; they are no
	// evidence that there is one.
	Doubtful bool
}

// Hints are what the caller can contribute.
type Hints struct {
	// Faces detects upright faces in a picture; it decides which way up the
	// document is and where its portrait lies. May be nil.
	Faces func(gocv.Mat) []Face
	// Max is the greatest number of documents to return; 0 means 2.
	Max int
	// MostPxPerMM bounds the resolution of what is returned; 0 means 16, which is
	// what text recognition is best at. Straightening takes as long as the
	// picture is large.
	MostPxPerMM float64
}

// Finder finds documents. It is safe for concurrent use.
type Finder struct{}

// NewFinder returns a Finder.
func NewFinder() *Finder { return &Finder{} }

// Info is what quality.Document wants to know about f, which was found in m.
func (f *Found) Info(m gocv.Mat) quality.DocumentInfo {
	return quality.DocumentInfo{
		Quad: f.Quad, PxPerMM: f.PxPerMM, SourcePxPerMM: f.SourcePxPerMM, CutOff: f.CutOff, Class: string(f.Class),
		MRZ: f.MRZ, Portrait: f.Portrait, FrameWidth: m.Cols(), FrameHeight: m.Rows(), Photo: &m, WholeFrame: f.WholeFrame,
	}
}
