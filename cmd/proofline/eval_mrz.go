package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sort"
	"time"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/mrz/reader"
	"github.com/proofline/proofline/photo"
)

type evalMRZCmd struct{ evalFlags }

func (evalMRZCmd) Help() string {
	return "Each row names a file and mrz, the printed lines (empty or null when there is no zone). Exact means that every character of every line is right, also when the printed document itself breaks its check digits. False-valid counts zones that differ from the print and were called valid."
}

func (c *evalMRZCmd) Run(ctx context.Context) error {
	rows, err := c.rows("file", "mrz")
	if err != nil {
		return err
	}
	rd, err := c.openReader(c.jobs())
	if err != nil {
		return err
	}
	defer rd.Close()
	err = c.each(ctx, "eval mrz", rows, func(ctx context.Context, r *row) error {
		start := time.Now()
		res, err := c.readZone(ctx, rd, r)
		if err != nil {
			return err
		}
		took := time.Since(start)
		for _, kv := range []struct {
			key string
			v   any
		}{{"found", res.Found}, {"lines", orEmpty(res.Lines)}, {"valid", res.Valid}, {"duration_ms", milliseconds(took)}} {
			if err := r.set(kv.key, kv.v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	printMRZTable(rows)
	return nil
}

// readZone reads the row's file; a file that is no usable photo has no zone.
func (c *evalMRZCmd) readZone(ctx context.Context, rd *reader.Reader, r *row) (*reader.Result, error) {
	b, err := c.read(r, "file")
	if err != nil {
		return nil, err
	}
	img, err := photo.Decode(b, photo.DefaultLimits)
	if err != nil {
		return &reader.Result{}, nil
	}
	defer img.Close()
	return rd.Read(ctx, img.Mat)
}

type mrzTally struct {
	exact, negatives calibrate.Rate
	wrong            int
	falseValid       int
	ms               []float64
}

func printMRZTable(rows []*row) {
	sets := map[string]*mrzTally{}
	for _, r := range rows {
		var truth, lines []string
		var found, valid bool
		var ms float64
		r.get("mrz", &truth)
		r.get("lines", &lines)
		r.get("found", &found)
		r.get("valid", &valid)
		r.get("duration_ms", &ms)
		for _, name := range []string{r.text("set"), "all"} {
			t := sets[name]
			if t == nil {
				t = &mrzTally{}
				sets[name] = t
			}
			t.ms = append(t.ms, ms)
			exact := slices.Equal(truth, lines)
			if valid && !exact {
				t.falseValid++
			}
			if len(truth) == 0 {
				t.negatives.Trials++
				if found {
					t.negatives.Errors++
				}
				continue
			}
			t.exact.Trials++
			if exact {
				t.exact.Errors++ // counted as successes here: the rate is of exact reads
			} else if found {
				t.wrong++
			}
		}
	}
	fmt.Printf("MRZ reading, %d images, 95 %% Wilson intervals\n\n", len(rows))
	var lines [][]string
	for _, name := range setNames(sets) {
		t := sets[name]
		sort.Float64s(t.ms)
		exact, negatives := "–", "–"
		if t.exact.Trials > 0 {
			exact = t.exact.String()
		}
		if t.negatives.Trials > 0 {
			negatives = fmt.Sprintf("%d/%d", t.negatives.Errors, t.negatives.Trials)
		}
		lines = append(lines, []string{name, exact, fmt.Sprint(t.wrong), fmt.Sprint(t.falseValid), negatives, fmt.Sprintf("%.0f ms", t.ms[len(t.ms)/2])})
	}
	table(os.Stdout, []string{"set", "exact", "read wrong", "false-valid", "found on negatives", "median"}, lines)
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
