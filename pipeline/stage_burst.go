package pipeline

import (
	"context"
	"errors"
	"fmt"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
)

// burstKind is the kind of evidence that is no photo but a few frames of the
// person's face, in the container of package liveness.
const burstKind = "selfie_burst"

// burstLimits bound one frame: what is more is of no use to the measures.
var burstLimits = photo.Limits{WorkPixels: 1_300_000}

// burstCodes are what a burst's findings lead to. Frames of which nothing can be
// told are asked for again; frames that no camera takes are for a person.
var burstCodes = map[string]policy.Code{
	liveness.BurstTooFewFrames:   "capture.burst_unusable",
	liveness.BurstTooShort:       "capture.burst_unusable",
	liveness.BurstSizes:          "capture.burst_unusable",
	liveness.BurstNoFace:         "capture.burst_unusable",
	liveness.BurstFaceLost:       "capture.burst_unusable",
	liveness.BurstSeveralFaces:   "capture.several_faces",
	liveness.BurstStill:          "capture.burst_unusable",
	liveness.BurstFewPoints:      "capture.burst_unusable",
	liveness.BurstTimeOrder:      "biometric.burst_inconsistent",
	liveness.BurstRepeatedFrames: "biometric.burst_inconsistent",
}

// frames reads the container of a kind; nil without an error means that there is
// none or that refused says why it can not be used.
func (r *run) frames(ctx context.Context, kind string) (*liveness.BurstFile, error) {
	if _, ok := r.c.Documents[kind]; !ok || r.refused[kind] != "" {
		return nil, nil
	}
	b, err := r.read(ctx, kind)
	var lost *unusable
	if errors.As(err, &lost) {
		r.refused[kind] = lost.code
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err)
	}
	f, ok := parsedBurst(b)
	if !ok {
		r.refused[kind] = unusableFrames(kind)
		return nil, nil
	}
	return &f, nil
}

// unusableFrames is the code of a container of a kind that can not be used.
func unusableFrames(kind string) policy.Code {
	if kind == challengeKind {
		return "capture.challenge_unusable"
	}
	return "capture.burst_unusable"
}

// parsedBurst reads the container. What is wrong with a broken one is the
// sender's to know; here it is a photo to take again.
func parsedBurst(b []byte) (liveness.BurstFile, bool) {
	f, err := liveness.ParseBurst(b)
	return f, err == nil
}

// burstFrames decodes the frames. A frame that is no picture ends the burst: ok
// is false. The caller closes what it gets.
func burstFrames(ctx context.Context, f *liveness.BurstFile) (frames []liveness.Frame, done func(), ok bool, err error) {
	var open []*photo.Image
	done = func() {
		for _, p := range open {
			p.Close()
		}
	}
	for _, file := range f.Frames {
		if err := ctx.Err(); err != nil {
			return nil, done, false, err
		}
		p, err := photo.Decode(file.File, burstLimits)
		if _, bad := PhotoCode(err); bad {
			return nil, done, false, nil
		}
		if err != nil {
			return nil, done, false, fmt.Errorf("decode frame: %w", err)
		}
		open = append(open, p)
		frames = append(frames, liveness.Frame{Image: p.Mat, At: file.At, Light: file.Light})
	}
	return frames, done, true, nil
}

// runBurst measures the burst of a case, if it has one.
func runBurst(ctx context.Context, r *run, p *photo.Image) ([]policy.Finding, error) {
	file, err := r.frames(ctx, burstKind)
	if err != nil || file == nil {
		return nil, err // the quality stage says what is wrong with the file
	}
	frames, done, ok, err := burstFrames(ctx, file)
	defer done()
	if err != nil {
		return nil, err
	}
	f := policy.Finding{Stage: "liveness", Subject: burstKind, Models: refs(r.engines.Faces.Models())}
	if !ok {
		f.Assert("capture.burst_unusable", "")
		return []policy.Finding{f}, nil
	}
	b, err := liveness.AssessBurst(r.engines.Faces, frames)
	if err != nil {
		return nil, &stageError{"liveness", err}
	}
	burstFindings(&f, b)
	if same, ok, err := sameAsSelfie(r.engines.Faces, r.selfie, p, frames, b); err != nil {
		return nil, &stageError{"liveness", err}
	} else if ok {
		f.Measures = append(f.Measures, policy.Measure{Name: "liveness.burst.selfie_similarity", Value: same, Unit: "similarity"})
	}
	return []policy.Finding{f}, nil
}

func burstFindings(f *policy.Finding, b liveness.Burst) {
	for _, what := range b.Findings {
		code, known := burstCodes[what]
		if !known {
			code = "biometric.burst_inconsistent"
		}
		f.Assert(code, "")
	}
	if b.Score != nil {
		f.Measures = append(f.Measures, policy.Measure{Name: "liveness.burst.score", Value: *b.Score, Unit: "score"})
	}
	for _, s := range b.Signals {
		if s.Skipped == "" {
			f.Measures = append(f.Measures, policy.Measure{Name: "liveness." + s.Name, Value: s.Value, Unit: s.Unit})
		}
	}
}

// sameAsSelfie compares the selfie with the middle frame: a burst of somebody
// else says nothing about who is in the selfie.
func sameAsSelfie(faces *face.Engine, s *selfie, p *photo.Image, frames []liveness.Frame, b liveness.Burst) (float64, bool, error) {
	return sameFaceAsSelfie(faces, s, p, frames, b.Faces, len(frames)/2)
}

func sameFaceAsSelfie(faces *face.Engine, s *selfie, p *photo.Image, frames []liveness.Frame, in []face.Face, i int) (float64, bool, error) {
	if s == nil || p == nil || len(in) != len(frames) {
		return 0, false, nil
	}
	one, err := faces.Embed(p.Mat, s.Face)
	if err != nil {
		return 0, false, fmt.Errorf("describe selfie: %w", err)
	}
	two, err := faces.Embed(frames[i].Image, in[i])
	if err != nil {
		return 0, false, fmt.Errorf("describe frame: %w", err)
	}
	return faces.Similarity(one, two), one != nil && two != nil, nil
}

// burstQuality is the finding of the quality stage and of the gate about the
// container: whether it is one, and whether there is a face in its first frame.
func burstQuality(e *Engines, kind string, b []byte) (policy.Finding, error) {
	f := policy.Finding{Stage: "quality", Subject: kind}
	file, err := liveness.ParseBurst(b)
	if err != nil || len(file.Frames) < liveness.MinBurstFrames {
		f.Assert(unusableFrames(kind), "")
		return f, nil
	}
	f.Measures = []policy.Measure{{Name: "burst.frames", Value: float64(len(file.Frames)), Unit: "frames"}}
	first, err := photo.Decode(file.Frames[0].File, burstLimits)
	if _, bad := PhotoCode(err); bad {
		f.Assert(unusableFrames(kind), "")
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("decode frame: %w", err)
	}
	defer first.Close()
	if e.Faces == nil {
		return f, nil
	}
	found, err := e.Faces.Detect(first.Mat)
	if err != nil {
		return f, fmt.Errorf("find face in burst: %w", err)
	}
	if len(found) == 0 {
		f.Assert("capture.face_not_found", "")
	}
	return f, nil
}

// burstQuality is the same for the file of a case.
func (r *run) burstQuality(ctx context.Context, kind string) (policy.Finding, error) {
	f := policy.Finding{Stage: "quality", Subject: kind}
	b, err := r.read(ctx, kind)
	var lost *unusable
	if errors.As(err, &lost) {
		r.refused[kind] = lost.code
		f.Assert(lost.code, "")
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("read %s: %w", kind, err)
	}
	// Without consent no face is looked for, here as elsewhere.
	e := r.engines
	if r.c.NoBiometrics {
		e = &Engines{}
	}
	return burstQuality(e, kind, b)
}

// isPhoto tells the kinds of evidence that are one photo.
func isPhoto(kind string) bool { return kind != burstKind && kind != challengeKind }
