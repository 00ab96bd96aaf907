package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"sync"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
)

type evalFaceCmd struct {
	Cross       []string `help:"Sets in which every image is also compared with every image of another person, which low false match rates need." placeholder:"SET"`
	DET         string   `name:"det" help:"Draw the DET curves of all sets into this file (SVG)." placeholder:"FILE.svg"`
	Calibration string   `help:"Write a calibration of the first --cross set for the policy (JSON)." placeholder:"FILE.json"`
	Name        string   `help:"Name of the calibration." default:"own" placeholder:"NAME"`
	Version     string   `name:"calibration-version" help:"Version of the calibration." default:"1" placeholder:"V"`
	Source      string   `help:"What the data is, in a sentence, for the calibration." default:"own data" placeholder:"TEXT"`
	Rounds      int      `help:"Rounds of the bootstrap by subject." default:"1000"`
	Gate        bool     `help:"Judge every b as the server judges an uploaded selfie, too, and print the rates of those that it takes."`
	evalFlags
}

func (evalFaceCmd) Help() string {
	return "Each row names two files, a (the document's portrait, where there is one) and b, and same (1 or 0). A pair in which no face was found has similarity null: it counts as a non-match and is also reported as failure. Rows of one --cross set are compared all with all. With --gate a table says what the rates are when selfies that the policy asks to take again are not compared: they count as failures to acquire, as in ISO/IEC 19795-1."
}

// faceTargets are the false match rates that tables and calibrations speak of.
var faceTargets = []float64{3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5}

// described caches what an engine says of files, each in up to two roles.
type described struct {
	engine *face.Engine
	read   func(file string) ([]byte, error)
	gate   func(selfie []byte) (policy.GateAnswer, error) // nil: not asked for

	mu   sync.Mutex
	seen map[describedKey]*describedOnce
}

type describedKey struct {
	file     string
	portrait bool
}

type describedOnce struct {
	once sync.Once
	face.Description
	gated policy.GateAnswer
	err   error
}

func (d *described) of(file string, portrait bool) (face.Description, error) {
	o := d.once(file, portrait)
	return o.Description, o.err
}

func (d *described) once(file string, portrait bool) *describedOnce {
	d.mu.Lock()
	o := d.seen[describedKey{file, portrait}]
	if o == nil {
		o = &describedOnce{}
		d.seen[describedKey{file, portrait}] = o
	}
	d.mu.Unlock()
	o.once.Do(func() {
		var b []byte
		if b, o.err = d.read(file); o.err != nil {
			return
		}
		if d.gate != nil && !portrait {
			if o.gated, o.err = d.gate(b); o.err != nil {
				return
			}
		}
		img, err := photo.Decode(b, photo.DefaultLimits)
		if err != nil {
			o.Reason = face.Reason(newFileError(err).Code)
			return
		}
		defer img.Close()
		describe := d.engine.DescribeSelfie
		if portrait {
			describe = d.engine.DescribePortrait
		}
		o.Description, o.err = describe(img.Mat)
	})
	return o
}

func (c *evalFaceCmd) Run(ctx context.Context) error {
	if c.Calibration != "" && len(c.Cross) == 0 {
		return exitError{code: 2, msg: "--calibration needs --cross SET: a pair list is too small for a target of 1 in 1000"}
	}
	rows, err := c.rows("a", "b", "same")
	if err != nil {
		return err
	}
	threshold, err := c.matchThreshold()
	if err != nil {
		return err
	}
	d := &described{read: c.readFile, seen: map[describedKey]*describedOnce{}}
	stop, err := c.open(ctx, d)
	if err != nil {
		return err
	}
	defer stop()
	err = c.each(ctx, "eval face", rows, func(_ context.Context, r *row) error {
		a, err := d.of(r.text("a"), true)
		if err != nil {
			return err
		}
		b := d.once(r.text("b"), false)
		if b.err != nil {
			return b.err
		}
		if c.Gate {
			if err := errors.Join(r.set("accepted", b.gated.Accepted), r.set("codes", b.gated.Codes)); err != nil {
				return err
			}
		}
		return writeComparison(r, d.engine, a, b.Description, threshold)
	})
	if err != nil {
		return err
	}
	bySet := map[string][]calibrate.Trial{}
	for _, r := range rows {
		t := trialOf(r)
		bySet[r.text("set")] = append(bySet[r.text("set")], t)
		bySet["all"] = append(bySet["all"], t)
	}
	crossed := map[string]crossedSet{}
	for _, name := range c.Cross {
		x, err := c.cross(ctx, d, rows, name)
		if err != nil {
			return err
		}
		crossed[name] = x
		bySet[name+" all with all"] = x.trials
	}
	c.print(bySet, threshold)
	if c.Gate {
		printGated(rows, threshold)
	}
	if c.DET != "" {
		if err := os.WriteFile(c.DET, plotDET(bySet, threshold), 0o644); err != nil {
			return fmt.Errorf("write DET curves: %w", err)
		}
	}
	if c.Calibration != "" {
		return c.calibrate(crossed[c.Cross[0]], d.engine)
	}
	return nil
}

// open gives d its engine and, where it is asked for, the gate.
func (c *evalFaceCmd) open(ctx context.Context, d *described) (stop func(), err error) {
	if !c.Gate {
		set, err := c.openModels()
		if err != nil {
			return nil, err
		}
		d.engine, err = face.Open(set)
		if err != nil {
			return nil, err
		}
		return d.engine.Close, nil
	}
	p, err := c.policy()
	if err != nil {
		return nil, err
	}
	engines, err := c.openEngines(c.jobs())
	if err != nil {
		return nil, err
	}
	if engines.Faces == nil {
		engines.Close()
		return nil, engines.Missing["face"]
	}
	d.engine = engines.Faces
	d.gate = func(b []byte) (policy.GateAnswer, error) { return pipeline.Gate(ctx, engines, p, "selfie", b) }
	return func() { engines.Close() }, nil
}

func writeComparison(r *row, engine *face.Engine, a, b face.Description, threshold float64) error {
	var similarity *float64
	var strength float64
	if a.Embedding != nil && b.Embedding != nil {
		s := engine.Similarity(a.Embedding, b.Embedding)
		similarity, strength = &s, min(a.Strength, b.Strength)
	}
	width := math.NaN()
	if a.Face != nil && b.Face != nil {
		width = min(a.Face.Box.W, b.Face.Box.W)
	}
	errs := []error{r.set("similarity", similarity), r.set("strength", strength),
		r.set("reason", firstNonEmpty(string(a.Reason), string(b.Reason))), r.set("match", similarity != nil && *similarity >= threshold)}
	if !math.IsNaN(width) {
		errs = append(errs, r.set("face_px", math.Round(width)))
	}
	return errors.Join(errs...)
}

func trialOf(r *row) calibrate.Trial {
	var same int
	var similarity *float64
	r.get("same", &same)
	r.get("similarity", &similarity)
	t := calibrate.Trial{Same: same == 1, A: firstNonEmpty(r.text("ida"), r.text("a")), B: firstNonEmpty(r.text("idb"), r.text("b"))}
	r.get("strength", &t.Quality)
	if similarity == nil {
		t.Failed = true
	} else {
		t.Score = *similarity
	}
	return t
}

// crossedSet is one set compared all with all.
type crossedSet struct {
	trials []calibrate.Trial
	images int
}

// cross compares every image of a set in the role of a portrait with every image
// of another person in that of a selfie. Genuine trials stay those of the list:
// more of them would be the same few people again.
func (c *evalFaceCmd) cross(ctx context.Context, d *described, rows []*row, name string) (crossedSet, error) {
	who := map[string]string{}
	var out crossedSet
	for _, r := range rows {
		if r.text("set") != name {
			continue
		}
		who[r.text("a")], who[r.text("b")] = r.text("ida"), r.text("idb")
		if t := trialOf(r); t.Same {
			out.trials = append(out.trials, t)
		}
	}
	if len(who) == 0 {
		return out, fmt.Errorf("the manifest has no set %q", name)
	}
	files := make([]string, 0, len(who))
	for f := range who {
		if who[f] == "" {
			return out, fmt.Errorf("set %s: rows need ida and idb to be compared all with all", name)
		}
		files = append(files, f)
	}
	slices.Sort(files)
	bar := newProgress("all with all", len(files))
	next := make(chan string)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for range c.jobs() {
		wg.Go(func() {
			for f := range next {
				for _, portrait := range []bool{true, false} {
					if _, err := d.of(f, portrait); err != nil {
						mu.Lock()
						failed = err
						mu.Unlock()
					}
				}
				bar.add()
			}
		})
	}
	for _, f := range files {
		if ctx.Err() == nil {
			next <- f
		}
	}
	close(next)
	wg.Wait()
	if err := errors.Join(failed, context.Cause(ctx)); err != nil {
		return out, err
	}
	for _, a := range files {
		p, _ := d.of(a, true)
		for _, b := range files {
			if who[a] == who[b] {
				continue
			}
			s, _ := d.of(b, false)
			t := calibrate.Trial{A: who[a], B: who[b], Failed: p.Embedding == nil || s.Embedding == nil}
			if !t.Failed {
				t.Score, t.Quality = d.engine.Similarity(p.Embedding, s.Embedding), min(p.Strength, s.Strength)
			}
			out.trials = append(out.trials, t)
		}
	}
	out.images = len(files)
	return out, nil
}
