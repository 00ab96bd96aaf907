package liveness

import (
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

// Reasons for which no score is given. They are stable words.
const (
	// InconclusiveFraming: the picture ends too close to the face, so that no
	// installed model gets the surroundings it was trained on.
	InconclusiveFraming = "framing"
	// InconclusiveFaceSmall: the face has too few pixels for the fine texture
	// that the models look at.
	InconclusiveFaceSmall = "face_small"
	// InconclusiveUnreadable: not an 8-bit image with pixels, or a face box
	// outside of it.
	InconclusiveUnreadable = "unreadable"
)

// Result is what one image says about liveness.
type Result struct {
	// Score is 0 (attack) to 1 (live): the mean log-odds of the models that
	// could be asked, in several framings, less what edges around the face speak
	// against it; nil when Inconclusive says why no model could be asked.
	Score        *float64 `json:"score"`
	Inconclusive string   `json:"inconclusive,omitempty"`
	// Contributions are the parts of the score's log-odds, by signal.
	Contributions map[string]float64 `json:"contributions,omitempty"`
	// Signals are one per model, and measurements of our own, of which only
	// SignalFrame enters the score.
	Signals []Signal `json:"signals"`
	// Models are the networks that contributed to Score.
	Models []models.Ref `json:"models"`
}

// Signal is one measurement. What a value means is documented beside its name
// in signals.go and docs/biometrics.md.
type Signal struct {
	Name   string      `json:"name"`
	Value  float64     `json:"value"`
	Unit   string      `json:"unit"`
	Region *photo.Rect `json:"region,omitempty"`
	// Skipped says why the signal could not be measured; Value is 0 then.
	Skipped string `json:"skipped,omitempty"`
}
