// Package liveness measures signs that a selfie shows a live person rather
// than a print, a screen or a mask held before the camera (presentation attack
// detection in the terms of ISO/IEC 30107-3), from one photo.
//
// [Open] loads the networks of a model set; [Engine.Assess] looks at one face
// of one photo and returns a [Result]: a score when a network could be given
// the framing that it was trained on, an Inconclusive reason when not, and
// [Signal] values, each a measurement on its own. An Engine is safe for
// concurrent use.
//
// The package has no threshold and never decides. A passive score alone is
// weak evidence: docs/biometrics.md has the measured error rates, which come
// from few and partly simulated samples, and says what they can not prove.
package liveness
