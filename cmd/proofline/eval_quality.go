package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
)

type evalQualityCmd struct {
	Kind string `help:"What the photos show, unless a row says kind." enum:"document_front,document_back,selfie" default:"document_front"`
	evalFlags
}

func (evalQualityCmd) Help() string {
	return "Each row names a file and labels: good, or what is wrong (blur, glare, dark, …). For every measure and label the table shows how well the measure tells the label's images from the good ones (AUC, folded to 0.5-1)."
}

func (c *evalQualityCmd) Run(ctx context.Context) error {
	rows, err := c.rows("file", "labels")
	if err != nil {
		return err
	}
	p, err := c.policy()
	if err != nil {
		return err
	}
	engines, err := c.openEngines(c.jobs())
	if err != nil {
		return err
	}
	defer engines.Close()
	err = c.each(ctx, "eval quality", rows, func(ctx context.Context, r *row) error {
		b, err := c.read(r, "file")
		if err != nil {
			return err
		}
		a, err := pipeline.Gate(ctx, engines, p, firstNonEmpty(r.text("kind"), c.Kind), b)
		if err != nil {
			return err
		}
		measures, verdicts := map[string]float64{}, map[string]policy.Verdict{}
		for _, f := range a.Findings {
			for _, m := range f.Measures {
				measures[m.Name] = m.Value
				if m.Verdict != "" {
					verdicts[m.Name] = m.Verdict
				}
			}
		}
		for _, kv := range []struct {
			key string
			v   any
		}{{"accepted", a.Accepted}, {"codes", a.Codes}, {"measures", measures}, {"verdicts", verdicts}} {
			if err := r.set(kv.key, kv.v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	printQualityTables(rows)
	return nil
}

// noDocument sets apart the photos of a quality set that show no document:
// that one is refused is no fault of its sharpness.
const noDocument = " (shows no document)"

type qualityRow struct {
	accepted bool
	labels   []string
	measures map[string]float64
}

func printQualityTables(rows []*row) {
	byLabel := map[string][]qualityRow{}
	names := map[string]bool{}
	for _, r := range rows {
		var q qualityRow
		r.get("accepted", &q.accepted)
		r.get("labels", &q.labels)
		r.get("measures", &q.measures)
		for n := range q.measures {
			names[n] = true
		}
		shows := true
		r.get("is_document", &shows)
		for _, l := range q.labels {
			if !shows {
				l += noDocument
			}
			byLabel[l] = append(byLabel[l], q)
		}
	}
	labels := make([]string, 0, len(byLabel))
	for l := range byLabel {
		labels = append(labels, l)
	}
	sort.Strings(labels)

	fmt.Printf("Quality gate, %d images, 95 %% Wilson intervals\n\n", len(rows))
	var lines [][]string
	for _, l := range labels {
		var refused calibrate.Rate
		for _, q := range byLabel[l] {
			refused.Trials++
			if !q.accepted {
				refused.Errors++
			}
		}
		lines = append(lines, []string{l, refused.String()})
	}
	table(os.Stdout, []string{"label", "refused"}, lines)

	if len(byLabel["good"]) == 0 {
		return
	}
	fmt.Printf("\nBest measures per label: AUC against good images\n\n")
	lines = nil
	for _, l := range labels {
		if l == "good" || strings.HasSuffix(l, noDocument) {
			continue
		}
		type scored struct {
			name string
			auc  float64
		}
		var best []scored
		for n := range names {
			var ts []calibrate.Trial
			for _, q := range byLabel["good"] {
				if v, ok := q.measures[n]; ok {
					ts = append(ts, calibrate.Trial{Same: true, Score: v})
				}
			}
			for _, q := range byLabel[l] {
				if v, ok := q.measures[n]; ok && !slices.Contains(q.labels, "good") {
					ts = append(ts, calibrate.Trial{Score: v})
				}
			}
			if auc := calibrate.Of(ts).AUC(); auc == auc {
				best = append(best, scored{n, max(auc, 1-auc)})
			}
		}
		sort.Slice(best, func(i, j int) bool {
			return best[i].auc > best[j].auc || best[i].auc == best[j].auc && best[i].name < best[j].name
		})
		for _, s := range best[:min(3, len(best))] {
			lines = append(lines, []string{l, s.name, fmt.Sprintf("%.4f", s.auc)})
		}
	}
	table(os.Stdout, []string{"label", "measure", "AUC"}, lines)
}
