package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/liveness/challenge"
	"github.com/proofline/proofline/session"
)

// A challenge asks the person to turn the head in an order that nobody knew
// before: POST /v1/capture/challenge draws it, and the frames that answer it come
// as evidence of the kind selfie_challenge with the challenge's nonce in their
// file. Each nonce takes one answer, within some minutes. Who can not or does not
// want to move takes POST /v1/capture/challenge/assistance: a person looks then.

const (
	challengeKind = "selfie_challenge"
	// challengeFrames is as many as a file can have.
	challengeFrames = 24
)

// challengeLife is how long an answer may take: eight seconds of frames, and a
// megabyte over a slow line.
const challengeLife = 3 * time.Minute

// ChallengeHints are what a client may say of its camera.
var ChallengeHints = []string{"virtual_camera", "emulator", "automation"}

func (a *api) registerChallenge(h huma.API) {
	ask := a.captureOperation(h, http.MethodPost, "/v1/capture/challenge", "ask-challenge", "Draw a challenge: turns of the head, for one answer and a short time")
	ask.DefaultStatus = http.StatusCreated
	huma.Register(h, ask, a.askChallenge)
	huma.Register(h, a.captureOperation(h, http.MethodPost, "/v1/capture/challenge/assistance", "choose-assistance",
		"Take another way than the challenge: a person looks at the case"), a.chooseAssistance)
}

type challengeInput struct {
	Body client.ChallengeRequest `required:"false"`
}

type challengeOutput struct{ Body client.Challenge }

// toChallenge is the caller's session, where its policy asks for a challenge that
// may still be answered; the error is a problem.
func (a *api) toChallenge(ctx context.Context) (*session.Session, error) {
	ses, err := a.mine(ctx)
	if err != nil {
		return nil, fromError(err)
	}
	if p := a.mayUpload(ses, ""); p != nil {
		return nil, p
	}
	asked, err := a.challenged(ctx, ses)
	if err != nil {
		return nil, fromError(err)
	}
	if !asked {
		return nil, newProblem(client.CodeConflict, "The session's policy asks for no challenge.")
	}
	return ses, nil
}

func (a *api) askChallenge(ctx context.Context, in *challengeInput) (*challengeOutput, error) {
	ses, err := a.toChallenge(ctx)
	if err != nil {
		return nil, err
	}
	steps, err := challenge.New()
	if err != nil {
		return nil, fromError(err)
	}
	b, err := json.Marshal(steps)
	if err != nil {
		return nil, fromError(fmt.Errorf("encode challenge: %w", err))
	}
	hints := slices.DeleteFunc(slices.Clone(ChallengeHints), func(h string) bool { return !slices.Contains(in.Body.Hints, h) })
	c, nonce, err := a.deps.Store.IssueChallenge(ctx, a.by(ctx), ses.ID, b, hints, challengeLife)
	if err != nil {
		return nil, challengeProblem(err)
	}
	left, err := a.deps.Store.ChallengesLeft(ctx, ses.ID, ses.Attempt)
	if err != nil {
		return nil, fromError(err)
	}
	out := client.Challenge{Nonce: hex.EncodeToString(nonce), Frames: challengeFrames, TailMS: challenge.TailMS,
		ExpiresIn: a.seconds(c.ExpiresAt), Left: left}
	for _, s := range steps {
		out.Steps = append(out.Steps, client.ChallengeStep{Turn: string(s.Turn), AtMS: s.At, ForMS: s.For})
	}
	return &challengeOutput{Body: out}, nil
}

// challenged tells whether the session's rules ask for a challenge.
func (a *api) challenged(ctx context.Context, ses *session.Session) (bool, error) {
	rules, err := a.rules(ctx, ses)
	if err != nil {
		return false, err
	}
	_, documentType, err := a.held(ctx, ses)
	if err != nil {
		return false, err
	}
	if ses.DocumentType != "" {
		documentType = ses.DocumentType
	}
	return slices.Contains(needs(rules, ses, documentType), challengeKind), nil
}

// challengeProblem tells a client what is wrong with its nonce.
func challengeProblem(err error) error {
	switch {
	case errors.Is(err, session.ErrChallengeUnknown):
		return newProblem(client.CodeChallengeUnknown, "The file's nonce is of no challenge of this session.")
	case errors.Is(err, session.ErrChallengeExpired):
		return newProblem(client.CodeChallengeExpired, "Ask for a new challenge.")
	case errors.Is(err, session.ErrChallengeUsed):
		return newProblem(client.CodeChallengeUsed, "Each challenge takes one answer. Ask for a new one.")
	case errors.Is(err, session.ErrChallengesSpent):
		return newProblem(client.CodeChallengesSpent, "Take the other way: a person looks at the case.")
	case errors.Is(err, session.ErrConflict):
		return newProblem(client.CodeConflict, "The session does not wait for a challenge.")
	}
	return fromError(err)
}

// answer takes the frames that answer a challenge: whatever the gate says of
// them afterwards, the challenge is used.
func (a *api) answer(ctx context.Context, ses *session.Session, kind string, file []byte, sum string) error {
	if kind != challengeKind {
		return nil
	}
	nonce, ok := challenge.NonceOf(file)
	if !ok {
		return nil // the gate says so, and no challenge is named
	}
	if _, err := a.deps.Store.AnswerChallenge(ctx, a.by(ctx), ses.ID, nonce, sum); err != nil {
		return challengeProblem(err)
	}
	return nil
}

func (a *api) chooseAssistance(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	ses, err := a.toChallenge(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.deps.Store.ChooseAssistance(ctx, a.by(ctx), ses.ID); err != nil {
		return nil, challengeProblem(err)
	}
	if ses.State == session.NeedsResubmission {
		next, err := a.deps.Store.Apply(ctx, ses.ID, session.AnyVersion, session.Event{Kind: session.StartCapture, Actor: a.by(ctx), Attempt: ses.Attempt}, nil)
		if err != nil && !(next != nil && next.State == session.CaptureInProgress && errors.Is(err, session.ErrNoTransition)) {
			return nil, fromError(err)
		}
		ses = next
	}
	return a.statusOf(ctx, ses)
}

// assisted tells whether the person chose another way than the challenge, after
// the last answer to one.
func (a *api) assisted(ctx context.Context, ses *session.Session) (bool, error) {
	at, err := a.deps.Store.Assisted(ctx, ses.ID)
	if err != nil || at.IsZero() {
		return false, err
	}
	evidence, err := a.deps.Store.Evidence(ctx, ses.ID, ses.Attempt)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(evidence, func(e session.Evidence) bool { return e.Kind == challengeKind && e.At.After(at) }), nil
}

// withoutChallenge leaves out what an assisted person need not send.
func (a *api) withoutChallenge(ctx context.Context, ses *session.Session, kinds []string) ([]string, error) {
	if !slices.Contains(kinds, challengeKind) {
		return kinds, nil
	}
	yes, err := a.assisted(ctx, ses)
	if err != nil || !yes {
		return kinds, err
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return k == challengeKind }), nil
}
