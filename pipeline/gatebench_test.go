package pipeline

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
)

// BenchmarkGate answers an upload with everything that the gate runs: decoding,
// finding the document, the face detectors, all measures and the policy.
// cpu-ms/op is processor time; run it with GOMAXPROCS=1 under taskset.
func BenchmarkGate(b *testing.B) {
	e, rules := engines(b), policy.Default()
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		testserver.Missing(b, "portraits", "run `make setup`")
	}
	for _, size := range [][2]int{{1632, 1224}, {4000, 3000}} {
		for _, f := range []specimen.Format{specimen.TD3, specimen.TD1} {
			doc, err := specimen.New(1, specimen.Options{Format: f, Portraits: ps})
			if err != nil {
				b.Fatal(err)
			}
			c := specimen.GoodCamera(1)
			c.Width, c.Height = size[0], size[1]
			p, err := specimen.Photograph(doc.Front(), c)
			if err != nil {
				b.Fatal(err)
			}
			data, err := p.JPEG(90)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprintf("%dMP/%s", (size[0]*size[1]+500_000)/1_000_000, f), func(b *testing.B) {
				start := cpuTime()
				for b.Loop() {
					if _, err := Gate(ctx, e, rules, "document_front", data); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64((cpuTime()-start).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// cpuTime is what the process has used so far: on a busy machine the wall clock
// measures the neighbours.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
