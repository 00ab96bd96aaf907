package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// BenchmarkSweep deletes 100 000 expired objects of 25 000 sessions, with data
// keys, certificates and audit entries, and reports the most memory that was in
// use. The database is on disk, with an fsync for each commit; objects are files.
//
//	go test ./pipeline -run '^$' -bench Sweep -benchtime 1x
func BenchmarkSweep(b *testing.B) {
	const sessions, each = 25_000, 4
	ctx, dir := context.Background(), b.TempDir()
	blobs := filepath.Join(dir, "blobs")
	if i, err := os.Stat("/dev/shm"); err == nil && i.IsDir() { // making them is not what is measured
		if blobs, err = os.MkdirTemp("/dev/shm", "pl-sweep-"); err != nil {
			b.Fatal(err)
		}
		defer os.RemoveAll(blobs)
	}
	s, err := session.Open(ctx, "sqlite:"+filepath.Join(dir, "store.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	k, err := session.OpenKeyStore(ctx, "sqlite:"+filepath.Join(dir, "keys.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	f, err := storage.OpenFS(blobs)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	keys, err := storage.OpenOrCreateKeyFile(filepath.Join(dir, "keyring"))
	if err != nil {
		b.Fatal(err)
	}
	v := storage.NewVault(f, keys, s, time.Now).WithKeyIndex(k)
	expire := time.Now().Add(time.Minute)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range sessions {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			for range each {
				if _, err := v.PutBytes(ctx, storage.Ref{Session: fmt.Sprintf("ses_%06d", i), Class: storage.CaptureImage, Kind: "selfie"}, []byte("photo"), expire); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		return
	}
	runtime.GC()
	var peak atomic.Uint64
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if m.HeapInuse > peak.Load() {
				peak.Store(m.HeapInuse)
			}
		}
	}()
	deleted, certificates := 0, 0
	b.ResetTimer()
	for range b.N {
		for {
			rep, err := SweepEvidence(ctx, s, v, expire.Add(time.Minute), sweepBatch)
			if err != nil || len(rep.Failures) > 0 {
				b.Fatal(rep.Failures, err)
			}
			deleted += rep.Deleted
			certificates += len(rep.Certificates)
			if rep.Expired < sweepBatch {
				break
			}
		}
	}
	b.StopTimer()
	close(stop)
	if deleted != sessions*each || certificates != sessions {
		b.Fatalf("%d objects, %d certificates", deleted, certificates)
	}
	b.ReportMetric(float64(deleted)/b.Elapsed().Seconds(), "objects/s")
	b.ReportMetric(float64(peak.Load())/(1<<20), "MiB-heap-peak")
}
