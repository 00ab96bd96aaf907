package calibrate

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// Report is what one set of comparisons says.
type Report struct {
	Set         string      `json:"set"`
	Subjects    int         `json:"subjects"`
	Genuine     int         `json:"genuine"`
	Impostor    int         `json:"impostor"`
	Failures    Rate        `json:"failures"`
	AUC         float64     `json:"auc"`
	AUCInterval Interval    `json:"auc_95"`
	EER         float64     `json:"eer"`
	At          []Operating `json:"operating_points"`
	// FNMRIntervals belong to At: by subject, at that fixed threshold.
	FNMRIntervals []Interval `json:"fnmr_95"`
}

// fewSubjects is the number of people below which resampling them says nothing.
const fewSubjects = 10

// Summarise evaluates one set at the thresholds of the given target false
// match rates, with intervals from rounds of resampling subjects. With fewer
// than ten people there are none: not-a-number.
func Summarise(set string, trials []Trial, targets []float64, rounds int) Report {
	s := Of(trials)
	r := Report{
		Set: set, Subjects: People(trials), Genuine: s.Genuine(), Impostor: s.Impostor(), Failures: s.Failures(),
		AUC: s.AUC(), EER: s.EER(),
	}
	by := func(statistic func(*Scores) float64) Interval {
		if r.Subjects < fewSubjects {
			return Interval{math.NaN(), math.NaN()}
		}
		return BySubject(trials, rounds, 1, statistic)
	}
	r.AUCInterval = by((*Scores).AUC)
	for _, target := range targets {
		o, ok := s.AtFMR(target)
		if !ok {
			continue
		}
		r.At = append(r.At, o)
		r.FNMRIntervals = append(r.FNMRIntervals, by(func(s *Scores) float64 { return s.FNMR(o.Threshold).Value() }))
	}
	return r
}

// People counts the subjects of trials.
func People(trials []Trial) int {
	seen := map[string]bool{}
	for _, t := range trials {
		seen[t.A], seen[t.B] = true, true
	}
	return len(seen)
}

// AtThreshold is the operating point at a threshold that was fixed beforehand,
// for example on another set.
func (s *Scores) AtThreshold(t float64) Operating {
	fmr := s.FMR(t)
	return Operating{Target: fmr.Value(), Threshold: t, FMR: fmr, FNMR: s.FNMR(t), Supported: true}
}

// WriteTable prints reports for people, one line a set and operating point.
// A target that the data is too small to prove is marked with an asterisk.
func WriteTable(w io.Writer, reports []Report) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "set\tpeople\tgenuine\timpostor\tfailed\tAUC (95 %)\tEER\ttarget FMR\tthreshold\tFMR\tFNMR (95 % by subject)")
	for _, r := range reports {
		head := fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%.4f%s\t%.2f %%", r.Set, r.Subjects, r.Genuine, r.Impostor,
			r.Failures.Errors, r.AUC, r.AUCInterval.text("%.4f–%.4f", 1), 100*r.EER)
		if len(r.At) == 0 {
			fmt.Fprintln(t, head)
		}
		for i, o := range r.At {
			mark := ""
			if !o.Supported {
				mark = "*"
			}
			fmt.Fprintf(t, "%s\t%g%s\t%.3f\t%d/%d\t%.2f %%%s\n", head, o.Target, mark, o.Threshold,
				o.FMR.Errors, o.FMR.Trials, 100*o.FNMR.Value(), r.FNMRIntervals[i].text("%.2f–%.2f %%", 100))
			head = "\t\t\t\t\t\t"
		}
	}
	return t.Flush()
}

// text is the interval in brackets, nothing when there is none.
func (i Interval) text(format string, scale float64) string {
	if math.IsNaN(i.Low) || math.IsNaN(i.High) {
		return ""
	}
	return " (" + fmt.Sprintf(format, scale*i.Low, scale*i.High) + ")"
}
