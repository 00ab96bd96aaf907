// Package demodata makes up cases, so that pages, reports and the threshold lab
// have something to show before the first real case.
//
// [Fill] is the function to know. Each case is a script (life.go) that runs
// through the store's real calls: it is created, consented to, captured,
// submitted, decided by the real policy on drawn measurements (measures.go),
// perhaps reviewed by two people, and announced. The scripts run side by side
// on one simulated clock, in the order of time, so the audit log is what it
// would be, and every session and entry carries the store's mark.
//
// The numbers are plausible, not measured: they are drawn from distributions
// that were chosen by hand. No conclusion about error rates can rest on them.
package demodata

import (
	"container/heap"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// Options say what Fill makes.
type Options struct {
	Cases  int
	Seed   uint64
	Days   int       // over which the cases began
	Until  time.Time // when the last of them ends
	Tenant string
	Policy *policy.Policy // that decides them; it has to be archived
	// Progress is told of every case that ended.
	Progress func()
}

// Summary says what was made.
type Summary struct {
	Cases      int                   `json:"cases"`
	States     map[session.State]int `json:"states"`
	Votes      int                   `json:"votes"`
	Overrides  int                   `json:"overrides"`
	Checks     int                   `json:"blind_checks"`
	Deliveries int                   `json:"deliveries"`
	GivenUp    int                   `json:"given_up"`
	Resubmits  int                   `json:"resubmissions"`
}

// world is what the scripts share.
type world struct {
	Options
	store     *session.Store
	reviewers []reviewer
	sum       Summary
	sim       *session.Simulation // of the transaction under way
	ctx       context.Context
}

type reviewer struct {
	id     string
	strict float64 // shifts the verdict on doubtful cases
}

// stepsPerCommit bounds how long other writers of the store wait.
const stepsPerCommit = 600

// Fill writes the cases. It needs a store of its own (session.Open), because ids
// carry the time.
func Fill(ctx context.Context, store *session.Store, o Options) (Summary, error) {
	w := &world{Options: o, store: store, sum: Summary{States: map[session.State]int{}}}
	start := o.Until.Add(-time.Duration(o.Days) * 24 * time.Hour)
	if err := w.prepare(ctx, start); err != nil {
		return w.sum, err
	}
	q := &agenda{}
	defer q.stop()
	r := rand.New(rand.NewPCG(o.Seed, 1))
	for i := range o.Cases {
		l := &life{w: w, r: rand.New(rand.NewPCG(o.Seed, uint64(i)+2)), begins: arrival(r, start, o.Until)}
		next, stop := iter.Pull(l.run)
		at, ok := next()
		if !ok {
			stop()
			continue
		}
		heap.Push(q, &actor{at: at, next: next, stop: stop, life: l})
	}
	for q.Len() > 0 {
		err := store.Simulate(ctx, func(ctx context.Context, sim *session.Simulation) error {
			w.ctx, w.sim = ctx, sim
			for range stepsPerCommit {
				if q.Len() == 0 {
					return nil
				}
				if err := w.step(q); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
		if err != nil {
			return w.sum, fmt.Errorf("simulate cases: %w", err)
		}
	}
	return w.sum, w.finish(ctx)
}

// step lets the case whose time comes first go on.
func (w *world) step(q *agenda) error {
	a := q.actors[0]
	if !a.at.Before(w.Until) {
		a.next = func() (time.Time, bool) { return time.Time{}, false } // beyond the present: it stays as it is
	} else {
		w.sim.At(a.at)
	}
	at, ok := a.next()
	if a.life.err != nil {
		return a.life.err
	}
	if ok {
		if at.Before(a.at) {
			at = a.at
		}
		a.at = at
		heap.Fix(q, 0)
		return nil
	}
	a.stop()
	heap.Pop(q)
	w.sum.Cases++
	if s := a.life.ses; s != nil {
		w.sum.States[s.State]++
	}
	w.Progress()
	return nil
}

func (w *world) prepare(ctx context.Context, start time.Time) error {
	return w.store.Simulate(ctx, func(ctx context.Context, sim *session.Simulation) error {
		sim.At(start)
		sim.Note(audit.Entry{Actor: generator.String(), Action: "simulation.begun", Tenant: w.Tenant, Refs: map[string]string{"seed": fmt.Sprint(w.Seed), "cases": fmt.Sprint(w.Options.Cases)}})
		if _, err := w.store.PutEndpoint(ctx, generator, session.Endpoint{Tenant: w.Tenant, URL: session.SimulatedURL}); err != nil {
			return err
		}
		for i, strict := range []float64{-0.02, 0, 0, 0.02, 0.06} {
			name := fmt.Sprintf("simulated-reviewer-%d", i+1)
			a, err := w.store.CreateAccount(ctx, generator, session.NewAccount{Name: name, Roles: []access.Role{access.Reviewer}, Issuer: session.SimulatedIssuer, Subject: name})
			if err != nil {
				return fmt.Errorf("%w (are there simulated cases already? remove them first)", err)
			}
			w.reviewers = append(w.reviewers, reviewer{a.ID, strict})
		}
		return nil
	})
}

// finish turns off what nobody receives, and the accounts.
func (w *world) finish(ctx context.Context) error {
	return w.store.Simulate(ctx, func(ctx context.Context, sim *session.Simulation) error {
		sim.At(w.Until)
		ends, err := w.store.Endpoints(context.WithoutCancel(ctx), w.Tenant)
		if err != nil {
			return err
		}
		for _, e := range ends {
			if e.URL == session.SimulatedURL {
				if err := w.store.DisableEndpoint(ctx, generator, e.ID, "simulated"); err != nil {
					return err
				}
			}
		}
		for _, r := range w.reviewers {
			if err := w.store.DisableAccount(ctx, generator, r.id); err != nil {
				return err
			}
		}
		sim.Note(audit.Entry{Actor: generator.String(), Action: "simulation.ended", Tenant: w.Tenant, Refs: map[string]string{"cases": fmt.Sprint(w.sum.Cases)}})
		return nil
	})
}

var generator = session.Actor{Role: session.System, ID: "demo-data"}

// arrival draws a moment: more cases by day than by night, fewer at weekends, and
// slowly more from week to week.
func arrival(r *rand.Rand, from, until time.Time) time.Time {
	span := until.Sub(from)
	for {
		t := from.Add(time.Duration(r.Float64() * float64(span)))
		p := 0.25
		if h := t.Hour(); h >= 7 && h < 22 {
			p = 1
		}
		if d := t.Weekday(); d == time.Saturday || d == time.Sunday {
			p *= 0.6
		}
		if r.Float64() < p*(0.7+0.3*float64(t.Sub(from))/float64(span)) {
			return t
		}
	}
}

// actor is a script that waits for its time.
type actor struct {
	at   time.Time
	next func() (time.Time, bool)
	stop func()
	life *life
}

// agenda is a heap of actors by time.
type agenda struct{ actors []*actor }

func (a *agenda) Len() int           { return len(a.actors) }
func (a *agenda) Less(i, j int) bool { return a.actors[i].at.Before(a.actors[j].at) }
func (a *agenda) Swap(i, j int)      { a.actors[i], a.actors[j] = a.actors[j], a.actors[i] }
func (a *agenda) Push(x any)         { a.actors = append(a.actors, x.(*actor)) }
func (a *agenda) Pop() any {
	last := a.actors[len(a.actors)-1]
	a.actors = a.actors[:len(a.actors)-1]
	return last
}

func (a *agenda) stop() {
	for _, x := range a.actors {
		x.stop()
	}
}
