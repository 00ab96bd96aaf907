package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"time"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// scoreStreams are the score streams that thresholds were set on.
var scoreStreams = []struct{ stage, measure string }{
	{"face", "face.similarity"}, {"liveness", "liveness.score"}, {"quality", "document.sharpness"},
}

type driftCmd struct {
	Recent    time.Duration `help:"The time that is looked at." default:"168h"`
	Baseline  time.Duration `help:"The time before it that is compared with." default:"720h"`
	Simulated bool          `help:"Count simulated cases, too."`
	JSON      bool          `name:"json" help:"Write one JSON object."`
	settings
}

func (driftCmd) Help() string {
	return "Compares the scores of the last days with those before (population stability index, Kolmogorov-Smirnov), and people with the machine and with each other: the share of verdicts against a failed check, and Cohen's kappa over cases that two people judged blindly. A stream counts as moved when chance does not explain it (p < 0.01) and the index is above 0.25. Exit status 3: something moved or disagrees."
}

// driftReport says how scores and people have changed.
type driftReport struct {
	Streams []driftStream `json:"streams"`
	People  driftPeople   `json:"people"`
	// Sample is what people said of automatic decisions without knowing them.
	Sample []driftSample `json:"sample"`
}

type driftSample struct {
	Machine  policy.Outcome `json:"machine"`
	Drawn    int            `json:"drawn"`
	Judged   int            `json:"judged"`
	Disagree int            `json:"disagree"`
	Unclear  int            `json:"unclear"`
	// Share that people disagree with, of those who could tell; null of nothing.
	Share *float64 `json:"share"`
	Low   float64  `json:"share_low"` // of the 95 % interval
	High  float64  `json:"share_high"`
	// Wrong: at a true share of 2 % so many would be there by chance in less than one
	// of a hundred times.
	Wrong bool `json:"wrong"`
}

// wrongShare is what automatic decisions that people disagree with should be below.
// It is a convention and no measurement.
const wrongShare = 0.02

// atLeast is the chance of k or more of n at a share p.
func atLeast(k, n int, p float64) float64 {
	below, term := 0.0, math.Pow(1-p, float64(n))
	for i := range k {
		below += term
		term *= float64(n-i) / float64(i+1) * p / (1 - p)
	}
	return 1 - below
}

func samplesOf(counts []session.SampleCount) []driftSample {
	var out []driftSample
	for _, o := range []policy.Outcome{policy.Approved, policy.Rejected} {
		s, agree := driftSample{Machine: o}, 0
		for _, c := range counts {
			if c.Machine != o {
				continue
			}
			s.Drawn += c.Cases
			switch {
			case c.State != session.SampleJudged:
				continue
			case c.Said == policy.NeedsResubmission:
				s.Unclear += c.Cases
			case c.Said == o:
				agree += c.Cases
			default:
				s.Disagree += c.Cases
			}
			s.Judged += c.Cases
		}
		r := calibrate.Rate{Errors: s.Disagree, Trials: s.Disagree + agree}
		ci := r.Wilson()
		if s.Low, s.High = ci.Low, ci.High; r.Trials > 0 {
			s.Share = new(r.Value())
			s.Wrong = atLeast(s.Disagree, r.Trials, wrongShare) < 0.01
		}
		out = append(out, s)
	}
	return out
}

type driftStream struct {
	Measure  string  `json:"measure"`
	Baseline int     `json:"baseline"`
	Recent   int     `json:"recent"`
	PSI      float64 `json:"psi"`
	KS       float64 `json:"ks"`
	P        float64 `json:"p"`
	Moved    bool    `json:"moved"`
	Thin     bool    `json:"thin,omitempty"` // fewer than 100 scores: nothing is said
}

type driftPeople struct {
	Votes          int64 `json:"votes"`
	Overrides      int64 `json:"overrides"`
	BeforeVotes    int64 `json:"before_votes"`
	BeforeOverride int64 `json:"before_overrides"`
	// Rose: verdicts against a failed check are more frequent than before by more
	// than chance explains (two proportions, one-sided, 1 %).
	Rose  bool `json:"rose"`
	Pairs int  `json:"pairs"`
	// Kappa is null where no two people judged a case, or chance alone would agree.
	Kappa *float64 `json:"kappa"`
	Low   *float64 `json:"kappa_low"` // of the 95 % interval
	High  *float64 `json:"kappa_high"`
	// Apart: the whole interval lies below 0.6.
	Apart bool `json:"apart"`
}

// weakKappa is what reviewers should be above: "substantial" agreement begins at
// 0.6 in the scale of Landis and Koch (1977), a convention and no measurement.
const weakKappa = 0.6

func (r driftReport) alarm() bool {
	for _, s := range r.Streams {
		if s.Moved {
			return true
		}
	}
	for _, s := range r.Sample {
		if s.Wrong {
			return true
		}
	}
	return r.People.Rose || r.People.Apart
}

func drift(ctx context.Context, store *session.Store, now time.Time, recent, baseline time.Duration, simulated bool) (driftReport, error) {
	var r driftReport
	from := now.Add(-recent)
	for _, w := range scoreStreams {
		old, err := store.ScoreStream(ctx, w.stage, w.measure, from.Add(-baseline), from, simulated)
		if err != nil {
			return r, err
		}
		fresh, err := store.ScoreStream(ctx, w.stage, w.measure, from, now, simulated)
		if err != nil {
			return r, err
		}
		s := driftStream{Measure: w.measure, Baseline: len(old), Recent: len(fresh)}
		switch d, err := calibrate.DriftOf(old, fresh); {
		case errors.Is(err, calibrate.ErrThin):
			s.Thin = true
		case err != nil:
			return r, fmt.Errorf("compare %s: %w", w.measure, err)
		default:
			s.PSI, s.KS, s.P, s.Moved = d.PSI, d.KS, d.P, d.Moved()
		}
		r.Streams = append(r.Streams, s)
	}
	p := &r.People
	var err error
	if p.Votes, p.Overrides, err = store.Overrides(ctx, from, now, simulated); err != nil {
		return r, err
	}
	if p.BeforeVotes, p.BeforeOverride, err = store.Overrides(ctx, from.Add(-baseline), from, simulated); err != nil {
		return r, err
	}
	before := policy.Arm{Rejected: int(p.BeforeOverride), Approved: int(p.BeforeVotes - p.BeforeOverride)}
	after := policy.Arm{Rejected: int(p.Overrides), Approved: int(p.Votes - p.Overrides)}
	p.Rose = policy.StopRules{MinCases: 30}.Checks(before, after)[1].Stop
	pairs, err := store.BlindPairs(ctx, from.Add(-baseline), simulated) // a sample is small: the whole time
	if err != nil {
		return r, err
	}
	var a, b []policy.Outcome
	for _, x := range pairs {
		a, b = append(a, x.First), append(b, x.Second)
	}
	k, err := calibrate.Agreement(a, b)
	if err != nil {
		return r, err
	}
	if p.Pairs = k.Cases; !math.IsNaN(k.Kappa) {
		p.Kappa, p.Low, p.High = &k.Kappa, &k.Interval.Low, &k.Interval.High
		p.Apart = k.Interval.High < weakKappa
	}
	counts, err := store.SampleCounts(ctx, from.Add(-baseline), simulated)
	if err != nil {
		return r, err
	}
	r.Sample = samplesOf(counts)
	return r, nil
}

func (c *driftCmd) Run(ctx context.Context) error {
	if c.Recent < time.Hour || c.Baseline < time.Hour {
		return exitError{code: 2, msg: "--recent and --baseline must be at least 1h"}
	}
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	r, err := drift(ctx, store, time.Now(), c.Recent, c.Baseline, c.Simulated)
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(os.Stdout, r)
	} else {
		r.print()
	}
	if r.alarm() {
		return errors.Join(err, exitError{code: 3})
	}
	return err
}

func verb(o policy.Outcome) string {
	return map[policy.Outcome]string{policy.Approved: "approve", policy.Rejected: "reject"}[o]
}

func (r driftReport) print() {
	var rows [][]string
	for _, s := range r.Streams {
		row := []string{s.Measure, strconv.Itoa(s.Baseline), strconv.Itoa(s.Recent), "", "", "", "too few to say"}
		if !s.Thin {
			word := "as before"
			if s.Moved {
				word = "MOVED"
			}
			row = append(row[:3], fmt.Sprintf("%.3f", s.PSI), fmt.Sprintf("%.3f", s.KS), fmt.Sprintf("%.2g", s.P), word)
		}
		rows = append(rows, row)
	}
	table(os.Stdout, []string{"measure", "before", "recent", "psi", "ks", "p", ""}, rows)
	for _, s := range r.Sample {
		if s.Share == nil {
			fmt.Printf("no automatic decision to %s was judged blindly (%d drawn)\n", verb(s.Machine), s.Drawn)
			continue
		}
		word := ""
		if s.Wrong {
			word = ": TOO MANY"
		}
		fmt.Printf("%d automatic decisions to %s were judged blindly, people disagree with %d: %.1f %% (95 %% %.1f to %.1f)%s\n", s.Judged, verb(s.Machine), s.Disagree, 100**s.Share, 100*s.Low, 100*s.High, word)
	}
	p := r.People
	fmt.Printf("\n%d of %d verdicts went against a failed check (before: %d of %d)", p.Overrides, p.Votes, p.BeforeOverride, p.BeforeVotes)
	if p.Rose {
		fmt.Print(": MORE than chance explains")
	}
	fmt.Println()
	if p.Kappa == nil {
		fmt.Printf("%d cases were judged twice blindly: nothing can be said of agreement\n", p.Pairs)
		return
	}
	word := ""
	if p.Apart {
		word = ": reviewers DISAGREE"
	}
	fmt.Printf("%d cases were judged twice blindly: kappa %.2f (95 %% %.2f to %.2f)%s\n", p.Pairs, *p.Kappa, *p.Low, *p.High, word)
}
