package pipeline

import (
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/session"
)

// BenchmarkCases measures what queue and store cost per case: the stages do
// nothing here, and only here.
func BenchmarkCases(b *testing.B) {
	run := func(b *testing.B, address string) {
		w := newWorld(b, address)
		ids := make([]string, b.N)
		for i := range ids {
			ids[i] = w.submit()
		}
		ss, _ := passing()
		c := w.config()
		c.Concurrency = 16
		b.ResetTimer()
		w.start(c, ss)
		for {
			depth, err := w.store.OutboxDepth(ctx)
			if err != nil {
				b.Fatal(err)
			}
			if depth[session.KindVerify] == 0 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cases/s")
		for _, id := range ids {
			w.decided(id, 0)
		}
	}
	b.Run("embedded", func(b *testing.B) { run(b, "") })
	b.Run("redis", func(b *testing.B) { run(b, testserver.Redis(b).URL()) })
}
