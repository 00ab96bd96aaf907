package pipeline

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// Metrics are what a process counts about cases, webhooks and transitions. All
// labels come from tables of this program: stages, outcomes, states, reasons.
// docs/operations.md lists them.
type Metrics struct {
	stageTime   *prometheus.HistogramVec
	resumed     *prometheus.CounterVec
	wait        *prometheus.HistogramVec
	caseTime    *prometheus.HistogramVec
	tasks       *prometheus.HistogramVec
	deliveries  *prometheus.CounterVec
	transitions *prometheus.CounterVec
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		stageTime: histogram("proofline_stage_seconds", "Time per pipeline stage.", []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, "stage"),
		resumed:   counter("proofline_stage_resumed_total", "Stages whose stored result was used instead of running them again.", "stage"),
		wait: histogram("proofline_case_wait_seconds", "From a submission to the start of its run, first runs only.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300}, "queue"),
		caseTime:    histogram("proofline_case_seconds", "From a submission to its decision.", []float64{.25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800}, "outcome"),
		tasks:       histogram("proofline_task_seconds", "Tasks that a worker ran, by what they ask for and how they ended.", []float64{.005, .02, .1, .5, 1, 2.5, 5, 10, 30, 120}, "kind", "result"),
		deliveries:  counter("proofline_webhook_tries_total", "Tries to deliver a webhook: what became of them and why.", "result", "reason"),
		transitions: counter("proofline_session_transitions_total", "Transitions of sessions that this process committed.", "from", "to", "event", "actor"),
	}
	r.MustRegister(m.stageTime, m.resumed, m.wait, m.caseTime, m.tasks, m.deliveries, m.transitions)
	return m
}

// Moved counts a transition: session.WithMoves(m.Moved).
func (m *Metrics) Moved(v session.Move) {
	if v.Test {
		return // a sandbox says nothing of how the system does
	}
	from := string(v.From)
	if from == "" {
		from = "none"
	}
	m.transitions.WithLabelValues(from, string(v.To), string(v.Event), string(v.By)).Inc()
}

func (m *Metrics) stage(e Event) {
	switch {
	case e.Resumed:
		m.resumed.WithLabelValues(e.Stage).Inc()
	case e.Done:
		m.stageTime.WithLabelValues(e.Stage).Observe(e.Elapsed.Seconds())
	}
}

func (m *Metrics) task(kind session.OutboxKind, err error, took time.Duration) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	m.tasks.WithLabelValues(string(kind), result).Observe(took.Seconds())
}

// waited is told of every claim; what was put back or taken over waited for
// other reasons.
func (m *Metrics) waited(o session.Outbox, first bool) {
	if first && o.Tries == 0 {
		m.wait.WithLabelValues(queueOf(o)).Observe(time.Since(o.CreatedAt).Seconds())
	}
}

func (m *Metrics) decided(o policy.Outcome, submitted time.Time) {
	m.caseTime.WithLabelValues(string(o)).Observe(time.Since(submitted).Seconds())
}

func (m *Metrics) delivery(r session.DeliveryResult) {
	result, reason := "retry", r.Reason
	switch {
	case r.Delivered:
		result, reason = "delivered", "ok"
	case r.Disable:
		result = "disabled"
	case r.RetryAt.IsZero():
		result = "dead"
	}
	if s, ok := strings.CutPrefix(reason, "status_"); ok && len(s) == 3 {
		reason = s[:1] + "xx" // an endpoint chooses its status: a class is enough
	}
	m.deliveries.WithLabelValues(result, reason).Inc()
}

// Depths collects how much waits, when it is asked: per queue and state what
// Redis holds, per kind and state what the store says.
type Depths struct {
	store *session.Store
	queue *Queue

	tasks, rows, oldest, up *prometheus.Desc
}

// NewDepths makes the collector.
func NewDepths(s *session.Store, q *Queue) *Depths {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &Depths{s, q,
		desc("proofline_queue_tasks", "Tasks in the queue.", "queue", "state"),
		desc("proofline_outbox_rows", "Work that the store says is unfinished, or dead: given up until somebody replays it.", "kind", "state"),
		desc("proofline_outbox_oldest_seconds", "How long the oldest due row has waited to be dispatched."),
		desc("proofline_depths_up", "1 when this part answered the scrape.", "part"),
	}
}

// Describe is part of prometheus.Collector.
func (d *Depths) Describe(c chan<- *prometheus.Desc) {
	for _, x := range []*prometheus.Desc{d.tasks, d.rows, d.oldest, d.up} {
		c <- x
	}
}

// Collect is part of prometheus.Collector. What can not be reached is left out,
// and said so: a scrape does not fail because Redis is down.
func (d *Depths) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(x *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(x, prometheus.GaugeValue, v, labels...)
	}
	up := func(part string, err error) {
		v := 1.0
		if err != nil {
			v = 0
		}
		gauge(d.up, v, part)
	}
	counts, oldest, err := d.store.OutboxCounts(ctx)
	up("store", err)
	for kind, states := range counts {
		for state, n := range states {
			gauge(d.rows, float64(n), string(kind), string(state))
		}
	}
	if err == nil {
		gauge(d.oldest, oldest.Seconds())
	}
	depths, err := d.queue.depths(ctx)
	up("queue", err)
	for queue, states := range depths {
		for state, n := range states {
			gauge(d.tasks, float64(n), queue, state)
		}
	}
}

// depths counts the tasks of every queue by asynq's states.
func (q *Queue) depths(ctx context.Context) (map[string]map[string]int64, error) {
	if err := q.Ping(ctx); err != nil { // asynq's inspector would try for longer
		return nil, err
	}
	known, err := q.inspector.Queues() // those that were ever used
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]int64{}
	for name := range queues {
		out[name] = map[string]int64{"pending": 0, "active": 0, "scheduled": 0, "retry": 0, "archived": 0}
	}
	for _, name := range known {
		if out[name] == nil {
			continue // of somebody else in the same Redis
		}
		i, err := q.inspector.GetQueueInfo(name)
		if err != nil {
			return nil, err
		}
		out[name] = map[string]int64{"pending": int64(i.Pending), "active": int64(i.Active), "scheduled": int64(i.Scheduled),
			"retry": int64(i.Retry), "archived": int64(i.Archived)}
	}
	return out, nil
}
