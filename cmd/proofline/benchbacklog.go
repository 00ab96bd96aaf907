package main

import (
	"context"
	"sync/atomic"

	"github.com/proofline/proofline/internal/load"
)

// backlog lets everybody submit while there is no worker, then starts the workers
// and waits until they have decided every case. The rate is that of the decisions,
// without those at both ends, while not every worker has a case.
func (c *benchCmd) backlog(ctx context.Context, plan load.Plan, own *benchServer, target *load.Target, watch *load.Processes) (load.Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	full, work := make(chan struct{}), make(chan struct{})
	var come atomic.Int64
	count := func() { // a case that is lost earlier counts, too: nobody waits for it
		if int(come.Add(1)) == plan.Cases {
			close(full)
		}
	}
	target.Submitted, target.Work = count, work
	started := make(chan struct{})
	go func() {
		defer close(started)
		select {
		case <-full:
		case <-ctx.Done():
			return
		}
		place := len(own.parts)
		if err := own.startWorkers(ctx, c.Workers); err != nil {
			cancel(err)
			return
		}
		for i, p := range own.parts[place:] {
			watch.Insert(len(c.Watch)+place+i, p.name, p.cmd.Process.Pid)
		}
		close(work)
	}()
	result, err := load.Run(ctx, plan, target.Recorder, target.Person, count)
	cancel(nil)
	<-started
	if err != nil {
		return result, context.Cause(ctx)
	}
	result.PerMinute = target.Recorder.Rate(2 * c.Workers)
	return result, nil
}
