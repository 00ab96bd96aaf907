package api_test

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

func challengedServer(t *testing.T) *server {
	t.Helper()
	rules, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "evidence: [document_front, selfie]", "evidence: [document_front, selfie, selfie_challenge]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return newServer(t, func(d *api.Deps) {
		d.Policy = rules
		d.Gate = func(_ context.Context, _ policy.Cell, kind string, _ []byte) (policy.GateAnswer, error) {
			return policy.GateAnswer{Accepted: true, Subject: kind, Codes: []policy.Code{}}, nil
		}
	})
}

func answerTo(t *testing.T, nonce, content string) []byte {
	t.Helper()
	n, err := hex.DecodeString(nonce)
	if err != nil {
		t.Fatal(err)
	}
	b, err := liveness.BurstFile{Nonce: n, Frames: []liveness.FrameFile{{At: 0, File: []byte(content)}, {At: time.Second, File: []byte("x")}}}.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func codeOf(err error) string {
	var p *client.Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func TestAChallengeTakesOneAnswerWithItsOwnNonce(t *testing.T) {
	s := challengedServer(t)
	_, c := s.begin(client.NewSession{DocumentType: "passport"})
	ctx := context.Background()
	send := func(file []byte) error {
		_, err := c.Upload(ctx, "selfie_challenge", "", file, "application/octet-stream")
		return err
	}
	first, err := c.Challenge(ctx, "virtual_camera", "nonsense")
	if err != nil || len(first.Nonce) < 32 || len(first.Steps) == 0 || first.ExpiresIn < 100 || first.ExpiresIn > 200 || first.Left != session.MaxChallenges-1 {
		t.Fatalf("%+v, %v", first, err)
	}
	_, other := s.begin(client.NewSession{DocumentType: "passport"})
	if _, err := other.Upload(ctx, "selfie_challenge", "", answerTo(t, first.Nonce, "a"), "application/octet-stream"); codeOf(err) != client.CodeChallengeUnknown {
		t.Errorf("another session's nonce: %v", err)
	}
	if err := send(answerTo(t, strings.Repeat("00", 32), "a")); codeOf(err) != client.CodeChallengeUnknown {
		t.Errorf("a made-up nonce: %v", err)
	}
	second, err := c.Challenge(ctx)
	if err != nil || second.Nonce == first.Nonce {
		t.Fatal(err)
	}
	if err := send(answerTo(t, first.Nonce, "a")); codeOf(err) != client.CodeChallengeUsed {
		t.Errorf("a replaced challenge: %v", err)
	}
	for range 2 { // the answer was lost, so it comes again
		if err := send(answerTo(t, second.Nonce, "a")); err != nil {
			t.Errorf("the answer: %v", err)
		}
	}
	if err := send(answerTo(t, second.Nonce, "b")); codeOf(err) != client.CodeChallengeUsed {
		t.Errorf("another answer: %v", err)
	}
	for range session.MaxChallenges - 2 {
		if _, err := c.Challenge(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Challenge(ctx); codeOf(err) != client.CodeChallengesSpent {
		t.Errorf("one too many: %v", err)
	}
	if strings.Contains(s.log.String(), second.Nonce) {
		t.Error("the log holds a nonce")
	}
}

func TestWhoChoosesAssistanceSubmitsWithoutTheChallenge(t *testing.T) {
	s := challengedServer(t)
	_, c := s.begin(client.NewSession{DocumentType: "passport"})
	ctx := context.Background()
	for _, kind := range []string{"document_front", "selfie"} {
		if _, err := c.Upload(ctx, kind, "", goodPhoto(t, uint64(len(kind))), "image/jpeg"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Submit(ctx); codeOf(err) != client.CodeEvidenceMissing {
		t.Errorf("without the challenge: %v", err)
	}
	status, err := c.ChooseAssistance(ctx)
	if err != nil || !status.Assisted || slices.Contains(status.Documents[0].Needs, "selfie_challenge") {
		t.Fatalf("%+v, %v", status, err)
	}
	if status, err := c.Submit(ctx); err != nil || status.State != "submitted" {
		t.Errorf("%+v, %v", status, err)
	}
	plain := newServer(t, nil)
	_, c = plain.begin(client.NewSession{DocumentType: "passport"})
	if _, err := c.Challenge(ctx); codeOf(err) != client.CodeConflict {
		t.Errorf("where no policy asks: %v", err)
	}
}
