package liveness

import (
	"errors"
	"math"
	"os"
	"sort"
	"strconv"
	"sync"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
)

func portraits(t testing.TB) *specimen.Portraits {
	t.Helper()
	people, err := specimen.OpenPortraits("")
	var missing *specimen.MissingPortraitsError
	if errors.As(err, &missing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	return people
}

// simulated takes a simulated burst, JPEG-coded as a browser sends it.
func simulated(t testing.TB, people *specimen.Portraits, kind specimen.ClipKind, seed int64) []Frame {
	t.Helper()
	return simulatedWith(t, people, kind, specimen.ClipOptions{Seed: seed})
}

func simulatedWith(t testing.TB, people *specimen.Portraits, kind specimen.ClipKind, o specimen.ClipOptions) []Frame {
	t.Helper()
	ids := people.People()
	p, err := people.Person(ids[int(o.Seed)%len(ids)])
	if err != nil {
		t.Fatal(err)
	}
	c, err := specimen.TakeClip(kind, p, o)
	if err != nil {
		t.Fatal(err)
	}
	files, err := c.JPEGs(85)
	if err != nil {
		t.Fatal(err)
	}
	var out []Frame
	for i, b := range files {
		m, err := gocv.IMDecode(b, gocv.IMReadColor)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Frame{Image: m, At: c.Times[i]})
	}
	return out
}

func closeFrames(frames []Frame) {
	for _, f := range frames {
		f.Image.Close()
	}
}

// The figures of docs/biometrics.md, over 200 clips (50 of each kind):
//
//	PROOFLINE_EVAL=50 go test ./liveness -run SimulatedClips -v -timeout 30m
//
// Heads, motion and attacks are simulated by the authors of the measure.
func TestPlanesAreToldFromHeadsOnSimulatedClips(t *testing.T) {
	n, kinds := 1, specimen.ClipKinds[:3]
	if v := os.Getenv("PROOFLINE_EVAL"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Skip("PROOFLINE_EVAL names a profile, not a number of clips")
		}
		kinds = specimen.ClipKinds
	}
	people := portraits(t)
	_, faces := engines(t, "")
	var mu sync.Mutex
	seen := map[string][]calibrate.Presentation{}
	run := func(kind specimen.ClipKind, seed int64) {
		frames := simulated(t, people, kind, seed)
		defer closeFrames(frames)
		b, err := AssessBurst(faces, frames)
		if err != nil {
			t.Error(err)
			return
		}
		species := string(kind)
		if kind == specimen.LiveClip {
			species = ""
		}
		mu.Lock()
		defer mu.Unlock()
		p := calibrate.Presentation{Species: species, Inconclusive: b.Score == nil}
		if b.Score != nil {
			p.Score = *b.Score
		}
		seen["score"] = append(seen["score"], p)
		for _, s := range b.Signals {
			v := s.Value
			if s.Skipped != "" {
				v = math.NaN()
			}
			seen[s.Name] = append(seen[s.Name], calibrate.Presentation{Species: species, Score: v})
		}
		if os.Getenv("PROOFLINE_CLIPS") != "" {
			t.Logf("%s %d %s %+v %v", kind, seed, b.Inconclusive, b.Signals, b.Findings)
		}
	}
	var wg sync.WaitGroup
	type job struct {
		kind specimen.ClipKind
		seed int64
	}
	jobs := make(chan job)
	for range 2 {
		wg.Go(func() {
			for j := range jobs {
				run(j.kind, j.seed)
			}
		})
	}
	for seed := range n {
		for _, kind := range kinds {
			jobs <- job{kind, int64(seed)}
		}
	}
	close(jobs)
	wg.Wait()
	var names []string
	for k := range seen {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, name := range names {
		a := calibrate.AttacksOf(seen[name])
		t.Logf("%-18s AUC print %.3f screen %.3f film %.3f; no answer: live %v print %v screen %v", name, a.AUC("print"), a.AUC("screen"), a.AUC("film"),
			a.NonResponse(""), a.NonResponse("print"), a.NonResponse("screen"))
	}
	a := calibrate.AttacksOf(seen["score"])
	for _, at := range []float64{0.3, 0.5, 0.7} {
		t.Logf("at %.1f: BPCER %v, APCER print %v screen %v film %v", at, a.BPCER(at), a.APCER("print", at), a.APCER("screen", at), a.APCER("film", at))
	}
	for _, species := range []string{"print", "screen"} {
		if auc := a.AUC(species); auc < 0.98 {
			t.Errorf("AUC against %s %.3f, want 0.98", species, auc)
		}
	}
}
