package liveness

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/liveness/challenge"
)

// obeys is how a simulated person turns the head: after a reaction, to some
// angle, over a third of a second, and straight to the next turn.
func obeys(steps []challenge.Step, seed uint64, least float64) func(time.Duration) (yaw, pitch float64) {
	r := rand.New(rand.NewPCG(seed, 77))
	type move struct{ from, yaw, pitch float64 }
	ways := map[challenge.Turn][2]float64{challenge.Left: {1, 0}, challenge.Right: {-1, 0}, challenge.Up: {0, -1}, challenge.Down: {0, 1}}
	moves := []move{{}}
	for _, s := range steps {
		far := (least + 10*r.Float64()) * math.Pi / 180
		moves = append(moves, move{float64(s.At)/1000 + 0.2 + 0.35*r.Float64(), ways[s.Turn][0] * far, ways[s.Turn][1] * far * 0.9})
	}
	phase := r.Float64()
	return func(t time.Duration) (yaw, pitch float64) {
		s := t.Seconds()
		for i := 1; i < len(moves); i++ {
			k := math.Max(0, math.Min(1, (s-moves[i].from)/0.35))
			k = k * k * (3 - 2*k)
			yaw += k * (moves[i].yaw - moves[i-1].yaw)
			pitch += k * (moves[i].pitch - moves[i-1].pitch)
		}
		return yaw + 0.02*math.Sin(5*s+phase), pitch + 0.015*math.Sin(4*s+phase)
	}
}

func spanOf(steps []challenge.Step) time.Duration {
	last := steps[len(steps)-1]
	return time.Duration(last.At+last.For+challenge.TailMS) * time.Millisecond
}

// challenged takes the frames of somebody who answers a challenge.
func challenged(t testing.TB, people *specimen.Portraits, kind specimen.ClipKind, seed int64, steps []challenge.Step, least float64) []Frame {
	t.Helper()
	ids := people.People()
	p, err := people.Person(ids[int(seed)%len(ids)])
	if err != nil {
		t.Fatal(err)
	}
	c, err := specimen.TakeClip(kind, p, specimen.ClipOptions{Seed: seed, Frames: MaxBurstFrames, Span: spanOf(steps), Pose: obeys(steps, uint64(seed), least)})
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

func drawn(t testing.TB) []challenge.Step {
	t.Helper()
	steps, err := challenge.New()
	if err != nil {
		t.Fatal(err)
	}
	return steps
}

func sameTurns(a, b []challenge.Step) bool {
	return slices.EqualFunc(a, b, func(x, y challenge.Step) bool { return x.Turn == y.Turn })
}

// The figures of docs/biometrics.md:
//
//	PROOFLINE_EVAL=50 go test ./liveness -run SimulatedChallenges -v -timeout 60m
//
// Heads, turns and attacks are simulated by the authors of the measure.
func TestAnswersAreToldFromOtherTurnsOnSimulatedChallenges(t *testing.T) {
	n := 1
	if v := os.Getenv("PROOFLINE_EVAL"); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Skip("PROOFLINE_EVAL names a profile, not a number of clips")
		}
	}
	people := portraits(t)
	_, faces := engines(t, "")
	// The bounds of policy/default.yaml.
	const least, most = 3.5, 10
	// Every species but the first answers another challenge than it was given.
	species := []struct {
		name  string
		kind  specimen.ClipKind
		least float64
		right bool
	}{
		{"answers", specimen.LiveClip, 15, true},
		{"other_order", specimen.LiveClip, 15, false},
		{"film_of_another", specimen.FilmClip, 15, false},
		{"moved_print", specimen.PrintClip, 15, false},
		{"hardly_turns", specimen.LiveClip, -5, true},
	}
	if n == 1 {
		species = species[:2]
	}
	var mu sync.Mutex
	response, contrary, alike, none := map[string][]float64{}, map[string][]float64{}, map[string][]float64{}, map[string]int{}
	type job struct{ i, seed int }
	jobs := make(chan job)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for j := range jobs {
				s := species[j.i]
				asked := drawn(t)
				shown := asked
				for !s.right && sameTurns(shown, asked) {
					shown = drawn(t)
				}
				frames := challenged(t, people, s.kind, int64(j.seed), shown, s.least)
				a, err := AssessChallenge(faces, asked, frames)
				closeFrames(frames)
				if err != nil {
					t.Error(err)
					continue
				}
				r, ok := a.Signal(SignalResponse)
				c, _ := a.Signal(SignalContrary)
				same, _ := a.Signal(SignalChallengeFace)
				if os.Getenv("PROOFLINE_CLIPS") != "" {
					t.Logf("%s %d: response %.1f contrary %.1f same %.2f %v %v", s.name, j.seed, r, c, same, a.Findings, a.Responses)
				}
				mu.Lock()
				if !ok {
					none[s.name]++
				} else {
					response[s.name], contrary[s.name], alike[s.name] = append(response[s.name], r), append(contrary[s.name], c), append(alike[s.name], same)
				}
				mu.Unlock()
			}
		})
	}
	for seed := range n {
		for i := range species {
			jobs <- job{i, seed}
		}
	}
	close(jobs)
	wg.Wait()
	passes := map[string]int{}
	for _, s := range species {
		pass, fail := 0, 0
		for i, r := range response[s.name] {
			switch {
			case contrary[s.name][i] > most:
				fail++
			case r >= least:
				pass++
			}
		}
		passes[s.name] = pass
		t.Logf("%-16s pass %v, fail %v, no answer %d of %d; response %v, contrary %v, same face %v", s.name, calibrate.Rate{Errors: pass, Trials: n}, calibrate.Rate{Errors: fail, Trials: n},
			none[s.name], n, spread(response[s.name]), spread(contrary[s.name]), spread(alike[s.name]))
	}
	if passes["answers"] < (9*n+9)/10 {
		t.Errorf("of %d who answered %d pass", n, passes["answers"])
	}
	for _, name := range []string{"other_order", "film_of_another", "moved_print"} {
		if passes[name]*20 > n {
			t.Errorf("%s: %d of %d pass", name, passes[name], n)
		}
	}
}

// spread is the least, the middle and the most.
func spread(v []float64) [3]float64 {
	if len(v) == 0 {
		return [3]float64{}
	}
	round := func(x float64) float64 { return math.Round(x*100) / 100 }
	return [3]float64{round(slices.Min(v)), round(median(v)), round(slices.Max(v))}
}

func TestFramesOfAChallengeThatAreNoneAreFound(t *testing.T) {
	people := portraits(t)
	_, faces := engines(t, "")
	steps := drawn(t)
	live := challenged(t, people, specimen.LiveClip, 3, steps, 14)
	other := simulated(t, people, specimen.LiveClip, 2)
	defer closeFrames(live)
	defer closeFrames(other)
	for name, c := range map[string]struct {
		change func([]Frame) []Frame
		want   string
	}{
		"a repeated frame":   {func(fs []Frame) []Frame { fs[7].Image = fs[2].Image; return fs }, BurstRepeatedFrames},
		"times that go back": {func(fs []Frame) []Frame { fs[7].At = fs[6].At; return fs }, BurstTimeOrder},
		"nothing of a step":  {func(fs []Frame) []Frame { return fs[:16] }, ChallengeGaps},
		"too few":            {func(fs []Frame) []Frame { return fs[:4] }, BurstTooFewFrames},
	} {
		a, err := AssessChallenge(faces, steps, c.change(slices.Clone(live)))
		if err != nil || !slices.Contains(a.Findings, c.want) {
			t.Errorf("%s: %v, %v", name, a.Findings, err)
		}
	}
	// Another person sits down for the second half.
	for i := 12; i < len(live); i++ {
		live[i], other[i-12] = Frame{Image: other[i-12].Image, At: live[i].At}, live[i]
	}
	a, err := AssessChallenge(faces, steps, live)
	if err != nil {
		t.Fatal(err)
	}
	if same, ok := a.Signal(SignalChallengeFace); a.Inconclusive == "" && (!ok || same > 0.5) {
		t.Errorf("another person in the second half: similarity %.2f, %v", same, a.Findings)
	}
	if _, err := AssessChallenge(faces, steps, nil); err == nil {
		t.Error("no frames")
	}
}
