package pipeline

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/liveness/challenge"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// steps that the test's person is asked, and what they turn to.
var askedSteps = []challenge.Step{{Turn: challenge.Left, At: 1000, For: 1500}, {Turn: challenge.Up, At: 2500, For: 1500}, {Turn: challenge.Right, At: 4000, For: 1500}, {Turn: challenge.Down, At: 5500, For: 1500}}

func turning(steps []challenge.Step) func(time.Duration) (yaw, pitch float64) {
	ways := map[challenge.Turn][2]float64{challenge.Left: {1, 0}, challenge.Right: {-1, 0}, challenge.Up: {0, -1}, challenge.Down: {0, 1}}
	return func(t time.Duration) (yaw, pitch float64) {
		var at [2]float64
		for _, s := range steps {
			k := math.Max(0, math.Min(1, (t.Seconds()-float64(s.At)/1000-0.3)/0.35))
			for i := range at {
				at[i] += k * (ways[s.Turn][i]*0.36 - at[i])
			}
		}
		return at[0], at[1]
	}
}

func TestAChallengeIsJudgedByWhatWasAskedUnderItsNonce(t *testing.T) {
	e := engines(t)
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ps.Person("marko")
	if err != nil {
		t.Fatal(err)
	}
	taken, err := specimen.TakeSelfie(p, specimen.SelfieOptions{Seed: 9})
	if err != nil {
		t.Fatal(err)
	}
	selfie, err := taken.JPEG(90)
	if err != nil {
		t.Fatal(err)
	}
	clip, err := specimen.TakeClip(specimen.LiveClip, p, specimen.ClipOptions{Seed: 5, Frames: 24, Span: 7200 * time.Millisecond, Pose: turning(askedSteps)})
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
	file, err := f.Pack()
	if err != nil {
		t.Fatal(err)
	}
	backwards := slices.Clone(askedSteps)
	for i := range backwards {
		backwards[i].Turn = askedSteps[len(askedSteps)-1-i].Turn
	}
	rules, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "evidence: [document_front, selfie]", "evidence: [selfie, selfie_challenge]", 1)))
	if err != nil {
		t.Fatal(err)
	}
	asked := func(c Challenge, err error) func(context.Context, []byte) (Challenge, error) {
		return func(_ context.Context, nonce []byte) (Challenge, error) {
			if string(nonce) != "n" {
				t.Errorf("asked for %q", nonce)
			}
			return c, err
		}
	}
	for name, c := range map[string]struct {
		file      []byte
		challenge func(context.Context, []byte) (Challenge, error)
		assisted  bool
		want      policy.Code
	}{
		"answered":       {file, asked(Challenge{Steps: askedSteps, Took: 12 * time.Second}, nil), false, ""},
		"another order":  {file, asked(Challenge{Steps: backwards, Took: 12 * time.Second}, nil), false, "biometric.challenge_failed"},
		"made before":    {file, asked(Challenge{Steps: askedSteps, Took: 3 * time.Second}, nil), false, "biometric.challenge_inconsistent"},
		"virtual camera": {file, asked(Challenge{Steps: askedSteps, Took: 12 * time.Second, Hints: []string{"virtual_camera"}}, nil), false, "biometric.virtual_camera_hint"},
		"unknown nonce":  {file, asked(Challenge{}, errNoChallenge), false, "biometric.challenge_inconsistent"},
		"nobody knows":   {file, nil, false, "system.not_evaluated"},
		"garbage":        {[]byte("PLBURST1"), asked(Challenge{}, nil), false, "capture.challenge_unusable"},
		"missing":        {nil, nil, false, "capture.evidence_missing"},
		"another way":    {nil, nil, true, "capture.assisted_review"},
	} {
		ca := Case{Documents: map[string][]byte{"selfie": selfie}, AsOf: time.Date(2025, 11, 22, 0, 0, 0, 0, time.UTC), Challenge: c.challenge, Assisted: c.assisted}
		if c.file != nil {
			ca.Documents[challengeKind] = c.file
		}
		r := newRun(e, rules, ca)
		var codes []policy.Code
		for _, s := range stages {
			if !slices.Contains([]string{"quality", "face", "liveness"}, s.Name) {
				continue
			}
			fs, err := r.stage(ctx, s)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range fs {
				if f.Subject == challengeKind {
					codes = append(codes, r.cell.Judge(f).Codes...)
				}
			}
		}
		r.close()
		if c.want == "" && len(codes) > 0 || c.want != "" && !slices.Contains(codes, c.want) {
			t.Errorf("%s: codes %v, want %q", name, codes, c.want)
		}
	}
}

// The template of a withdrawn session can not be read any more, and nothing is
// compared with it.
func TestDuplicatesAreFoundUntilTheOtherSessionWithdraws(t *testing.T) {
	w := newWorld(t, "")
	rules, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "\n  thresholds:\n", "\n  duplicates: {document_number: true, face: true, window: 30d, max: 100}\n  thresholds:\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	w.policy = rules
	k, err := NewWorker(w.config())
	if err != nil {
		t.Fatal(err)
	}
	look := func(ref string) (Others, *session.Session) {
		id := w.submit(func(n *session.New) { n.ExternalRef = ref })
		ses, err := w.store.Get(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		o, err := k.others(ses.Context(), ses, rules)
		if err != nil || o == nil {
			t.Fatal(o, err)
		}
		return o, ses
	}
	const number = "UTO/L898902C3"
	one, like, unlike := []float32{1, 0, 0}, []float32{0.9, 0.4, 0}, []float32{0, 0, 1}
	anna, annas := look("anna")
	if s, _, err := anna.Number(ctx, number); err != nil || s != 0 {
		t.Fatal(s, err)
	}
	if l, err := anna.Face(ctx, "m1", one); err != nil || l.Compared != 0 {
		t.Fatal(l, err)
	}
	berta, _ := look("berta")
	if s, d, err := berta.Number(ctx, number); err != nil || s != 1 || d != 1 {
		t.Errorf("the same number: %d subjects, %d sessions, %v", s, d, err)
	}
	if l, err := berta.Face(ctx, "m1", like); err != nil || l.Compared != 1 || l.Cosine < 0.9 {
		t.Errorf("the same face: %+v, %v", l, err)
	}
	again, _ := look("anna")
	if l, err := again.Face(ctx, "m1", unlike); err != nil || l.Compared != 1 || l.Cosine > 0.1 {
		t.Errorf("the subject's own sessions do not count: %+v, %v", l, err)
	}
	if n, err := again.Sessions(ctx); err != nil || n != 2 {
		t.Errorf("%d sessions of anna, %v", n, err)
	}
	other, _ := look("carla")
	if l, err := other.Face(ctx, "m2", one); err != nil || l.Compared+l.Unread != 0 {
		t.Errorf("templates of another model were compared: %+v, %v", l, err)
	}
	marks, err := w.store.FaceMarks(ctx, "t1", "nobody", time.Time{}, 10)
	if err != nil || len(marks) != 4 {
		t.Fatal(len(marks), err)
	}
	for _, c := range []storage.Class{storage.BiometricTemplate, storage.ExtractedFields} {
		if _, err := w.vault.Erase(ctx, annas.ID, c); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range marks {
		if m.Session != annas.ID {
			continue
		}
		o, err := w.vault.Index().GetObject(ctx, m.Object)
		if err == nil {
			_, err = (&neighbours{w: k}).template(ctx, o)
		}
		if !gone(err) {
			t.Errorf("the template of an erased session: %v", err)
		}
	}
	dora, _ := look("dora")
	if l, err := dora.Face(ctx, "m1", one); err != nil || l.Compared != 2 || l.Unread != 0 || l.Cosine > 0.95 {
		t.Errorf("after the erasure: %+v, %v", l, err)
	}
	if s, _, err := dora.Number(ctx, number); err != nil || s != 1 {
		t.Errorf("after the erasure: %d subjects, %v", s, err)
	}
}

func TestTheNumberThatIsMarkedIsTheSurestOne(t *testing.T) {
	for name, c := range map[string]struct {
		fields []Field
		want   string
	}{
		"print alone":   {[]Field{{Name: "document_number", Value: "A1", Source: "visual"}}, ""},
		"confirmed":     {[]Field{{Name: "document_number", Value: "b-2", Source: "barcode"}, {Name: "document_number", Value: "a 1<", Source: "mrz", Verified: true}, {Name: "issuing_state", Value: "UTO", Source: "mrz"}}, "UTO/A1"},
		"barcode alone": {[]Field{{Name: "document_number", Value: "b-2", Source: "barcode"}}, "/B2"},
	} {
		if got := markedNumber(c.fields); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
