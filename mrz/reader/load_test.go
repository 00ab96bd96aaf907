package reader

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/specimen"
	"gocv.io/x/gocv"
)

// smallPhotos are of half a megapixel, so that ten thousand reads end within
// minutes: three formats, one too blurred to be read, and one without a zone.
func smallPhotos(t testing.TB) []gocv.Mat {
	t.Helper()
	var all []gocv.Mat
	for i, f := range []specimen.Format{specimen.TD3, specimen.TD1, specimen.TD2, specimen.MRVA} {
		c := specimen.Camera{Seed: int64(i), Width: 816, Height: 612, Rotation: float64(i), Noise: 2}
		if f == specimen.MRVA {
			c.Defocus = 5
		}
		m, _ := photoOf(t, int64(i), f, c)
		all = append(all, m)
	}
	s, err := specimen.New(9, specimen.Options{Format: specimen.TD1})
	if err != nil {
		t.Skip(err)
	}
	p, err := specimen.Photograph(s.Front(), specimen.Camera{Seed: 9, Width: 816, Height: 612})
	if err != nil {
		t.Fatal(err)
	}
	return append(all, matOf(t, p.Image))
}

// resident is the memory of the process in MiB, that of OpenCV included.
func resident(t testing.TB) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 20
}

// PROOFLINE_READS=10000 makes the long form of this test, which docs/mrz.md
// reports.
func TestReadingKeepsNoMemory(t *testing.T) {
	reads := 150
	if v := os.Getenv("PROOFLINE_READS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		reads = n
	}
	r := openReader(t, 1)
	photos := smallPhotos(t)
	read := func(n int) {
		for i := range n {
			m := photos[i%3]
			if i%25 > 22 { // what can not be read is searched for longest
				m = photos[i%25-20]
			}
			if _, err := r.Read(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
	}
	warm := min(500, reads/3)
	read(warm)
	before := resident(t)
	t.Logf("after %d reads %d MiB", warm, before)
	for done := warm; done < reads; {
		n := min(max(reads/10, 50), reads-done)
		read(n)
		done += n
		t.Logf("after %d reads %d MiB", done, resident(t))
	}
	// One grey photo kept per read would be 0.5 MiB: 50 MiB in the short form.
	if grown := resident(t) - before; grown > 30 {
		t.Errorf("resident memory grew from %d by %d MiB over %d reads", before, grown, reads-warm)
	}
}

// batch reads photos with several clients and returns wall and processor time
// per photo.
func batch(t testing.TB, clients, reads int, photos []gocv.Mat) (wall, processor time.Duration) {
	r := openReader(t, clients)
	var next atomic.Int64
	var wg sync.WaitGroup
	work := func(n int64) {
		next.Store(0)
		for range clients {
			wg.Go(func() {
				for i := next.Add(1); i <= n; i = next.Add(1) {
					if _, err := r.Read(t.Context(), photos[i%int64(len(photos))]); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	}
	work(int64(2 * clients)) // the first read of a network plans it
	start, cpu := time.Now(), processorTime(t)
	work(int64(reads))
	return time.Since(start) / time.Duration(reads), (processorTime(t) - cpu) / time.Duration(reads)
}

// Clients share nothing, so a read costs about the same processor time with others
// beside it; on an idle machine the wall time then falls with the cores. Two threads
// of one core, or a neighbour that takes the machine's time, make a read up to twice
// as long; only what costs more each time is a fault, as threads that wait for each
// other in a circle do. docs/mrz.md has figures.
func TestClientsDoNotSlowEachOther(t *testing.T) {
	photos := smallPhotos(t)[:3]
	for try := 1; ; try++ {
		wall1, cpu1 := batch(t, 1, 24, photos)
		wall2, cpu2 := batch(t, 2, 24, photos)
		t.Logf("one client: %v wall, %v processor a photo; two: %v wall, %v processor", wall1, cpu1, wall2, cpu2)
		if cpu2 <= 3*cpu1 {
			return
		}
		if try == 5 {
			t.Fatalf("a read takes %v of processor time beside another, %v alone", cpu2, cpu1)
		}
	}
}

func BenchmarkReadBatch(b *testing.B) {
	photos := smallPhotos(b)[:3]
	for _, clients := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("clients-%d", clients), func(b *testing.B) {
			wall, cpu := batch(b, clients, max(b.N, 6), photos)
			b.ReportMetric(float64(wall.Microseconds())/1000, "wall-ms/photo")
			b.ReportMetric(float64(cpu.Microseconds())/1000, "cpu-ms/photo")
			b.ReportMetric(0, "ns/op")
		})
	}
}
