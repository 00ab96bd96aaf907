package liveness

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
)

// How the capture page lights a burst (web/capture/src/light.ts).
const (
	litFrames = 18
	litStep   = 400 * time.Millisecond
	litSettle = 180 * time.Millisecond
)

// lights are the rooms of the measurement in lux.
var lights = []float64{30, 100, 300, 1000}

// litClip takes a simulated burst that is lit as the capture page lights one.
func litClip(t testing.TB, people *specimen.Portraits, kind specimen.ClipKind, seed int64, ambient float64) []Frame {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(seed), 77))
	order := []float64{0, 0, 0, 1, 1, 1}
	for slices.IsSorted(order) || slices.IsSortedFunc(order, func(a, b float64) int { return int(b - a) }) {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	shown := func(at time.Duration) int { return min(len(order)-1, max(0, int(at/litStep))) }
	// What the camera delivers is some frames old.
	late := time.Duration(30+rng.IntN(90)) * time.Millisecond
	frames := simulatedWith(t, people, kind, specimen.ClipOptions{Seed: seed, Frames: litFrames, Span: time.Duration(len(order)) * litStep,
		Light: &specimen.ClipLight{Ambient: ambient, At: func(at time.Duration) float64 { return order[shown(at-late)] }}})
	for i, f := range frames {
		at := shown(f.At)
		if at > 0 && order[at] != order[at-1] && f.At-time.Duration(at)*litStep < litSettle {
			continue
		}
		frames[i].Light = &order[at]
	}
	return frames
}

func TestALitFaceFollowsTheLightAndAScreenDoesNot(t *testing.T) {
	people := portraits(t)
	_, faces := engines(t, "")
	for _, c := range []struct {
		kind    specimen.ClipKind
		ambient float64
		light   bool
	}{{specimen.LiveClip, 30, true}, {specimen.ScreenClip, 30, false}} {
		frames := litClip(t, people, c.kind, 1, c.ambient)
		b, err := AssessBurst(faces, frames)
		closeFrames(frames)
		if err != nil || b.relief == nil {
			t.Fatal(b, err)
		}
		if v, ok := b.Signal(SignalLight); ok != c.light {
			t.Errorf("%s at %.0f lux: light %.2f, %v", c.kind, c.ambient, v, ok)
		}
	}
}

// The figures of docs/biometrics.md, over 50 clips of each kind at each light:
//
//	PROOFLINE_EVAL=50 go test ./liveness -run LitClips -v -timeout 90m
//
// Heads, light and attacks are simulated by the authors of the measure.
func TestWhatLightTellsOnSimulatedLitClips(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("PROOFLINE_EVAL"))
	if err != nil {
		t.Skip("PROOFLINE_EVAL has the number of clips of each kind")
	}
	people := portraits(t)
	_, faces := engines(t, "")
	type key struct {
		ambient float64
		name    string
	}
	var mu sync.Mutex
	seen := map[key][]calibrate.Presentation{}
	run := func(kind specimen.ClipKind, seed int64, ambient float64) {
		frames := litClip(t, people, kind, seed, ambient)
		defer closeFrames(frames)
		b, err := AssessBurst(faces, frames)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		species := string(kind)
		if kind == specimen.LiveClip {
			species = ""
		}
		add := func(name string, v float64, ok bool) {
			seen[key{ambient, name}] = append(seen[key{ambient, name}], calibrate.Presentation{Species: species, Score: v, Inconclusive: !ok})
		}
		var score float64
		if b.Score != nil {
			score = *b.Score
		}
		add("score", score, b.Score != nil)
		for _, name := range []string{SignalLight, SignalLightShape, SignalLightNear} {
			v, ok := b.Signal(name)
			add(name, v, ok)
		}
		r := relief{}
		if b.relief != nil {
			r = *b.relief
		}
		add("raw light", r.face.slope, b.relief != nil)
		add("raw shape", r.shape.slope, r.hasShape)
		add("raw near", r.face.slope-r.surround.slope, r.hasSurround)
		if os.Getenv("PROOFLINE_CLIPS") != "" {
			t.Logf("%s %d %.0f lux score %.3f %+v %v", kind, seed, ambient, score, r, b.Findings)
		}
	}
	type job struct {
		kind    specimen.ClipKind
		seed    int64
		ambient float64
	}
	jobs := make(chan job)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for j := range jobs {
				run(j.kind, j.seed, j.ambient)
			}
		})
	}
	for seed := range n {
		for _, ambient := range lights {
			for _, kind := range specimen.ClipKinds {
				// What a display mirrors hardly depends on the room: the darkest
				// and one more are enough.
				if display := kind == specimen.ScreenClip || kind == specimen.FilmClip; !display || ambient == 30 || ambient == 300 {
					jobs <- job{kind, int64(seed), ambient}
				}
			}
		}
	}
	close(jobs)
	wg.Wait()
	for _, ambient := range lights {
		for _, name := range []string{"score", "raw light", "raw shape", "raw near", SignalLight, SignalLightShape, SignalLightNear} {
			a := calibrate.AttacksOf(seen[key{ambient, name}])
			t.Logf("%5.0f lux %-17s AUC print %.3f screen %.3f film %.3f; no answer: live %v print %v screen %v film %v", ambient, name,
				a.AUC("print"), a.AUC("screen"), a.AUC("film"), a.NonResponse(""), a.NonResponse("print"), a.NonResponse("screen"), a.NonResponse("film"))
		}
		a := calibrate.AttacksOf(seen[key{ambient, "score"}])
		t.Logf("%5.0f lux score at 0.5: BPCER %v, APCER print %v screen %v film %v", ambient, a.BPCER(0.5), a.APCER("print", 0.5), a.APCER("screen", 0.5), a.APCER("film", 0.5))
	}
}
