package demodata

import (
	"math"
	"math/rand/v2"

	"github.com/proofline/proofline/policy"
)

// capture is what the camera delivered at one attempt. flaw is what ails the
// photos, "" for nothing.
type capture struct {
	flaw string
}

var flaws = []share[string]{{"blur", 30}, {"glare", 20}, {"dark", 12}, {"mrz", 16}, {"face", 8}, {"selfie_far", 8}, {"cut_off", 6}}

func newCapture(r *rand.Rand, p person, attempt int) capture {
	clumsy := p.clumsy * math.Pow(0.6, float64(attempt-1)) // the hint helps
	if r.Float64() >= clumsy {
		return capture{}
	}
	return capture{draw(r, flaws)}
}

// findings draws what the stages would have found. Scores follow the truth: of
// the case's own person, an impostor, or an attack.
func (c capture) findings(r *rand.Rand, pol *policy.Policy, cell policy.Cell, p person) []policy.Finding {
	near := func(mean, sd float64) float64 { return mean + sd*r.NormFloat64() }
	fs := []policy.Finding{}
	add := func(stage, subject string, ms ...policy.Measure) *policy.Finding {
		fs = append(fs, policy.Finding{Stage: stage, Subject: subject, Measures: ms, DurationMS: math.Round(near(200, 60)*10) / 10})
		return &fs[len(fs)-1]
	}
	m := func(name, unit string, v float64) policy.Measure {
		return policy.Measure{Name: name, Unit: unit, Value: math.Round(v*10000) / 10000}
	}
	add("quality", "document_front",
		m("document.sharpness", "", math.Max(0.1, pick(c.flaw == "blur", near(0.8, 0.2), near(2.6, 0.35)))),
		m("document.glare_area", "share", clamp(pick(c.flaw == "glare", near(0.09, 0.03), math.Abs(near(0, 0.006))), 0, 1)),
		m("document.exposure_dark", "share", clamp(pick(c.flaw == "dark", near(0.85, 0.06), math.Abs(near(0.08, 0.06))), 0, 1)),
		m("document.cut_off", "sides", pick(c.flaw == "cut_off", 2, 0)),
		m("document.resolution_dpi", "dpi", math.Max(60, near(260, 55))))
	if p.fake == "screen" && r.Float64() < 0.3 {
		fs[0].Measures = append(fs[0].Measures, m("document.screen_pattern", "", near(32, 5)))
	}
	add("quality", "selfie",
		m("face.inter_eye_px", "px", math.Max(20, near(140, 30))),
		m("face.sharpness", "", math.Max(4, near(22, 5))))
	add("document", "document_front", m("document.confidence", "", clamp(near(0.93, 0.04), 0, 1)))
	zone := add("mrz", "document_front", m("mrz.confidence", "", clamp(near(0.96, 0.02), 0, 1)))
	switch {
	case p.document == "driving_licence":
		// Most have no zone; the policy says what that means.
	case c.flaw == "mrz":
		zone.Assert("document.mrz_unreadable", "")
	case r.Float64() < 0.05:
		zone.Assert("document.mrz_repaired", "")
	}
	if p.impostor && r.Float64() < 0.15 {
		zone.Assert("document.mrz_check_digit", "document_number")
	}
	text := add("ocr", "document_front", m("ocr.confidence", "", clamp(near(0.85, 0.08), 0, 1)))
	if r.Float64() < 0.04 {
		text.Assert("document.text_unreadable", "")
	}
	match := add("face", "selfie", m("face.detector_score", "", clamp(near(0.95, 0.03), 0, 1)))
	if c.flaw == "face" {
		match.Assert("capture.face_not_found", "")
	} else {
		bound, _ := cell.PassBound("face.similarity", "case")
		similarity := pick(p.impostor, near(bound-0.24, 0.11), near(bound+0.22, 0.13))
		f := policy.Finding{Stage: "face", Subject: "case", Models: models(pol), DurationMS: 48,
			Measures: []policy.Measure{m("face.similarity", "similarity", clamp(similarity, -1, 1)), m("face.strength", "length", near(18, 3))}}
		fs = append(fs, f)
		live := add("liveness", "selfie")
		if c.flaw == "selfie_far" {
			live.Assert("biometric.liveness_inconclusive", "")
		} else {
			score := 1 - math.Abs(near(0, 0.14))
			if p.fake != "" {
				score = near(0.28, 0.2)
			}
			live.Measures = []policy.Measure{m("liveness.score", "", clamp(score, 0, 1))}
		}
	}
	agree := add("consistency", "case")
	if p.expired {
		agree.Assert("document.expired", "expiry_date")
	}
	if r.Float64() < pick(p.impostor, 0.12, 0.015) {
		agree.Assert("consistency.claim_mismatch", draw(r, []share[string]{{"surname", 5}, {"given_names", 4}, {"birth_date", 1}}))
	}
	if r.Float64() < 0.006 {
		fs = append(fs, policy.Finding{Stage: "consistency", Subject: "case"})
		fs[len(fs)-1].Assert("system.stage_failed", "")
	}
	return fs
}

// models names the calibrated embedding model, or else its targets would count
// as not evaluated.
func models(pol *policy.Policy) []policy.ModelRef {
	for _, c := range pol.Calibrations {
		if c.Measure == "face.similarity" {
			return []policy.ModelRef{{Role: "embedding", Name: c.Model.Name, SHA256: c.Model.SHA256}}
		}
	}
	return nil
}
