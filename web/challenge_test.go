package web_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/policy"
)

func TestTheChallengeIsFollowedOnThePageOrLeftToAPerson(t *testing.T) {
	ps := portraits(t)
	cam := newCamera(t)
	_, photos := files(t)
	person, err := ps.Person(ps.People()[0])
	if err != nil {
		t.Fatal(err)
	}
	clip, err := specimen.TakeClip(specimen.LiveClip, person, specimen.ClipOptions{Seed: 2, Frames: 24, Span: 1600 * time.Millisecond, Width: 720, Height: 960})
	if err != nil {
		t.Fatal(err)
	}
	frames, err := clip.JPEGs(90)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cam.path, bytes.Join(frames, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	asking, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "evidence: [document_front, selfie]", "evidence: [document_front, selfie, selfie_challenge]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	ctx := browser(t, cam, nil)
	s := newSite(t, asking)
	begin := func() client.Created {
		made, err := s.service.CreateSession(context.Background(), client.NewSession{DocumentType: "passport"}, "")
		if err != nil {
			t.Fatal(err)
		}
		c := client.NewCapture(s.url, made.ClientToken, nil)
		if _, err := c.GiveConsent(ctx, "t", "en"); err != nil {
			t.Fatal(err)
		}
		for kind, b := range photos {
			if p, err := c.Upload(ctx, kind, "passport", b, "image/jpeg"); err != nil || !p.Accepted {
				t.Fatal(kind, p, err)
			}
		}
		return *made
	}
	made := begin()
	w := walk(t, ctx, made.CaptureURL)
	w.at("challenge", "challenge")
	w.do("start", click("#start"))
	w.take("selfie_challenge")
	w.do("an arrow", chromedp.WaitVisible(`.arrow[data-turn]`))
	w.do("it is answered", chromedp.WaitVisible(`[data-view="accepted"], [data-view="retake"]`))
	if view := w.attribute("view"); view == "accepted" {
		got, err := liveness.ParseBurst(s.photo(made.Session.ID, "selfie_challenge"))
		if err != nil || len(got.Frames) < 12 || len(got.Nonce) != 32 || got.Frames[len(got.Frames)-1].At < 5*time.Second {
			t.Errorf("%d frames, nonce of %d, %v", len(got.Frames), len(got.Nonce), err)
		}
		if c, err := s.store.AnsweredChallenge(context.Background(), made.Session.ID, got.Nonce); err != nil || c.AnsweredAt.IsZero() {
			t.Errorf("%+v, %v", c, err)
		}
		t.Logf("%d frames over %v", len(got.Frames), got.Frames[len(got.Frames)-1].At)
	} else {
		t.Errorf("the gate refused the frames: %s", w.attribute("code"))
	}
	other := begin()
	w = walk(t, ctx, other.CaptureURL)
	w.at("challenge", "challenge-again")
	w.do("another way", click("#assist-challenge"))
	w.at("review", "")
	if at, err := s.store.Assisted(context.Background(), other.Session.ID); err != nil || at.IsZero() {
		t.Error(at, err)
	}
}
