package load

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Usage is what one process used together with its children.
type Usage struct {
	Name string `json:"name"`
	// CPUSeconds is processor time; Cores is that over the time that went by.
	CPUSeconds float64 `json:"cpu_seconds"`
	Cores      float64 `json:"cores"`
	// PeakMiB is the most resident memory seen at one time, EndMiB the last.
	PeakMiB float64 `json:"peak_mib"`
	EndMiB  float64 `json:"end_mib"`
}

// ticks is the kernel's USER_HZ, 100 on every Linux that Go runs on.
const ticks = 100

type proc struct {
	parent   int
	cpu      float64 // seconds, with children that have ended
	resident float64 // MiB
}

// readProc reads /proc/PID/stat (proc(5)).
func readProc(root string, pid int) (proc, error) {
	b, err := os.ReadFile(filepath.Join(root, strconv.Itoa(pid), "stat"))
	if err != nil {
		return proc{}, err
	}
	// The name stands in brackets and may hold anything.
	i := strings.LastIndexByte(string(b), ')')
	f := strings.Fields(string(b[i+1:]))
	if i < 0 || len(f) < 22 {
		return proc{}, fmt.Errorf("process %d: unexpected form of stat", pid)
	}
	num := func(field int) float64 { v, _ := strconv.ParseFloat(f[field-3], 64); return v }
	return proc{
		parent: int(num(4)), cpu: (num(14) + num(15) + num(16) + num(17)) / ticks,
		resident: num(24) * float64(os.Getpagesize()) / (1 << 20),
	}, nil
}

// tree sums a process and everything below it.
func tree(root string, pid int) (cpu, resident float64, err error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return 0, 0, err
	}
	all := map[int]proc{}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			if p, err := readProc(root, n); err == nil {
				all[n] = p
			}
		}
	}
	if _, ok := all[pid]; !ok {
		return 0, 0, fmt.Errorf("there is no process %d", pid)
	}
	for n := range all {
		for up, depth := n, 0; up != 0 && depth < 64; up, depth = all[up].parent, depth+1 {
			if up == pid {
				cpu += all[n].cpu
				resident += all[n].resident
				break
			}
		}
	}
	return cpu, resident, nil
}

// Processes watches what processes use.
type Processes struct {
	mu    sync.Mutex
	root  string
	names []string
	pids  []int
	first []float64
	use   []Usage
	begin time.Time
}

// Watch begins to watch; pids are by name.
func Watch(names []string, pids []int) (*Processes, error) {
	w := &Processes{root: "/proc", names: names, pids: pids, begin: time.Now(), first: make([]float64, len(pids)), use: make([]Usage, len(pids))}
	for i, pid := range pids {
		cpu, _, err := tree(w.root, pid)
		if err != nil {
			return nil, fmt.Errorf("watch %s: %w", names[i], err)
		}
		w.first[i] = cpu
	}
	return w, nil
}

// Insert watches one more process, in the i-th place; all that it used counts.
func (w *Processes) Insert(i int, name string, pid int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names, w.pids = slices.Insert(w.names, i, name), slices.Insert(w.pids, i, pid)
	w.first, w.use = slices.Insert(w.first, i, 0), slices.Insert(w.use, i, Usage{})
}

// Look takes a sample of all processes and returns what they used so far.
func (w *Processes) Look() []Usage {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, pid := range w.pids {
		u := &w.use[i]
		u.Name = w.names[i]
		cpu, resident, err := tree(w.root, pid)
		if err != nil {
			continue // it ended; what it used stays
		}
		u.CPUSeconds, u.EndMiB = cpu-w.first[i], resident
		u.PeakMiB = max(u.PeakMiB, resident)
		u.Cores = u.CPUSeconds / max(time.Since(w.begin).Seconds(), 1e-3)
	}
	return append([]Usage(nil), w.use...)
}
