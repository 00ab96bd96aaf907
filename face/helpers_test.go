package face

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
)

// engine opens an engine on the installed models, or skips the test.
func engine(t testing.TB, profile string, o Options) *Engine {
	t.Helper()
	set, err := models.Open("", profile)
	if err != nil {
		t.Fatal(err)
	}
	e, err := OpenWith(set, o)
	if err != nil {
		t.Skipf("models are not installed: %v", err)
	}
	t.Cleanup(e.Close)
	return e
}

// dataDir is the folder of labelled development data, or the test is skipped.
func dataDir(t testing.TB) string {
	t.Helper()
	if d := os.Getenv("PROOFLINE_DATA"); d != "" {
		return d
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		d := filepath.Join(filepath.Dir(dir), "shared", "data")
		if _, err := os.Stat(filepath.Join(d, "face", "pairs.jsonl")); err == nil {
			return d
		}
	}
	t.Skip("labelled data is not here (PROOFLINE_DATA)")
	return ""
}

func read(t testing.TB, path string) gocv.Mat {
	t.Helper()
	m := gocv.IMRead(path, gocv.IMReadColor)
	if m.Empty() {
		t.Fatalf("can not read %s", filepath.Base(path))
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestMain(m *testing.M) {
	dnn.SetThreads(1)
	os.Exit(m.Run())
}

// reportCPU adds the processor time of a loop to its benchmark, which a busy
// machine disturbs less than the time of day.
func reportCPU(b *testing.B) func() {
	used := func() float64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
	}
	start := used()
	return func() { b.ReportMetric((used()-start)/float64(b.N), "cpu-ms/op") }
}
