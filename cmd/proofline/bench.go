package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/proofline/proofline/internal/load"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/models"
)

type benchCmd struct {
	Server   string        `help:"Server to put load on; without it bench starts one of its own from the settings, in an empty data directory." placeholder:"URL"`
	Key      []string      `help:"API key for --server, also as PROOFLINE_API_KEY; several are used in turn." env:"PROOFLINE_API_KEY" placeholder:"plk_…"`
	Metrics  []string      `help:"Addresses of /metrics of the processes behind --server, for the times of stages and the memory." placeholder:"URL"`
	Workers  int           `help:"Workers of bench's own server: cases at once in one process, or, with queue.address, so many worker processes of one case each." default:"1"`
	Cases    int           `help:"Cases to run; 0: until --duration." default:"40"`
	Duration time.Duration `help:"How long people come; 0: until --cases." default:"0"`
	Clients  int           `help:"Closed loop: cases open at once. 0: four, and three for each worker beyond the first." default:"0"`
	Rate     float64       `help:"Open loop: so many people come a minute, whether or not the server keeps up; times then count from when each was to come." default:"0"`
	Even     bool          `help:"Open loop: people come evenly instead of at random (Poisson)."`
	Backlog  bool          `help:"Workers start when every case is submitted: what they do while the API rests. Needs queue.address and --cases. People come at --rate, 240 a minute by default, and wait."`
	MaxOpen  int           `help:"Open loop: cases open at once at most; who waits for it waits on the server's account." default:"2000"`
	Mix      string        `help:"Kinds of cases with their weights: passport, id_card, refused (a first photo that is refused), other_person, screen_replay." default:"passport=6,id_card=2,refused=2"`
	Photos   int           `help:"Different cases that are drawn before the start; they are used in turn. 0: one for each weight of the mix." default:"0"`
	Poll     time.Duration `help:"How often each person's page asks for the decision. Times of decisions are the server's own and do not depend on it." default:"250ms"`
	Patience time.Duration `help:"A case without a decision after this long is lost." default:"5m"`
	Every    time.Duration `help:"How often progress is shown and a point of the series is kept." default:"10s"`
	Watch    []string      `help:"Other processes to account for, such as those of the database: NAME=PID." placeholder:"NAME=PID"`
	Keep     string        `help:"Keep the data and logs of bench's own server here instead of in a temporary directory." placeholder:"DIR" type:"path"`
	Used     bool          `help:"Allow a session store that already holds sessions. Cases of bench look like those of people: never point it at a system that serves them."`
	Seed     int64         `help:"Another seed draws other documents and photos, and other arrivals." default:"1"`
	JSON     bool          `name:"json" help:"Write one JSON object."`
	settings
}

func (benchCmd) Help() string {
	return "Puts load on a real server over its HTTP API, with photos drawn for the occasion: every request, photo and stage is real.\n\nWithout --rate the loop is closed: --clients people each start the next case when theirs is decided, which finds how much the server can do. With --rate it is open, which finds how long people wait at that load.\n\nbench's own server is `proofline up`, or `serve` with --workers worker processes when queue.address is set; store.dsn and storage.* choose where it keeps things. docs/capacity.md has measured tables and the commands for them.\n\nExit status: 0 done; 3 done, and cases were lost."
}

// benchReport is bench's JSON.
type benchReport struct {
	Setup     benchSetup     `json:"setup"`
	Result    load.Result    `json:"result"`
	Stages    []stageMean    `json:"stages,omitempty"`
	Processes []load.Usage   `json:"processes,omitempty"`
	Series    []benchPoint   `json:"series,omitempty"`
	Generator load.Usage     `json:"generator"`
	Photos    map[string]int `json:"photo_bytes"` // mean of each kind of case
}

type benchSetup struct {
	Server    string  `json:"server"` // embedded, redis+postgres+s3, …, or the address
	Workers   int     `json:"workers,omitempty"`
	Cores     int     `json:"cores"`
	Loop      string  `json:"loop"`
	Clients   int     `json:"clients,omitempty"`
	PerMinute float64 `json:"per_minute,omitempty"`
	Mix       string  `json:"mix"`
	Version   string  `json:"version"`
}

type benchPoint struct {
	Second     int     `json:"second"`
	Cases      int     `json:"cases"`
	P95MS      float64 `json:"p95_ms"`
	MiB        float64 `json:"mib"`
	Goroutines float64 `json:"goroutines,omitempty"`
}

func (c *benchCmd) check() error {
	wrong := func(format string, a ...any) error {
		return exitError{code: 2, msg: "bench: " + fmt.Sprintf(format, a...)}
	}
	switch {
	case c.Cases < 0, c.Cases == 0 && c.Duration <= 0:
		return wrong("--cases or --duration says how long to run")
	case c.Workers < 1 || c.Workers > 256:
		return wrong("--workers must be 1 to 256")
	case c.Rate < 0 || c.Clients < 0 || c.Photos < 0 || c.MaxOpen < 1:
		return wrong("--rate, --clients and --photos can not be negative, --max-open is at least 1")
	case c.Rate > 0 && c.Clients > 0:
		return wrong("--clients is for the closed loop, --rate for the open one")
	case c.Backlog && (c.Server != "" || c.Queue.Address == "" || c.Cases == 0 || c.Duration > 0 || c.Clients > 0):
		return wrong("--backlog needs bench's own server with queue.address, and --cases without --duration or --clients")
	case c.Backlog && c.Cases > c.MaxOpen:
		return wrong("--backlog holds all --cases open at once: raise --max-open")
	case c.Every < time.Second:
		return wrong("--every must be at least 1s")
	case c.Server != "" && len(c.Key) == 0:
		return wrong("--server needs --key")
	}
	return nil
}

func (c *benchCmd) Run(ctx context.Context, k *kong.Context) (err error) {
	if err := c.check(); err != nil {
		return err
	}
	mix, err := load.ParseMix(c.Mix)
	if err != nil {
		return exitError{code: 2, msg: "bench: " + err.Error()}
	}
	names, pids, err := watched(c.Watch)
	if err != nil {
		return exitError{code: 2, msg: "bench: " + err.Error()}
	}
	if c.Duration > 0 && c.Cases == 40 {
		c.Cases = 0 // the default gives way to a duration
	}
	if c.Backlog {
		c.Poll = max(c.Poll, 2*time.Second) // everybody waits at once, and the API is to rest
		if c.Rate == 0 {
			c.Rate = 240
		}
	}
	cases, sizes, err := c.draw(ctx, mix)
	if err != nil {
		return err
	}
	target := &load.Target{URL: strings.TrimRight(c.Server, "/"), Keys: c.Key, Poll: c.Poll, Cases: cases, Recorder: load.NewRecorder(),
		Transport: &http.Transport{MaxIdleConns: 4096, MaxIdleConnsPerHost: 4096, IdleConnTimeout: time.Minute}}
	scrapes := c.Metrics
	var own *benchServer
	if c.Server == "" {
		if own, err = c.startServer(ctx, k); err != nil {
			return err
		}
		defer own.stop()
		target.URL, target.Keys, target.Addresses = own.url, own.keys, true
		scrapes = own.metrics
		n, p := own.processes()
		names, pids = append(names, n...), append(pids, p...)
	}
	watch, err := load.Watch(append(names, "bench"), append(pids, os.Getpid()))
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	plan := load.Plan{Cases: c.Cases, Duration: c.Duration, Clients: c.Clients, PerMinute: c.Rate, Even: c.Even, MaxOpen: c.MaxOpen, Seed: uint64(c.Seed), Patience: c.Patience}
	report := benchReport{Photos: sizes, Setup: benchSetup{Server: c.where(), Workers: c.Workers, Cores: runtime.NumCPU(), Loop: "open", PerMinute: c.Rate, Mix: mix.String(), Version: version}}
	if c.Server != "" {
		report.Setup.Workers = 0
	}
	if c.Rate == 0 {
		if plan.Clients == 0 {
			plan.Clients = 4 + 3*(c.Workers-1)
		}
		report.Setup.Loop, report.Setup.Clients = "closed", plan.Clients
	}
	before := scrapeStages(ctx, scrapes)
	stop := c.follow(ctx, target.Recorder, watch, scrapes, &report)
	if c.Backlog {
		report.Result, err = c.backlog(ctx, plan, own, target, watch)
		report.Setup.Loop, scrapes = "backlog", own.metrics
	} else {
		report.Result, err = load.Run(ctx, plan, target.Recorder, target.Person, nil)
	}
	stop()
	if err != nil {
		return err
	}
	use := watch.Look()
	report.Processes, report.Generator = use[:len(use)-1], ownShare(use)
	report.Stages = stageMeans(before, scrapeStages(ctx, scrapes))
	if c.JSON {
		err = writeJSON(os.Stdout, report)
	} else {
		report.print(os.Stdout)
	}
	if err == nil && report.Result.Failed > 0 {
		err = exitError{code: 3, msg: fmt.Sprintf("bench: %d cases were lost", report.Result.Failed)}
	}
	return err
}

// ownShare is the generator without the servers that are its children.
func ownShare(use []load.Usage) load.Usage {
	g := use[len(use)-1]
	for _, u := range use[:len(use)-1] {
		if u.Name == "up" || u.Name == "serve" || strings.HasPrefix(u.Name, "worker") {
			g.CPUSeconds, g.Cores = g.CPUSeconds-u.CPUSeconds, g.Cores-u.Cores
			g.EndMiB, g.PeakMiB = g.EndMiB-u.EndMiB, g.PeakMiB-u.PeakMiB
		}
	}
	return g
}

// where names the set-up by what it stands on.
func (c *benchCmd) where() string {
	if c.Server != "" {
		return withoutPassword(c.Server)
	}
	parts := []string{}
	if c.Queue.Address != "" {
		parts = append(parts, "redis")
	}
	if strings.HasPrefix(c.storeDSN(), "postgres") {
		parts = append(parts, "postgres")
	}
	if c.Storage.Driver == "s3" {
		parts = append(parts, "s3")
	}
	if len(parts) == 0 {
		return "embedded"
	}
	return strings.Join(parts, "+")
}

func watched(list []string) (names []string, pids []int, err error) {
	for _, w := range list {
		name, text, ok := strings.Cut(w, "=")
		pid, err := strconv.Atoi(text)
		if !ok || err != nil || pid < 1 {
			return nil, nil, fmt.Errorf("--watch %q is not NAME=PID", w)
		}
		names, pids = append(names, name), append(pids, pid)
	}
	return names, pids, nil
}

// follow shows how the run gets on and keeps the series, until stop is called.
func (c *benchCmd) follow(ctx context.Context, rec *load.Recorder, watch *load.Processes, scrapes []string, report *benchReport) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		begin := time.Now()
		sample, shown := time.NewTicker(time.Second), time.NewTicker(c.Every)
		defer sample.Stop()
		defer shown.Stop()
		for {
			select {
			case <-done:
				return
			case <-sample.C:
				watch.Look() // for the peaks
			case <-shown.C:
				i := rec.Interval()
				p := benchPoint{Second: int(time.Since(begin).Seconds()), Cases: i.Cases, P95MS: float64(i.P95.Milliseconds())}
				use := watch.Look()
				for _, u := range use[:len(use)-1] {
					p.MiB += u.EndMiB
				}
				p.Goroutines = scrapeSum(ctx, scrapes, "go_goroutines")
				report.Series = append(report.Series, p)
				fmt.Fprintf(os.Stderr, "bench: %4d s  %3d cases, %.1f a minute, p95 %.1f s, %.0f MiB\n", p.Second, p.Cases, float64(p.Cases)/c.Every.Minutes(), p.P95MS/1000, p.MiB)
			}
		}
	}()
	return func() { close(done); <-ended }
}

// draw makes the cases before any time is taken.
func (c *benchCmd) draw(ctx context.Context, mix load.Mix) ([]load.Case, map[string]int, error) {
	if err := models.Fetch(ctx, models.DefaultDir(), models.Default, nil); err != nil {
		return nil, nil, err
	}
	if err := specimen.FetchPortraits(ctx, "", nil); err != nil {
		return nil, nil, err
	}
	portraits, err := specimen.OpenPortraits("")
	if err != nil {
		return nil, nil, err
	}
	kinds := mix.Sequence()
	n := c.Photos
	if n == 0 {
		n = len(kinds)
	}
	out, errs := make([]load.Case, n), make([]error, n)
	show := newProgress("bench: drawing photos", n)
	var people sync.WaitGroup
	slots := make(chan struct{}, runtime.NumCPU())
	for i := range n {
		people.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if ctx.Err() == nil {
				out[i], errs[i] = benchCase(kinds[i%len(kinds)], c.Seed+int64(i), portraits)
			}
			show.add()
		})
	}
	people.Wait()
	total, count := map[string]int{}, map[string]int{}
	for i := range out {
		if errs[i] != nil {
			return nil, nil, errs[i]
		}
		count[out[i].Kind]++
		for _, p := range out[i].Photos {
			total[out[i].Kind] += len(p)
		}
	}
	for k := range total {
		total[k] /= count[k]
	}
	return out, total, ctx.Err()
}

func benchCase(kind string, seed int64, portraits *specimen.Portraits) (load.Case, error) {
	staged, o := specimen.CaseGood, specimen.CaseOptions{}
	out := load.Case{Kind: kind, DocumentType: "passport"}
	switch kind {
	case load.IDCard:
		o.Format, out.DocumentType = specimen.TD1, "id_card"
	case load.OtherPerson:
		staged = specimen.CaseOtherPerson
	case load.ScreenReplay:
		staged = specimen.CaseReplay
	case load.Refused:
		bad, err := specimen.Stage(specimen.CaseBlurred, seed, portraits, o)
		if err != nil {
			return out, err
		}
		out.Before = map[string][]byte{"document_front": bad.Files["document_front"]}
	}
	cs, err := specimen.Stage(staged, seed, portraits, o)
	if err != nil {
		return out, err
	}
	out.Photos, out.Claims = cs.Files, cs.Claims
	return out, nil
}
