package pipeline

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// BenchmarkCases measures what queue and store cost per case: the stages do
// nothing here, and only here. First eight clients bring cases as fast as they
// are taken while the workers work them off, which gives cases/s with all that
// a case costs; then as many come at half of that rate, which gives the time
// from a submission to the start of its run.
func BenchmarkCases(b *testing.B) {
	const clients = 8
	run := func(b *testing.B, dsn, address string) {
		dir := b.TempDir()
		if dsn == "" {
			dsn = "sqlite:" + dir + "/store.db"
		}
		w := openWorldOn(b, dir, dsn, address)
		ss, _ := passing()
		var mu sync.Mutex
		var waits []time.Duration
		first := ss[0].Run
		ss[0].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) {
			mu.Lock()
			waits = append(waits, time.Since(r.c.AsOf)) // the time of submission
			mu.Unlock()
			return first(ctx, r)
		}
		drained := func() {
			for {
				depth, err := w.store.OutboxDepth(ctx)
				if err != nil {
					b.Fatal(err)
				}
				if depth[session.KindVerify] == 0 {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		c := w.config()
		c.Concurrency = 16
		_, d := w.start(c, ss)
		b.ResetTimer()
		var people sync.WaitGroup
		for n := range clients {
			people.Go(func() {
				for range (b.N + clients - 1 - n) / clients {
					w.submit()
					d.Wake()
				}
			})
		}
		people.Wait()
		drained()
		b.StopTimer()
		took := b.Elapsed() / time.Duration(b.N)
		b.ReportMetric(float64(time.Second)/float64(took), "cases/s")

		mu.Lock()
		waits = nil
		mu.Unlock()
		tick := time.NewTicker(2 * took)
		defer tick.Stop()
		for range b.N {
			<-tick.C
			people.Go(func() { w.submit(); d.Wake() })
		}
		people.Wait()
		drained()
		slices.Sort(waits)
		b.ReportMetric(float64(waits[len(waits)/2].Microseconds())/1000, "p50-wait-ms")
		b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds())/1000, "p99-wait-ms")
	}
	b.Run("embedded", func(b *testing.B) { run(b, "", "") })
	b.Run("redis+postgres", func(b *testing.B) { run(b, testserver.Postgres(b).DSN, testserver.Redis(b).URL()) })
}
