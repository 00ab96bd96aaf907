package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/proofline/proofline/internal/capacity"
	"github.com/proofline/proofline/internal/load"
)

type capacityCmd struct {
	From         string   `required:"" help:"What one case costs: the output of proofline bench --json --workers 1 --clients 1 on your machine and photos." placeholder:"BENCH.json"`
	CasesPerDay  []string `help:"Cases a day to plan for; k and M are thousands and millions." default:"10k,1M,100M"`
	Check        []string `help:"Other outputs of bench --json --rate …: the model's prediction beside what was measured." placeholder:"BENCH.json"`
	Peak         float64  `help:"The busiest hour's rate over the day's mean, 1 to 24." default:"3"`
	Wait         float64  `help:"Seconds within which 95 of 100 cases are to be begun." default:"5"`
	CoresPerHost int      `help:"Cores of one machine." default:"16"`
	StoreRate    float64  `help:"Cases a second that one session store takes. The default is what go test ./pipeline -bench Cases gives on two cores." default:"200"`
	RetainDays   float64  `help:"Days that photos are kept." default:"30"`
	JSON         bool     `name:"json" help:"Write one JSON object."`
}

func (capacityCmd) Help() string {
	return "Sizes a system from a measurement: cases come at random and wait for worker cores (an M/G/c queue); the waiting times are simulated. docs/capacity.md says what the model leaves out and holds it against measured points."
}

func readBench(path string) (r benchReport, err error) {
	f, err := os.Open(path)
	if err != nil {
		return r, fmt.Errorf("read measurement: %w", err)
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, 64<<20)).Decode(&r); err != nil || len(r.Result.Latencies) == 0 {
		return r, exitError{code: 2, msg: fmt.Sprintf("%s is no output of proofline bench --json", path)}
	}
	return r, nil
}

func (r *benchReport) step(name string) load.Latency {
	for _, l := range r.Result.Latencies {
		if l.Step == name {
			return l
		}
	}
	return load.Latency{}
}

// cost is what one case cost in a run without waiting.
func (r *benchReport) cost() capacity.Cost {
	d, n := r.step(load.Decision), float64(max(r.Result.Cases, 1))
	c := capacity.Cost{ServiceSeconds: d.MeanMS / 1000, ServiceCV: d.CV}
	stages := 0.0
	for _, s := range r.Stages {
		stages += s.MeanMS / 1000 * float64(s.Count) / n
	}
	for _, p := range r.Processes {
		switch {
		case p.Name == "serve":
			c.APISeconds = p.CPUSeconds / n
		case p.Name == "up": // what the stages did not use
			c.APISeconds = max(0, p.CPUSeconds/n-stages)
			c.WorkerMiB = p.PeakMiB
		case strings.HasPrefix(p.Name, "worker"):
			c.WorkerMiB = max(c.WorkerMiB, p.PeakMiB)
		}
	}
	for _, size := range r.Photos {
		c.EvidenceMB += float64(size) / 1e6 / float64(len(r.Photos))
	}
	return c
}

// comparison is one measured point beside the model's.
type comparison struct {
	File           string  `json:"file"`
	PerMinute      float64 `json:"per_minute"`
	Workers        int     `json:"workers"`
	Use            float64 `json:"use"`
	MeasuredMean   float64 `json:"measured_mean_seconds"`
	PredictedMean  float64 `json:"predicted_mean_seconds"`
	MeasuredP95    float64 `json:"measured_p95_seconds"`
	PredictedP95   float64 `json:"predicted_p95_seconds"`
	MeasuredCases  int     `json:"measured_cases"`
	measuredServer string
}

func compareBench(path string, c capacity.Cost) (out comparison, err error) {
	r, err := readBench(path)
	if err != nil {
		return out, err
	}
	if r.Setup.Loop != "open" || r.Setup.Workers < 1 {
		return out, exitError{code: 2, msg: path + " was not measured with --rate on bench's own server"}
	}
	// So many came: of a Poisson stream of 60 people the rate is easily a
	// seventh off the one that was asked for.
	came := r.Result.PerMinute
	rate := came / 60
	d := r.step(load.Decision)
	out = comparison{File: path, PerMinute: came, Workers: r.Setup.Workers, Use: rate * c.ServiceSeconds / float64(r.Setup.Workers),
		MeasuredMean: d.MeanMS / 1000, MeasuredP95: d.P95MS / 1000, MeasuredCases: d.Count, measuredServer: r.Setup.Server}
	if out.Use >= 1 {
		return out, exitError{code: 2, msg: fmt.Sprintf("%s: %.0f cases a minute are more than %d workers can do, so the wait has no limit to compare with", path, out.PerMinute, out.Workers)}
	}
	s := capacity.Simulate(rate, r.Setup.Workers, c, 200_000, 1)
	out.PredictedMean, out.PredictedP95 = s.DecisionMean, s.DecisionP95
	return out, nil
}

func parseCount(s string) (float64, error) {
	factor := 1.0
	switch {
	case strings.HasSuffix(s, "k"):
		s, factor = s[:len(s)-1], 1e3
	case strings.HasSuffix(s, "M"):
		s, factor = s[:len(s)-1], 1e6
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0) || v*factor > 1e9 || math.IsNaN(v) {
		return 0, fmt.Errorf("%q is no number of cases, such as 500, 10k or 1M, up to 1000M", s)
	}
	return v * factor, nil
}

func (c *capacityCmd) Run() error {
	r, err := readBench(c.From)
	if err != nil {
		return err
	}
	cost := r.cost()
	t := capacity.Target{Peak: c.Peak, WaitSeconds: c.Wait, CoresPerHost: c.CoresPerHost, StorePerSecond: c.StoreRate, RetainDays: c.RetainDays}
	var plans []capacity.Plan
	for _, text := range c.CasesPerDay {
		n, err := parseCount(text)
		if err != nil {
			return exitError{code: 2, msg: "capacity: " + err.Error()}
		}
		p, err := capacity.For(n, cost, t)
		if errors.Is(err, capacity.ErrTarget) {
			return exitError{code: 2, msg: "capacity: " + err.Error()}
		}
		if err != nil {
			return exitError{code: 2, msg: fmt.Sprintf("capacity: %s: %v", c.From, err)}
		}
		plans = append(plans, p)
	}
	checks := make([]comparison, len(c.Check))
	for i, path := range c.Check {
		if checks[i], err = compareBench(path, cost); err != nil {
			return err
		}
	}
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"cost": cost, "target": t, "plans": plans, "checks": checks})
	}
	fmt.Printf("one case: %.2f s of a worker core (spread %.2f of the mean), %.2f s of the API, %.0f MiB for a worker, %.1f MB of evidence\n", cost.ServiceSeconds, cost.ServiceCV, cost.APISeconds, cost.WorkerMiB, cost.EvidenceMB)
	fmt.Printf("%.0f cases a day for each core that does nothing but cases\n\n", 86400/(cost.ServiceSeconds+cost.APISeconds))
	printPlans(os.Stdout, plans)
	if len(checks) > 0 {
		fmt.Println()
		printChecks(os.Stdout, checks)
	}
	return nil
}

func printPlans(w io.Writer, plans []capacity.Plan) {
	var rows [][]string
	for _, p := range plans {
		rows = append(rows, []string{fmt.Sprintf("%.0f", p.CasesPerDay), fmt.Sprintf("%.2f/s", p.PerSecond), fmt.Sprint(p.Workers), fmt.Sprintf("%.0f %%", p.Use*100), fmt.Sprint(p.APICores), fmt.Sprint(p.Hosts), fmt.Sprint(p.Stores),
			fmt.Sprintf("%.1f TB", p.EvidenceTB), fmt.Sprintf("%.1f s", p.WaitP95), fmt.Sprintf("%.1f s", p.DecisionP95), p.AddFirst})
	}
	table(w, []string{"cases a day", "at the peak", "worker cores", "used", "API cores", "machines", "stores", "evidence", "wait p95", "decision p95", "add first"}, rows)
}

func printChecks(w io.Writer, checks []comparison) {
	var rows [][]string
	for _, x := range checks {
		rows = append(rows, []string{x.measuredServer, fmt.Sprint(x.Workers), fmt.Sprintf("%.1f", x.PerMinute), fmt.Sprintf("%.0f %%", x.Use*100), fmt.Sprint(x.MeasuredCases),
			fmt.Sprintf("%.2f s", x.PredictedMean), fmt.Sprintf("%.2f s", x.MeasuredMean), fmt.Sprintf("%.2f s", x.PredictedP95), fmt.Sprintf("%.2f s", x.MeasuredP95)})
	}
	table(w, []string{"server", "workers", "a minute", "used", "cases", "mean: model", "measured", "p95: model", "measured"}, rows)
}
