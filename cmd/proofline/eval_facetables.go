package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/policy"
)

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
