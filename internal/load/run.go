package load

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Plan is how people come.
type Plan struct {
	// Cases ends the run after so many, Duration after so long; one is needed.
	// With both the first that is reached ends it.
	Cases    int
	Duration time.Duration
	// Clients is how many cases are open at once in the closed loop.
	Clients int
	// PerMinute, when it is not 0, makes the loop open: so many people come a
	// minute, at random (as a Poisson process), or evenly.
	PerMinute float64
	Even      bool
	Seed      uint64
	// MaxOpen bounds the open loop's cases at once. Who has to wait for it waits
	// on the server's account: times count from when the person was to come.
	MaxOpen int
	// Patience is how long one case may take before it counts as lost.
	Patience time.Duration
}

// Play runs case n and records its steps, the first from the moment the person
// was to come. It returns how the case ended.
type Play func(ctx context.Context, n int, intended time.Time) (outcome string, err error)

// Run puts the plan's load on and waits until every case that was begun has
// ended. A case that fails is counted, not an error; done is told of each that
// ended, and may be nil.
func Run(ctx context.Context, p Plan, rec *Recorder, play Play, done func()) (Result, error) {
	if p.Cases <= 0 && p.Duration <= 0 {
		return Result{}, errors.New("run load: neither a number of cases nor a duration is given")
	}
	if p.Patience <= 0 {
		p.Patience = 5 * time.Minute
	}
	r := &running{plan: p, rec: rec, play: play, done: done, begin: time.Now()}
	if p.PerMinute > 0 {
		r.open(ctx)
	} else {
		r.closed(ctx)
	}
	edge := max(p.Clients, 1)
	if p.PerMinute > 0 {
		edge = 0
	}
	return rec.result(time.Since(r.begin), edge, int(r.peak.Load())), ctx.Err()
}

type running struct {
	plan  Plan
	rec   *Recorder
	play  Play
	done  func()
	begin time.Time

	next, inFlight, peak atomic.Int64
}

func (r *running) over(n int) bool {
	return r.plan.Cases > 0 && n >= r.plan.Cases || r.plan.Duration > 0 && time.Since(r.begin) >= r.plan.Duration
}

func (r *running) closed(ctx context.Context) {
	var people sync.WaitGroup
	for range max(r.plan.Clients, 1) {
		people.Go(func() {
			for ctx.Err() == nil {
				n := int(r.next.Add(1)) - 1
				if r.over(n) {
					return
				}
				r.one(ctx, n, time.Now())
			}
		})
	}
	people.Wait()
}

func (r *running) open(ctx context.Context) {
	var people sync.WaitGroup
	defer people.Wait()
	places := make(chan struct{}, max(r.plan.MaxOpen, 1))
	rng := rand.New(rand.NewPCG(r.plan.Seed, 0x70726f6f66))
	gap := float64(time.Minute) / r.plan.PerMinute
	at := r.begin
	for n := 0; ; n++ {
		if n > 0 && r.plan.Even {
			at = at.Add(time.Duration(gap))
		} else if n > 0 {
			at = at.Add(time.Duration(gap * rng.ExpFloat64()))
		}
		// The plan's own clock decides: a generator that is behind still sends
		// everybody who was to come.
		if r.plan.Cases > 0 && n >= r.plan.Cases || r.plan.Duration > 0 && at.Sub(r.begin) >= r.plan.Duration {
			return
		}
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		intended := at
		people.Go(func() {
			defer func() { <-places }()
			r.one(ctx, n, intended)
		})
	}
}

func (r *running) one(ctx context.Context, n int, intended time.Time) {
	open := r.inFlight.Add(1)
	defer r.inFlight.Add(-1)
	for {
		peak := r.peak.Load()
		if open <= peak || r.peak.CompareAndSwap(peak, open) {
			break
		}
	}
	cctx, cancel := context.WithTimeout(ctx, r.plan.Patience)
	defer cancel()
	outcome, err := r.play(cctx, n, intended)
	switch {
	case err == nil:
		r.rec.finished(outcome, time.Since(r.begin))
	case ctx.Err() != nil:
		return // the run was stopped
	default:
		r.rec.lost()
		r.rec.Error(kindOf(err))
	}
	if r.done != nil {
		r.done()
	}
}
