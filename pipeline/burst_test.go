package pipeline

import (
	"slices"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/policy"
)

func somebody(t *testing.T) *specimen.Person {
	t.Helper()
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ps.Person(ps.People()[0])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// packedClip is a simulated burst of the case's own person in its container.
func packedClip(t *testing.T, kind specimen.ClipKind, change func(*liveness.BurstFile)) []byte {
	t.Helper()
	p := somebody(t)
	clip, err := specimen.TakeClip(kind, p, specimen.ClipOptions{Seed: 5, Frames: 8})
	if err != nil {
		t.Fatal(err)
	}
	files, err := clip.JPEGs(85)
	if err != nil {
		t.Fatal(err)
	}
	f := liveness.BurstFile{Nonce: []byte("n")}
	for i, b := range files {
		f.Frames = append(f.Frames, liveness.FrameFile{At: clip.Times[i], File: b})
	}
	if change != nil {
		change(&f)
	}
	b, err := f.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABurstIsMeasuredBesideTheSelfie(t *testing.T) {
	e := engines(t)
	p := somebody(t)
	taken, err := specimen.TakeSelfie(p, specimen.SelfieOptions{Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	selfie, err := taken.JPEG(90)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file []byte
		want policy.Code
	}{
		"alive":    {packedClip(t, specimen.LiveClip, nil), ""},
		"print":    {packedClip(t, specimen.PrintClip, nil), "biometric.presentation_attack"},
		"repeated": {packedClip(t, specimen.LiveClip, func(f *liveness.BurstFile) { f.Frames[5].File = f.Frames[3].File }), "biometric.burst_inconsistent"},
		"garbage":  {[]byte("PLBURST1 and nothing"), "capture.burst_unusable"},
		"no frame": {packedClip(t, specimen.LiveClip, func(f *liveness.BurstFile) { f.Frames[2].File = []byte("x") }), "capture.burst_unusable"},
		"short":    {packedClip(t, specimen.LiveClip, func(f *liveness.BurstFile) { f.Frames = f.Frames[:3] }), "capture.burst_unusable"},
	} {
		r := newRun(e, policy.Default(), Case{Documents: map[string][]byte{"selfie": selfie, burstKind: c.file}, AsOf: time.Date(2025, 11, 22, 0, 0, 0, 0, time.UTC)})
		var codes []policy.Code
		similar := 0.0
		for _, s := range stages {
			if !slices.Contains([]string{"quality", "face", "liveness"}, s.Name) {
				continue
			}
			fs, err := r.stage(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fs {
				if f.Subject == burstKind {
					codes = append(codes, r.cell.Judge(f).Codes...)
					if v, ok := f.Measured("liveness.burst.selfie_similarity"); ok {
						similar = v
					}
				}
			}
		}
		r.close()
		if c.want == "" && len(codes) > 0 || c.want != "" && !slices.Contains(codes, c.want) {
			t.Errorf("%s: codes %v, want %q", name, codes, c.want)
		}
		if name == "alive" && similar < 0.6 {
			t.Errorf("selfie and burst of one person: similarity %.2f", similar)
		}
	}
	answer, err := Gate(ctx, e, policy.Default(), burstKind, []byte("x"))
	if err != nil || answer.Accepted || !slices.Contains(answer.Codes, "capture.burst_unusable") {
		t.Errorf("the gate: %+v, %v", answer, err)
	}
	answer, err = Gate(ctx, e, policy.Default(), burstKind, packedClip(t, specimen.LiveClip, nil))
	if err != nil || !answer.Accepted {
		t.Errorf("the gate: %+v, %v", answer, err)
	}
}
