package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/liveness/challenge"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// challengeKind is the kind of evidence that answers a challenge: frames of the
// head turning, in the container of a burst, with the challenge's nonce.
const challengeKind = "selfie_challenge"

// Challenge is what was asked, as the server recorded it.
type Challenge struct {
	Steps []challenge.Step
	// Took is the time from question to answer.
	Took time.Duration
	// Hints is what the client said of its camera: weak evidence.
	Hints []string
}

// errNoChallenge: the nonce is of no challenge that the session answered.
var errNoChallenge = errors.New("no such challenge")

// challengeCodes are what the frames' findings lead to.
var challengeCodes = map[string]policy.Code{
	liveness.BurstTooFewFrames:   "capture.challenge_unusable",
	liveness.BurstTooShort:       "capture.challenge_unusable",
	liveness.BurstSizes:          "capture.challenge_unusable",
	liveness.BurstNoFace:         "capture.challenge_unusable",
	liveness.BurstFaceLost:       "capture.challenge_unusable",
	liveness.ChallengeGaps:       "capture.challenge_unusable",
	liveness.BurstSeveralFaces:   "capture.several_faces",
	liveness.BurstTimeOrder:      "biometric.challenge_inconsistent",
	liveness.BurstRepeatedFrames: "biometric.challenge_inconsistent",
}

// runChallenge verifies the answer to a challenge, if the case has one. A person
// who chose another way is for a person to look at.
func runChallenge(ctx context.Context, r *run, p *photo.Image) ([]policy.Finding, error) {
	file, err := r.frames(ctx, challengeKind)
	if err != nil || file == nil {
		return nil, err // the quality stage says what is wrong with the file
	}
	f := policy.Finding{Stage: "liveness", Subject: challengeKind, Models: refs(r.engines.Faces.Models())}
	if r.c.Challenge == nil {
		f.Assert("system.not_evaluated", "") // nobody here knows what was asked
		return []policy.Finding{f}, nil
	}
	asked, err := r.c.Challenge(ctx, file.Nonce)
	switch {
	case errors.Is(err, errNoChallenge):
		f.Assert("biometric.challenge_inconsistent", "")
		return []policy.Finding{f}, nil
	case err != nil:
		return nil, fmt.Errorf("find challenge: %w", err)
	}
	frames, done, ok, err := burstFrames(ctx, file)
	defer done()
	if err != nil {
		return nil, err
	}
	if !ok {
		f.Assert("capture.challenge_unusable", "")
		return []policy.Finding{f}, nil
	}
	a, err := liveness.AssessChallenge(r.engines.Faces, asked.Steps, frames)
	if err != nil {
		return nil, &stageError{"liveness", err}
	}
	for _, what := range a.Findings {
		code, known := challengeCodes[what]
		if !known {
			code = "biometric.challenge_inconsistent"
		}
		f.Assert(code, "")
	}
	for _, s := range a.Signals {
		f.Measures = append(f.Measures, policy.Measure{Name: "liveness." + s.Name, Value: s.Value, Unit: s.Unit})
	}
	spare := asked.Took - (frames[len(frames)-1].At - frames[0].At)
	f.Measures = append(f.Measures,
		policy.Measure{Name: "liveness.challenge.spare_ms", Value: float64(spare.Milliseconds()), Unit: "ms"},
		policy.Measure{Name: "liveness.challenge.hints", Value: float64(len(asked.Hints)), Unit: "hints"})
	// The first frame looks straight ahead, as the selfie does.
	if same, ok, err := sameFaceAsSelfie(r.engines.Faces, r.selfie, p, frames, a.Faces, 0); err != nil {
		return nil, &stageError{"liveness", err}
	} else if ok {
		f.Measures = append(f.Measures, policy.Measure{Name: "liveness.challenge.selfie_similarity", Value: same, Unit: "similarity"})
	}
	return []policy.Finding{f}, nil
}

// challengeOf looks a session's answered challenges up by their nonce.
func challengeOf(s *session.Store, id string) func(context.Context, []byte) (Challenge, error) {
	return func(ctx context.Context, nonce []byte) (Challenge, error) {
		c, err := s.AnsweredChallenge(ctx, id, nonce)
		if errors.Is(err, session.ErrNotFound) {
			return Challenge{}, errNoChallenge
		}
		if err != nil {
			return Challenge{}, err
		}
		out := Challenge{Took: c.AnsweredAt.Sub(c.CreatedAt), Hints: c.Hints}
		if err := json.Unmarshal(c.Steps, &out.Steps); err != nil {
			return Challenge{}, fmt.Errorf("read steps of challenge %s: %w", c.ID, err)
		}
		return out, nil
	}
}

// assist takes a person's choice of another way into a case: it counts unless a
// challenge was answered later.
func (c *Case) assist(chosen time.Time, evidence map[string]session.Evidence) {
	e, sent := evidence[challengeKind]
	if chosen.IsZero() || sent && e.At.After(chosen) {
		return
	}
	c.Assisted = true
	delete(c.Documents, challengeKind)
}
