package reader

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"gocv.io/x/gocv"
)

// dataRoot finds the evaluation data, which is not part of the repository.
func dataRoot(t testing.TB) string {
	t.Helper()
	dirs := []string{os.Getenv("PROOFLINE_DATA")}
	for up := ".."; len(up) < 20; up += "/.." {
		dirs = append(dirs, filepath.Join(up, "shared", "data"))
	}
	for _, d := range dirs {
		if d != "" {
			if _, err := os.Stat(filepath.Join(d, "mrz", "images.jsonl")); err == nil {
				return d
			}
		}
	}
	t.Skip("evaluation data not present; set PROOFLINE_DATA")
	return ""
}

// processorTime is what the process has used, so that figures do not depend
// on what else the machine does.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

type item struct {
	File string
	Set  string
	MRZ  []string
	Tags []string
}

func TestEvaluationImagesAreReadExactlyOrHonestly(t *testing.T) {
	root := dataRoot(t)
	f, err := os.Open(filepath.Join(root, "mrz", "images.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := New(Options{Clients: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	only := os.Getenv("ONLY")
	exact, total := map[string]int{}, map[string]int{}
	falseValid, falseFound := 0, 0
	var times []time.Duration
	for s := bufio.NewScanner(f); s.Scan(); {
		var it item
		if err := json.Unmarshal(s.Bytes(), &it); err != nil {
			t.Fatal(err)
		}
		if only != "" && !strings.Contains(it.File, only) {
			continue
		}
		m := gocv.IMRead(filepath.Join(root, it.File), gocv.IMReadColor)
		start := processorTime(t)
		res, err := r.Read(t.Context(), m)
		took := processorTime(t) - start
		m.Close()
		if err != nil {
			t.Fatalf("%s: %v", it.File, err)
		}
		times = append(times, took)
		total[it.Set]++
		name := filepath.Base(it.File)
		switch {
		case len(it.MRZ) == 0 && res.Found:
			falseFound++
			t.Logf("FOUND %s: %v", name, res.Lines)
		case len(it.MRZ) == 0, slices.Equal(res.Lines, it.MRZ):
			exact[it.Set]++
			if only != "" {
				t.Logf("ok %s %v valid=%v conf=%.2f %v", name, took, res.Valid, res.Confidence, res.Repairs)
			}
		default:
			if res.Valid {
				falseValid++
			}
			t.Logf("MISS %s %v valid=%v conf=%.2f repairs=%v", name, took.Round(time.Millisecond), res.Valid, res.Confidence, res.Repairs)
			for i := range max(len(res.Lines), len(it.MRZ)) {
				got, want := "", ""
				if i < len(res.Lines) {
					got = res.Lines[i]
				}
				if i < len(it.MRZ) {
					want = it.MRZ[i]
				}
				if got != want {
					t.Logf("   got  %s", got)
					t.Logf("   want %s", want)
				}
			}
		}
	}
	var e, n int
	for set := range total {
		e, n = e+exact[set], n+total[set]
		t.Logf("%s: %d of %d exact", set, exact[set], total[set])
	}
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	t.Logf("%d of %d exact, %d false valid, %d found on negatives; processor time median %v, 90 %% %v", e, n, falseValid, falseFound,
		times[len(times)/2], times[len(times)*9/10])
	if falseValid > 0 || falseFound > 0 {
		t.Error("a wrong zone was called valid, or one was found where none is")
	}
}
