package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// stageMean is what one stage took on average during the run.
type stageMean struct {
	Stage  string  `json:"stage"`
	Count  int     `json:"count"`
	MeanMS float64 `json:"mean_ms"`
}

// scrape reads /metrics pages in Prometheus's text format and tells each sample.
// A page that can not be had is left out: load matters more than its picture.
func scrape(ctx context.Context, pages []string, sample func(name, labels string, v float64)) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for _, page := range pages {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, http.NoBody)
		if err != nil {
			continue
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(io.LimitReader(resp.Body, 8<<20))
		for lines.Scan() {
			line := lines.Text()
			i := strings.LastIndexByte(line, ' ')
			if i < 0 || line[0] == '#' {
				continue
			}
			v, err := strconv.ParseFloat(line[i+1:], 64)
			if err != nil {
				continue
			}
			name, labels, _ := strings.Cut(line[:i], "{")
			sample(name, strings.TrimSuffix(labels, "}"), v)
		}
		resp.Body.Close()
	}
}

func scrapeSum(ctx context.Context, pages []string, name string) (sum float64) {
	scrape(ctx, pages, func(n, _ string, v float64) {
		if n == name {
			sum += v
		}
	})
	return sum
}

// scrapeStages returns seconds and counts of stages over all pages.
func scrapeStages(ctx context.Context, pages []string) map[string][2]float64 {
	out := map[string][2]float64{}
	scrape(ctx, pages, func(name, labels string, v float64) {
		stage := strings.Trim(strings.TrimPrefix(labels, "stage="), `"`)
		x := out[stage]
		switch name {
		case "proofline_stage_seconds_sum":
			x[0] += v
		case "proofline_stage_seconds_count":
			x[1] += v
		default:
			return
		}
		out[stage] = x
	})
	return out
}

func stageMeans(before, after map[string][2]float64) []stageMean {
	var out []stageMean
	for _, stage := range slices.Sorted(maps.Keys(after)) {
		if n := after[stage][1] - before[stage][1]; n > 0 {
			out = append(out, stageMean{stage, int(n), (after[stage][0] - before[stage][0]) / n * 1000})
		}
	}
	slices.SortFunc(out, func(a, b stageMean) int { return int(b.MeanMS*1000) - int(a.MeanMS*1000) })
	return out
}

func (r *benchReport) print(w io.Writer) {
	s := r.Setup
	load := fmt.Sprintf("closed loop, %d open at once", s.Clients)
	if s.Loop == "open" {
		load = fmt.Sprintf("open loop, %.1f people a minute", s.PerMinute)
	}
	if s.Loop == "backlog" {
		load = "all submitted before the workers start"
	}
	workers := ""
	if s.Workers > 0 {
		workers = fmt.Sprintf(", %d workers", s.Workers)
	}
	fmt.Fprintf(w, "%s%s, %d cores; %s; mix %s\n\n", s.Server, workers, s.Cores, load, s.Mix)
	fmt.Fprintf(w, "%.1f cases a minute; %d decided, %d lost in %.0f s; %s\n\n", r.Result.PerMinute, r.Result.Cases, r.Result.Failed, r.Result.Seconds, counts(r.Result.Outcomes))
	var rows [][]string
	for _, l := range r.Result.Latencies {
		rows = append(rows, []string{l.Step, fmt.Sprint(l.Count), ms(l.MeanMS), ms(l.P50MS), ms(l.P95MS), ms(l.P99MS), ms(l.MaxMS)})
	}
	table(w, []string{"step", "count", "mean", "p50", "p95", "p99", "most"}, rows)
	if len(r.Stages) > 0 {
		fmt.Fprintln(w)
		rows = nil
		for _, st := range r.Stages {
			rows = append(rows, []string{st.Stage, fmt.Sprint(st.Count), ms(st.MeanMS)})
		}
		table(w, []string{"stage", "count", "mean"}, rows)
	}
	fmt.Fprintln(w)
	rows = nil
	for _, u := range append(slices.Clone(r.Processes), r.Generator) {
		rows = append(rows, []string{u.Name, fmt.Sprintf("%.1f s", u.CPUSeconds), fmt.Sprintf("%.2f", u.Cores), fmt.Sprintf("%.0f MiB", u.PeakMiB), fmt.Sprintf("%.0f MiB", u.EndMiB)})
	}
	table(w, []string{"process", "processor", "cores", "memory peak", "at the end"}, rows)
	if len(r.Result.Errors) > 0 {
		fmt.Fprintf(w, "\nerrors: %s\n", counts(r.Result.Errors))
	}
}

func ms(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.2f s", v/1000)
	}
	return fmt.Sprintf("%.0f ms", v)
}

func counts(m map[string]int) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, fmt.Sprintf("%s %d", k, m[k]))
	}
	return strings.Join(out, ", ")
}
