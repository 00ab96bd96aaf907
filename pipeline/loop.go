package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// loop runs a pass again and again in one goroutine: at once when there is more
// to do or somebody calls Wake, else after an interval, and with growing pauses
// while it fails.
type loop struct {
	name     string
	interval time.Duration
	pass     func(context.Context) (more bool, err error)
	log      *slog.Logger

	once   sync.Once
	wake   chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

const maxPause = 15 * time.Second

func newLoop(name string, interval time.Duration, log *slog.Logger, pass func(context.Context) (bool, error)) *loop {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &loop{name: name, interval: interval, pass: pass, log: log, wake: make(chan struct{}, 1)}
}

// Start begins the loop. It may be called once.
func (l *loop) Start() {
	l.once.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		l.cancel, l.done = cancel, make(chan struct{})
		go l.run(ctx)
	})
}

// Wake makes the next pass begin now.
func (l *loop) Wake() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Shutdown ends the loop and waits for the pass in progress, or for ctx.
func (l *loop) Shutdown(ctx context.Context) error {
	l.once.Do(func() {}) // a loop that was never started can not be started any more
	if l.cancel == nil {
		return nil
	}
	l.cancel()
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w", l.name, ctx.Err())
	}
}

func (l *loop) run(ctx context.Context) {
	defer close(l.done)
	failures := 0
	for {
		more, err := l.pass(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := l.interval
		switch {
		case err != nil:
			if failures++; failures == 1 || failures%20 == 0 { // once, then now and then
				l.log.Warn(l.name+" fails and is tried again", "failures", failures, "error", err)
			}
			pause = backoff(failures, 200*time.Millisecond, maxPause)
		case failures > 0:
			l.log.Info(l.name+" works again", "failures", failures)
			failures = 0
		}
		if err == nil && more {
			continue
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-l.wake:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// backoff is base doubled with every failure, at most limit, less up to a third
// so that many who failed together do not come back together.
func backoff(failures int, base, limit time.Duration) time.Duration {
	d := base << min(max(failures-1, 0), 20)
	if d <= 0 || d > limit {
		d = limit
	}
	return d - time.Duration(rand.Int64N(int64(d)/3+1))
}
