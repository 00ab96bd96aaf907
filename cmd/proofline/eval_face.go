package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/photo"
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
	evalFlags
}

func (evalFaceCmd) Help() string {
	return "Each row names two files, a (the document's portrait, where there is one) and b, and same (1 or 0). A pair in which no face was found has similarity null: it counts as a non-match and is also reported as failure. Rows of one --cross set are compared all with all."
}

// faceTargets are the false match rates that tables and calibrations speak of.
var faceTargets = []float64{3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 1e-5}

// described caches what an engine says of files, each in up to two roles.
type described struct {
	engine *face.Engine
	read   func(file string) ([]byte, error)

	mu   sync.Mutex
	seen map[describedKey]*describedOnce
}

type describedKey struct {
	file     string
	portrait bool
}

type describedOnce struct {
	once sync.Once
	d    face.Description
	err  error
}

func (d *described) of(file string, portrait bool) (face.Description, error) {
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
		img, err := photo.Decode(b, photo.DefaultLimits)
		if err != nil {
			o.d.Reason = face.Reason(newFileError(err).Code)
			return
		}
		defer img.Close()
		describe := d.engine.DescribeSelfie
		if portrait {
			describe = d.engine.DescribePortrait
		}
		o.d, o.err = describe(img.Mat)
	})
	return o.d, o.err
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
	set, err := c.openModels()
	if err != nil {
		return err
	}
	engine, err := face.Open(set)
	if err != nil {
		return err
	}
	defer engine.Close()
	d := &described{engine: engine, read: c.readFile, seen: map[describedKey]*describedOnce{}}
	err = c.each(ctx, "eval face", rows, func(_ context.Context, r *row) error {
		a, err := d.of(r.text("a"), true)
		if err != nil {
			return err
		}
		b, err := d.of(r.text("b"), false)
		if err != nil {
			return err
		}
		return writeComparison(r, a, b, threshold)
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
	if c.DET != "" {
		if err := os.WriteFile(c.DET, plotDET(bySet, threshold), 0o644); err != nil {
			return fmt.Errorf("write DET curves: %w", err)
		}
	}
	if c.Calibration != "" {
		return c.calibrate(crossed[c.Cross[0]], engine)
	}
	return nil
}

func writeComparison(r *row, a, b face.Description, threshold float64) error {
	var similarity *float64
	var strength float64
	if a.Embedding != nil && b.Embedding != nil {
		s := face.Similarity(a.Embedding, b.Embedding)
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
				t.Score, t.Quality = face.Similarity(p.Embedding, s.Embedding), min(p.Strength, s.Strength)
			}
			out.trials = append(out.trials, t)
		}
	}
	out.images = len(files)
	return out, nil
}

// print writes the tables: rates at the policy's threshold and at targets, then
// by band of strength.
func (c *evalFaceCmd) print(bySet map[string][]calibrate.Trial, threshold float64) {
	fmt.Printf("Face comparison, policy threshold %.3f, 95 %% intervals by resampling people (%d rounds)\n\n", threshold, c.Rounds)
	var lines, targets, bands [][]string
	for _, name := range setNames(bySet) {
		trials := bySet[name]
		s := calibrate.Of(trials)
		auc := fmt.Sprintf("%.4f", s.AUC())
		if len(trials) <= 20_000 && calibrate.People(trials) >= fewPeople {
			auc += span(calibrate.BySubject(trials, min(c.Rounds, 300), 1, (*calibrate.Scores).AUC), 1, 4)
		}
		at := c.intervals(trials, threshold)
		lines = append(lines, []string{name, fmt.Sprint(calibrate.People(trials)), fmt.Sprint(s.Genuine()), fmt.Sprint(s.Impostor()), auc, percent(s.EER(), 2),
			rate(s.FMR(threshold), at.FMR, 3), rate(s.FNMR(threshold), at.FNMR, 2), s.Failures().String()})
		pairs := calibrate.Pairs(trials)
		for _, target := range faceTargets {
			if float64(pairs)*target < 3 {
				continue // rule of 3: the set can not prove it
			}
			o, ok := s.AtFMR(target)
			if !ok {
				continue
			}
			iv := c.intervals(trials, o.Threshold)
			targets = append(targets, []string{name, fmt.Sprintf("%g", target), fmt.Sprintf("%.3f", o.Threshold), rate(o.FMR, iv.FMR, 3), rate(o.FNMR, iv.FNMR, 2)})
		}
		if len(trials) >= 300 {
			bands = append(bands, c.bandLines(name, trials, threshold)...)
		}
	}
	table(os.Stdout, []string{"set", "people", "genuine", "impostor", "AUC", "EER", "FMR", "FNMR", "no face"}, lines)
	fmt.Print("\nTargets that the number of pairs of people can prove (rule of 3)\n\n")
	table(os.Stdout, []string{"set", "target FMR", "threshold", "FMR", "FNMR"}, targets)
	fmt.Print("\nBy strength of the weaker face's embedding, in thirds of the genuine pairs\n\n")
	table(os.Stdout, []string{"set", "strength", "genuine", "impostor", "FMR", "FNMR"}, bands)
}

// thirds cuts the genuine trials' quality into three parts of equal size.
func thirds(trials []calibrate.Trial) []float64 {
	var q []float64
	for _, t := range trials {
		if t.Same && !t.Failed {
			q = append(q, t.Quality)
		}
	}
	if len(q) < 3 {
		return nil
	}
	slices.Sort(q)
	cut := func(v float64) float64 { return math.Round(v*100) / 100 }
	return []float64{0, cut(q[len(q)/3]), cut(q[2*len(q)/3]), bandEnd}
}

// bandEnd stands for no upper end; JSON has no infinity.
const bandEnd = 1e6

func inBand(trials []calibrate.Trial, from, to float64) []calibrate.Trial {
	var out []calibrate.Trial
	for _, t := range trials {
		if !t.Failed && t.Quality >= from && t.Quality < to {
			out = append(out, t)
		}
	}
	return out
}

// fewPeople is the number below which resampling them says nothing.
const fewPeople = 10

func (c *evalFaceCmd) intervals(trials []calibrate.Trial, threshold float64) calibrate.RateIntervals {
	if calibrate.People(trials) < fewPeople {
		nan := calibrate.Interval{Low: math.NaN(), High: math.NaN()}
		return calibrate.RateIntervals{FMR: nan, FNMR: nan}
	}
	return calibrate.RatesBySubject(trials, []float64{threshold}, c.Rounds, 1)[0]
}

func (c *evalFaceCmd) bandLines(name string, trials []calibrate.Trial, threshold float64) [][]string {
	var out [][]string
	cuts := thirds(trials)
	for i := range max(0, len(cuts)-1) {
		part := inBand(trials, cuts[i], cuts[i+1])
		s := calibrate.Of(part)
		iv := c.intervals(part, threshold)
		label := fmt.Sprintf("%.2f–%.2f", cuts[i], cuts[i+1])
		if cuts[i+1] == bandEnd {
			label = fmt.Sprintf("from %.2f", cuts[i])
		}
		out = append(out, []string{name, label, fmt.Sprint(s.Genuine()), fmt.Sprint(s.Impostor()), rate(s.FMR(threshold), iv.FMR, 3), rate(s.FNMR(threshold), iv.FNMR, 2)})
	}
	return out
}

func percent(v float64, digits int) string { return fmt.Sprintf("%.*f %%", digits, 100*v) }

// rate is a rate with its counts and its interval by subject. Without an error
// resampling gives no width: the rule of 3 speaks instead.
func rate(r calibrate.Rate, by calibrate.Interval, digits int) string {
	if r.Trials == 0 {
		return "no trials"
	}
	out := fmt.Sprintf("%s (%d/%d", percent(r.Value(), digits), r.Errors, r.Trials)
	switch {
	case r.Errors == 0:
		return out + fmt.Sprintf(", at most %.2g %% by the rule of 3)", 100*r.RuleOf3())
	case math.IsNaN(by.Low):
		return out + ")"
	}
	return out + fmt.Sprintf(", %.*f–%.*f)", digits, 100*by.Low, digits, 100*by.High)
}

func span(i calibrate.Interval, scale float64, digits int) string {
	if math.IsNaN(i.Low) {
		return ""
	}
	return fmt.Sprintf(" (%.*f–%.*f)", digits, scale*i.Low, digits, scale*i.High)
}

// matchThreshold is the similarity from which the policy takes two faces for
// the same person.
func (e engineSettings) matchThreshold() (float64, error) {
	p, err := e.policy()
	if err != nil {
		return 0, err
	}
	t, ok := p.Cell(policy.Context{}).PassBound("face.similarity", "case")
	if !ok {
		return 0, fmt.Errorf("policy %s has no threshold for face.similarity", p.Name)
	}
	return t, nil
}

// setNames sorts sets by name with "all" last.
func setNames[T any](m map[string]T) []string {
	var names []string
	for k := range m {
		if k != "all" {
			names = append(names, k)
		}
	}
	slices.SortFunc(names, strings.Compare)
	if _, ok := m["all"]; ok && len(names) != 1 {
		names = append(names, "all")
	}
	return names
}
