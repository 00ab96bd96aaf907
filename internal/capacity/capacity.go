// Package capacity says how many machines a number of cases a day needs, from
// what one case was measured to cost.
//
// Cases are customers of an M/G/c queue: they come at random (Poisson) at the
// peak's rate, a worker core serves one at a time, and service takes a measured
// mean with a measured spread. [Plan] sizes with the Allen-Cunneen
// approximation over Erlang's C formula (A. O. Allen, Probability, Statistics,
// and Queueing Theory, 1990, section 5.3) and then simulates the queue it chose,
// so the waiting times it prints do not rest on the approximation. What it
// leaves out is said in docs/capacity.md, where the model is held against
// measured points.
package capacity

import (
	"errors"
	"math"
)

// Cost is what one case costs, as measured.
type Cost struct {
	ServiceSeconds float64 `json:"service_seconds"` // one worker core, from start to decision
	ServiceCV      float64 `json:"service_cv"`      // standard deviation over mean
	APISeconds     float64 `json:"api_seconds"`     // processor time of the API, gate included
	WorkerMiB      float64 `json:"worker_mib"`      // of memory for a worker of one case
	EvidenceMB     float64 `json:"evidence_mb"`     // stored per case
}

// Target is what a plan has to hold.
type Target struct {
	Peak           float64 // the busiest hour's rate over the day's mean
	WaitSeconds    float64 // 95 of 100 cases start within this
	CoresPerHost   int
	StorePerSecond float64 // cases a second that one session store takes
	RetainDays     float64 // how long evidence is kept
}

// apiUse is the share of the API's cores that a plan fills: uploads come in
// bursts and people wait for the gate's answer.
const apiUse = 0.5

// Plan is what a number of cases a day needs.
type Plan struct {
	CasesPerDay   float64 `json:"cases_per_day"`
	PerSecond     float64 `json:"peak_cases_per_second"`
	Workers       int     `json:"worker_cores"`
	Use           float64 `json:"worker_use"`
	APICores      int     `json:"api_cores"`
	Hosts         int     `json:"hosts"`
	Stores        int     `json:"stores"`
	WorkerGiB     float64 `json:"worker_gib"`
	EvidenceTB    float64 `json:"evidence_tb"`
	WaitP95       float64 `json:"wait_p95_seconds"`     // simulated
	DecisionP95   float64 `json:"decision_p95_seconds"` // simulated
	AddFirst      string  `json:"add_first"`
	PerCorePerDay float64 `json:"cases_per_core_and_day"` // with all cores, at this plan's use
}

// ErrCost means that the measurement can not be planned with.
var ErrCost = errors.New("the measured cost of a case is not usable")

// ErrTarget means that what a plan has to hold is no target. A day has 24 hours, so
// the busiest can not have more than 24 times their mean.
var ErrTarget = errors.New("the peak is 1 to 24 times the day's mean, the wait more than 0 s up to a day, a machine has a core or more, a store takes more than 0 cases a second, photos are kept 0 to 36500 days")

// For sizes a system for so many cases a day.
func For(casesPerDay float64, c Cost, t Target) (Plan, error) {
	if !(c.ServiceSeconds > 0) || !(c.ServiceCV >= 0) || !(c.APISeconds >= 0) || !(casesPerDay > 0) {
		return Plan{}, ErrCost
	}
	if t.CoresPerHost < 1 || !(t.Peak >= 1 && t.Peak <= 24) || !(t.WaitSeconds > 0 && t.WaitSeconds <= 86400) || !(t.StorePerSecond > 0 && t.StorePerSecond <= 1e9) || !(t.RetainDays >= 0 && t.RetainDays <= 36500) {
		return Plan{}, ErrTarget
	}
	p := Plan{CasesPerDay: casesPerDay, PerSecond: casesPerDay / 86400 * t.Peak}
	offered := p.PerSecond * c.ServiceSeconds
	for p.Workers = max(1, int(math.Floor(offered))+1); WaitQuantile(p.PerSecond, p.Workers, c, .95) > t.WaitSeconds; {
		p.Workers++
	}
	p.Use = offered / float64(p.Workers)
	p.APICores = max(1, int(math.Ceil(p.PerSecond*c.APISeconds/apiUse)))
	p.Hosts = int(math.Ceil(float64(p.Workers+p.APICores) / float64(t.CoresPerHost)))
	p.Stores = int(math.Ceil(p.PerSecond / t.StorePerSecond))
	p.WorkerGiB = float64(p.Workers) * c.WorkerMiB / 1024
	p.EvidenceTB = casesPerDay * t.RetainDays * c.EvidenceMB / 1e6
	p.PerCorePerDay = casesPerDay / float64(p.Workers+p.APICores)
	s := Simulate(p.PerSecond, p.Workers, c, simulated(p.Workers), 1)
	p.WaitP95, p.DecisionP95 = s.WaitP95, s.DecisionP95
	switch {
	case p.Stores > 1:
		p.AddFirst = "installations: one session store with one audit log takes no more"
	case p.Workers+p.APICores <= t.CoresPerHost && p.Workers <= 2:
		p.AddFirst = "nothing: one process does it"
	case p.Hosts == 1:
		p.AddFirst = "worker cores on the same machine"
	default:
		p.AddFirst = "worker machines"
	}
	return p, nil
}

// simulated is how many cases are simulated: enough to fill the queue often.
func simulated(workers int) int { return max(50_000, 50*workers) }

// ErlangC is the probability that a case has to wait: c servers, offered load a
// in Erlangs. It is computed by Erlang B's recursion, which is stable for
// thousands of servers.
func ErlangC(c int, a float64) float64 {
	if a >= float64(c) {
		return 1
	}
	b := 1.0
	for n := 1; n <= c; n++ {
		b = a * b / (float64(n) + a*b)
	}
	return b / (1 - a/float64(c)*(1-b))
}

// MeanWait is the mean time in the queue in seconds; infinite when the servers
// can not keep up.
func MeanWait(rate float64, servers int, c Cost) float64 {
	a := rate * c.ServiceSeconds
	if a >= float64(servers) {
		return math.Inf(1)
	}
	return ErlangC(servers, a) * c.ServiceSeconds / (float64(servers) - a) * (1 + c.ServiceCV*c.ServiceCV) / 2
}

// WaitQuantile is the time within which a share q of the cases starts. The tail
// is taken as exponential, which it is for M/M/c and nearly is for M/G/c.
func WaitQuantile(rate float64, servers int, c Cost, q float64) float64 {
	a := rate * c.ServiceSeconds
	if a >= float64(servers) {
		return math.Inf(1)
	}
	wait := ErlangC(servers, a)
	if wait <= 1-q {
		return 0
	}
	return MeanWait(rate, servers, c) / wait * math.Log(wait/(1-q))
}
