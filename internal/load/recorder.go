package load

import (
	"math"
	"slices"
	"sync"
	"time"
)

// Steps of a case, in their order. Decision is from the submission to the
// decision by the server's own times; Whole is from the moment at which the
// person was to come.
const (
	Create   = "create"
	Consent  = "consent"
	Upload   = "upload"
	Refusal  = "upload refused"
	Submit   = "submit"
	Decision = "decision"
	Whole    = "case"
)

// Steps lists all steps.
var Steps = []string{Create, Consent, Upload, Refusal, Submit, Decision, Whole}

// Recorder keeps every sample: the slowest of a million are what it is about,
// and a million cost 8 MB per step.
type Recorder struct {
	mu       sync.Mutex
	samples  map[string][]time.Duration
	outcomes map[string]int
	errors   map[string]int
	ends     []time.Duration // of finished cases, since the start
	at       []time.Time     // of decisions, by the server's clock
	failed   int

	intervalFrom  int // ends already told by Interval
	intervalWhole int
}

// NewRecorder returns an empty one.
func NewRecorder() *Recorder {
	return &Recorder{samples: map[string][]time.Duration{}, outcomes: map[string]int{}, errors: map[string]int{}}
}

// Step records how long a step took.
func (r *Recorder) Step(name string, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.samples[name] = append(r.samples[name], took)
}

// Error counts something that went wrong, by what kind of thing it was. A
// request that succeeded when it was sent again counts, too.
func (r *Recorder) Error(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors[kind]++
}

func (r *Recorder) finished(outcome string, since time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes[outcome]++
	r.ends = append(r.ends, since)
}

func (r *Recorder) lost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
}

func (r *Recorder) decided(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = append(r.at, at)
}

// Rate is how many decisions a minute were made, by the server's clock, without
// the first edge ones and the last; 0 when too few are left.
func (r *Recorder) Rate(edge int) float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.SortedFunc(slices.Values(r.at), time.Time.Compare)
	if len(at) < 2*edge+2 {
		return 0
	}
	at = at[edge : len(at)-edge]
	if d := at[len(at)-1].Sub(at[0]).Minutes(); d > 0 {
		return float64(len(at)-1) / d
	}
	return 0
}

// Latency is the distribution of one step.
type Latency struct {
	Step   string  `json:"step"`
	Count  int     `json:"count"`
	MeanMS float64 `json:"mean_ms"`
	P50MS  float64 `json:"p50_ms"`
	P95MS  float64 `json:"p95_ms"`
	P99MS  float64 `json:"p99_ms"`
	MaxMS  float64 `json:"max_ms"`
	// CV is the standard deviation over the mean: what queueing depends on
	// besides the mean.
	CV float64 `json:"cv"`
}

// Latencies summarises every step that occurred.
func (r *Recorder) Latencies() []Latency {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Latency
	for _, step := range Steps {
		if s := r.samples[step]; len(s) > 0 {
			out = append(out, summary(step, slices.Clone(s)))
		}
	}
	return out
}

func summary(step string, s []time.Duration) Latency {
	slices.Sort(s)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	sum, squares := 0.0, 0.0
	for _, d := range s {
		sum += ms(d)
	}
	mean := sum / float64(len(s))
	for _, d := range s {
		squares += (ms(d) - mean) * (ms(d) - mean)
	}
	l := Latency{Step: step, Count: len(s), MeanMS: mean, P50MS: ms(Quantile(s, .50)), P95MS: ms(Quantile(s, .95)), P99MS: ms(Quantile(s, .99)), MaxMS: ms(s[len(s)-1])}
	if mean > 0 && len(s) > 1 {
		l.CV = math.Sqrt(squares/float64(len(s)-1)) / mean
	}
	return l
}

// Quantile is the smallest of the sorted samples that at least a share q of
// them does not exceed.
func Quantile(sorted []time.Duration, q float64) time.Duration {
	i := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// Result is what a run amounted to.
type Result struct {
	Cases       int            `json:"cases"`
	Failed      int            `json:"failed"` // cases that reached no decision
	PerMinute   float64        `json:"cases_per_minute"`
	Seconds     float64        `json:"seconds"`
	Latencies   []Latency      `json:"latencies"`
	Outcomes    map[string]int `json:"outcomes"`
	Errors      map[string]int `json:"errors"`
	MaxInFlight int            `json:"max_in_flight"`
}

// result closes the books. The first edge cases and the last ones are left out
// of the rate: while they run, the server is filling or running dry.
func (r *Recorder) result(took time.Duration, edge, peak int) Result {
	out := Result{Latencies: r.Latencies(), Seconds: took.Seconds(), MaxInFlight: peak}
	r.mu.Lock()
	defer r.mu.Unlock()
	out.Cases, out.Failed, out.Outcomes, out.Errors = len(r.ends), r.failed, r.outcomes, r.errors
	slices.Sort(r.ends)
	n := len(r.ends)
	switch {
	case n >= 2*edge+2:
		inner := r.ends[edge : n-edge]
		out.PerMinute = float64(len(inner)-1) / (inner[len(inner)-1] - inner[0]).Minutes()
	case n > 0:
		out.PerMinute = float64(n) / took.Minutes()
	}
	return out
}

// Interval is what happened since it was asked last.
type Interval struct {
	Cases int
	P95   time.Duration // of whole cases
}

// Interval returns the cases that were finished since the last call.
func (r *Recorder) Interval() Interval {
	r.mu.Lock()
	defer r.mu.Unlock()
	whole := slices.Clone(r.samples[Whole][r.intervalWhole:])
	out := Interval{Cases: len(r.ends) - r.intervalFrom}
	r.intervalFrom, r.intervalWhole = len(r.ends), len(r.samples[Whole])
	if len(whole) > 0 {
		slices.Sort(whole)
		out.P95 = Quantile(whole, .95)
	}
	return out
}
