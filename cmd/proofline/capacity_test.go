package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/load"
)

func writeBench(t *testing.T, r benchReport) string {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "bench.json", b)
}

var oneByOne = benchReport{
	Setup:     benchSetup{Server: "embedded", Workers: 1, Loop: "closed", Clients: 1},
	Result:    load.Result{Cases: 10, Latencies: []load.Latency{{Step: load.Decision, Count: 10, MeanMS: 1500, CV: 0.3}}},
	Stages:    []stageMean{{"ocr", 10, 1000}, {"mrz", 10, 400}},
	Processes: []load.Usage{{Name: "up", CPUSeconds: 17, PeakMiB: 300}},
	Photos:    map[string]int{"passport": 1_500_000},
}

func TestCapacityPlansFromAMeasurementAndComparesWithOthers(t *testing.T) {
	from := writeBench(t, oneByOne)
	open := oneByOne
	open.Setup.Loop, open.Setup.PerMinute, open.Result.PerMinute = "open", 26, 24 // fewer came than were asked for
	check := writeBench(t, open)
	out, err := program("capacity", "--json", "--from", from, "--check", check).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var r struct {
		Cost struct {
			API float64 `json:"api_seconds"`
		} `json:"cost"`
		Plans []struct {
			Workers int     `json:"worker_cores"`
			Stores  int     `json:"stores"`
			Wait    float64 `json:"wait_p95_seconds"`
		} `json:"plans"`
		Checks []comparison `json:"checks"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if r.Cost.API < 0.29 || r.Cost.API > 0.31 { // 1.7 s of processor, 1.4 of them in stages
		t.Errorf("API %g s", r.Cost.API)
	}
	if len(r.Plans) != 3 || r.Plans[0].Workers > 3 || r.Plans[2].Workers < 5208 || r.Plans[2].Stores < 17 || r.Plans[2].Wait > 6 {
		t.Errorf("%+v", r.Plans)
	}
	if len(r.Checks) != 1 || math.Abs(r.Checks[0].Use-0.6) > 1e-9 || r.Checks[0].PredictedMean < 2.2 || r.Checks[0].PredictedMean > 3.2 {
		t.Errorf("%+v", r.Checks) // Pollaczek and Khinchine: 1.5 + 1.23 s
	}
	text, err := program("capacity", "--from", from, "--check", check).Output()
	if err != nil || !strings.Contains(string(text), "48000 cases a day for each core") {
		t.Errorf("%v:\n%s", err, text)
	}
	for want, args := range map[string][]string{
		"is no output of":       {"--from", write(t, "x.json", []byte("{}"))},
		"is no number of":       {"--from", from, "--cases-per-day", "many"},
		"the peak is 1 to 24":   {"--from", from, "--peak", "Inf"},
		"was not measured with": {"--from", from, "--check", from},
	} {
		out, err := program(append([]string{"capacity"}, args...)...).CombinedOutput()
		if exitCode(err) != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%v: exit status %d: %s", args, exitCode(err), out)
		}
	}
}

// TestCapacityTables measures and writes the tables of docs/capacity.md. It is
// no test of behaviour and runs only when it is asked to: PROOFLINE_CAPACITY is
// how many cases each point has, best on a machine that does nothing else.
// scripts/capacity.sh runs it.
func TestCapacityTables(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("PROOFLINE_CAPACITY"))
	if err != nil || n < 1 {
		t.Skip("PROOFLINE_CAPACITY=100 measures the tables of docs/capacity.md, in about half an hour on two cores")
	}
	keep := os.Getenv("PROOFLINE_CAPACITY_OUT")
	if keep == "" {
		keep = t.TempDir()
	}
	cases := fmt.Sprint(n)
	var closed []benchReport
	var checks []comparison
	var base benchReport
	setups := []struct {
		name  string
		stack func() (flags, env []string)
	}{
		{"embedded", func() ([]string, []string) { return nil, nil }},
		{"redis+postgres+s3", func() ([]string, []string) { return stack(t) }},
	}
	for _, s := range setups {
		measure := func(name string, args ...string) (benchReport, string) {
			flags, env := s.stack()
			r, _ := runBench(t, env, append(flags, args...)...)
			path := filepath.Join(keep, s.name+"-"+name+".json")
			b, err := json.Marshal(r)
			if err == nil {
				err = os.WriteFile(path, b, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %s: %.1f cases a minute, %d lost", s.name, name, r.Result.PerMinute, r.Result.Failed)
			if r.Result.Failed > 0 {
				t.Errorf("%s %s: %d cases were lost: %v", s.name, name, r.Result.Failed, r.Result.Errors)
			}
			return r, path
		}
		alone, _ := measure("alone", "--workers", "1", "--clients", "1", "--cases", cases)
		if s.name == "embedded" {
			base = alone
		}
		best := map[int]float64{}
		for _, w := range []int{1, 2, 4} {
			r, _ := measure(fmt.Sprintf("closed-%d", w), "--workers", fmt.Sprint(w), "--cases", cases)
			closed, best[w] = append(closed, r), r.Result.PerMinute
		}
		for _, use := range []float64{0.5, 0.75} {
			rate := use * 60000 / alone.step(load.Decision).MeanMS
			r, path := measure(fmt.Sprintf("open-%.0f", use*100), "--workers", "1", "--rate", fmt.Sprintf("%.2f", rate), "--cases", cases)
			x, err := compareBench(path, alone.cost())
			if err != nil {
				t.Fatal(err)
			}
			checks = append(checks, x)
			closed = append(closed, r)
		}
		if s.name != "embedded" {
			for _, w := range []int{1, 2} {
				r, _ := measure(fmt.Sprintf("backlog-%d", w), "--workers", fmt.Sprint(w), "--cases", cases, "--backlog")
				closed = append(closed, r)
			}
		}
	}
	var tables bytes.Buffer
	fmt.Fprintf(&tables, "Measured %s with %s, %d cases a point, mix `%s`, %d cores shared with the load generator and all servers.\n\n", time.Now().UTC().Format("2006-01"), version, n, base.Setup.Mix, base.Setup.Cores)
	capacityTables(&tables, base, closed, checks)
	writeBetween(t, "../../docs/capacity.md", "measured", tables.String())
	var plan bytes.Buffer
	out, err := program("capacity", "--from", filepath.Join(keep, "embedded-alone.json")).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	fmt.Fprintf(&plan, "```\n%s```\n", out)
	writeBetween(t, "../../docs/capacity.md", "plan", plan.String())
}

func capacityTables(w *bytes.Buffer, base benchReport, runs []benchReport, checks []comparison) {
	w.WriteString("| server | workers | load | cases a minute | decision p50, p95, p99 | whole case p50, p95, p99 | upload p50, p95, p99 | lost, errors | cores: servers | memory: servers |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	three := func(l load.Latency) string { return ms(l.P50MS) + ", " + ms(l.P95MS) + ", " + ms(l.P99MS) }
	for _, r := range append([]benchReport{base}, runs...) {
		how := fmt.Sprintf("closed, %d", r.Setup.Clients)
		if r.Setup.Loop == "open" {
			how = fmt.Sprintf("open, %.1f a minute", r.Setup.PerMinute)
		}
		if r.Setup.Loop == "backlog" {
			how = "backlog"
		}
		cores, mib, errs := 0.0, 0.0, 0
		for _, p := range r.Processes {
			cores, mib = cores+p.Cores, mib+p.PeakMiB
		}
		for _, n := range r.Result.Errors {
			errs += n
		}
		fmt.Fprintf(w, "| %s | %d | %s | %.1f | %s | %s | %s | %d, %d | %.2f | %.0f MiB |\n", r.Setup.Server, r.Setup.Workers, how, r.Result.PerMinute,
			three(r.step(load.Decision)), three(r.step(load.Whole)), three(r.step(load.Upload)), r.Result.Failed, errs, cores, mib)
	}
	w.WriteString("\nThe stages of one case, one at a time:\n\n| stage | mean |\n| --- | --- |\n")
	for _, s := range base.Stages {
		fmt.Fprintf(w, "| %s | %s |\n", s.Stage, ms(s.MeanMS))
	}
	w.WriteString("\nThe model beside open loops of one worker:\n\n| server | a minute | used | cases | mean: model, measured | p95: model, measured |\n| --- | --- | --- | --- | --- | --- |\n")
	for _, x := range checks {
		fmt.Fprintf(w, "| %s | %.1f | %.0f %% | %d | %.2f s, %.2f s | %.2f s, %.2f s |\n", x.measuredServer, x.PerMinute, x.Use*100, x.MeasuredCases, x.PredictedMean, x.MeasuredMean, x.PredictedP95, x.MeasuredP95)
	}
}

// writeBetween replaces what stands between <!-- name --> and <!-- /name -->.
func writeBetween(t *testing.T, file, name, text string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(b), "<!-- "+name+" -->\n")
	_, foot, ok2 := strings.Cut(rest, "<!-- /"+name+" -->")
	if !ok || !ok2 {
		t.Fatalf("%s has no markers %s", file, name)
	}
	if err := os.WriteFile(file, []byte(head+"<!-- "+name+" -->\n"+text+"<!-- /"+name+" -->"+foot), 0o644); err != nil {
		t.Fatal(err)
	}
}
