package pipeline

import (
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/internal/testserver/cutter"
)

// A Redis that is gone without a word, as behind a firewall that forgot the
// connection: nothing hangs on it, and what was submitted
// meanwhile is decided once it is back.
func TestARedisThatGoesSilentHoldsNobodyForeverAndLosesNothing(t *testing.T) {
	proxy := cutter.New(t, testserver.Redis(t).TCP)
	w := openWorldWith(t, t.TempDir(), QueueConfig{Address: "redis://" + proxy.Address(), patience: 300 * time.Millisecond})
	before := w.approveSome(2)

	proxy.Swallow(true)
	id := w.submit()
	row := w.row(id)
	for name, op := range map[string]func() error{
		"ping":    func() error { return w.queue.Ping(ctx) },
		"enqueue": func() error { return w.queue.Enqueue(ctx, row) },
		"look":    func() error { _, err := w.queue.redispatch(ctx, row); return err },
		"depth":   func() error { _, err := w.queue.depths(ctx); return err },
	} {
		done := make(chan error, 1)
		go func() { done <- op() }()
		select {
		case err := <-done:
			if err == nil {
				t.Errorf("%s: a silent server answered", name)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s hangs", name)
		}
	}

	proxy.Swallow(false)
	w.decided(id, time.Minute)
	for _, id := range before {
		w.decided(id, time.Second)
	}
}
