package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/policy"
)

// litBurst is a simulated burst in a dim room under a screen that turns dark and
// bright, in its container; told says whether the container tells the light.
func litBurst(t *testing.T, kind specimen.ClipKind, told bool) []byte {
	t.Helper()
	const step = 400 * time.Millisecond
	order := []float64{0, 1, 1, 0, 1, 0}
	at := func(d time.Duration) int { return min(len(order)-1, max(0, int(d/step))) }
	clip, err := specimen.TakeClip(kind, somebody(t), specimen.ClipOptions{Seed: 1, Frames: 18, Span: time.Duration(len(order)) * step,
		Light: &specimen.ClipLight{Ambient: 30, At: func(d time.Duration) float64 { return order[at(d)] }}})
	if err != nil {
		t.Fatal(err)
	}
	files, err := clip.JPEGs(85)
	if err != nil {
		t.Fatal(err)
	}
	f := liveness.BurstFile{Nonce: []byte("n"), Lit: told}
	for i, b := range files {
		frame := liveness.FrameFile{At: clip.Times[i], File: b}
		// What is taken while the light changes is left out, as the page does.
		if told && clip.Times[i]%step > 180*time.Millisecond {
			frame.Light = &order[at(clip.Times[i])]
		}
		f.Frames = append(f.Frames, frame)
	}
	b, err := f.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A policy that has the page light the face can ask for the answer: who leaves
// the light out, and a screen that does not follow it, come to a person.
func TestAPolicyCanAskForTheAnswerToTheLight(t *testing.T) {
	rules, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "\n  thresholds:\n", `
  burst_light: true
  thresholds:
    burst_answers_the_light:
      {measure: liveness.burst.light_answered, subjects: [selfie_burst], min: 1, code: biometric.liveness_uncertain, basis: guess}
`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	e := engines(t)
	for name, c := range map[string]struct {
		file  []byte
		asked bool // by a person
	}{
		"a head":                     {litBurst(t, specimen.LiveClip, true), false},
		"a head, the light left out": {litBurst(t, specimen.LiveClip, false), true},
		"a film on a screen":         {litBurst(t, specimen.FilmClip, true), true},
		"a film, the light left out": {litBurst(t, specimen.FilmClip, false), true},
	} {
		r := newRun(e, rules, Case{Documents: map[string][]byte{burstKind: c.file}})
		fs, err := runBurst(ctx, r, nil)
		r.close()
		if err != nil || len(fs) != 1 {
			t.Fatalf("%s: %v, %v", name, fs, err)
		}
		f := r.cell.Judge(fs[0])
		if got := slices.Contains(f.Codes, "biometric.liveness_uncertain"); got != c.asked {
			t.Errorf("%s: %v %+v", name, f.Codes, f.Measures)
		}
	}
}
