package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/session"
)

// reviewMetrics are the figures of queues, drift and agreement for a monitor.
type reviewMetrics struct {
	store *session.Store
	last  atomic.Pointer[driftReport]

	waiting, late, overloaded, psi, moved, kappa, apart, rose *prometheus.Desc
	checksOpen, checksLate, checks, wrong                     *prometheus.Desc
}

func newReviewMetrics(store *session.Store) *reviewMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &reviewMetrics{store: store,
		waiting:    desc("proofline_review_waiting", "Cases that wait for a person.", "queue"),
		late:       desc("proofline_review_late", "Of those, how many wait for longer than their policy says.", "queue"),
		overloaded: desc("proofline_review_overloaded", "1 while the queue holds more than its policy's limit.", "queue"),
		psi:        desc("proofline_score_psi", "Population stability index of a score stream, the last 7 days against the 30 before.", "measure"),
		moved:      desc("proofline_score_moved", "1 when the stream moved by more than chance explains and by an amount that matters.", "measure"),
		kappa:      desc("proofline_review_kappa", "Cohen's kappa of blind second reviews over 37 days."),
		apart:      desc("proofline_review_apart", "1 when the 95 % interval of kappa lies below 0.6."),
		checksOpen: desc("proofline_blind_checks_waiting", "Automatic decisions drawn for a blind check that nobody has judged."),
		checksLate: desc("proofline_blind_checks_late", "Of those, how many are past the time that their policy names."),
		checks:     desc("proofline_blind_checks", "Automatic decisions of 37 days that were drawn for a blind check, by what the machine decided and what a person said.", "machine", "person"),
		wrong:      desc("proofline_blind_checks_wrong", "1 when people disagree with more than 2 % of them, by more than chance explains (one-sided, 1 %).", "machine"),
		rose:       desc("proofline_review_overrides_rose", "1 when verdicts against failed checks are more frequent than before by more than chance explains."),
	}
}

// Describe is part of prometheus.Collector.
func (m *reviewMetrics) Describe(c chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.waiting, m.late, m.overloaded, m.psi, m.moved, m.kappa, m.apart, m.rose, m.checksOpen, m.checksLate, m.checks, m.wrong} {
		c <- d
	}
}

// Collect is part of prometheus.Collector. What can not be read is left out.
func (m *reviewMetrics) Collect(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		c <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	flag := func(d *prometheus.Desc, on bool, labels ...string) {
		v := 0.0
		if on {
			v = 1
		}
		gauge(d, v, labels...)
	}
	if queues, err := m.store.ReviewQueues(ctx); err == nil {
		for _, q := range queues {
			gauge(m.waiting, float64(q.Waiting), q.Queue)
			gauge(m.late, float64(q.Late), q.Queue)
			flag(m.overloaded, q.Overloaded, q.Queue)
		}
	}
	if open, late, err := m.store.OpenSamples(ctx); err == nil {
		gauge(m.checksOpen, float64(open))
		gauge(m.checksLate, float64(late))
	}
	r := m.last.Load()
	if r == nil {
		return
	}
	for _, s := range r.Sample {
		gauge(m.checks, float64(s.Disagree), string(s.Machine), "disagrees")
		gauge(m.checks, float64(s.Judged-s.Disagree-s.Unclear), string(s.Machine), "agrees")
		gauge(m.checks, float64(s.Unclear), string(s.Machine), "can_not_tell")
		flag(m.wrong, s.Wrong, string(s.Machine))
	}
	for _, s := range r.Streams {
		if !s.Thin {
			gauge(m.psi, s.PSI, s.Measure)
		}
		flag(m.moved, s.Moved, s.Measure)
	}
	if r.People.Kappa != nil {
		gauge(m.kappa, *r.People.Kappa)
	}
	flag(m.apart, r.People.Apart)
	flag(m.rose, r.People.Rose)
}

// driftInterval is how often a server looks; the figures move over days.
const driftInterval = 30 * time.Minute

// watch computes the figures now and then, beside the requests.
func (m *reviewMetrics) watch(ctx context.Context, n *node) {
	go func() {
		tick := time.NewTicker(driftInterval)
		defer tick.Stop()
		for {
			r, err := drift(ctx, m.store, time.Now(), 7*24*time.Hour, 30*24*time.Hour, false)
			if err == nil {
				m.last.Store(&r)
			} else if ctx.Err() == nil {
				n.log.Warn("drift was not computed", "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
}
