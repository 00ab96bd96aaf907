package pipeline

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
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
	// Rows and files are made behind the vault's back: only sweeping is measured.
	rows := func(path, insert string, n int, args func(i int) []any) {
		b.Helper()
		db, err := sql.Open("sqlite", path)
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for i := range n {
			if _, err := tx.Exec(insert, args(i)...); err != nil {
				b.Fatal(err)
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	rows(filepath.Join(dir, "keys.db"), "INSERT INTO data_keys (session, class, key_id, wrapped, created_at, destroyed_at) VALUES (?, 'capture_image', 'k1', ?, 1, 0)", sessions,
		func(i int) []any { return []any{fmt.Sprintf("ses_%06d", i), make([]byte, 72)} })
	rows(filepath.Join(dir, "store.db"), `INSERT INTO objects (id, session, class, kind, blob_key, size, sha256, created_at, committed_at, retain_until, deleted_at, delete_failures, delete_error, delete_after)
		VALUES (?, ?, 'capture_image', 'selfie', ?, 5, 'ab', 1, 1, ?, 0, 0, '', 0)`, sessions*each,
		func(i int) []any {
			id := fmt.Sprintf("obj_%06d", i)
			if err := f.Put(ctx, "capture_image/"+id, strings.NewReader("photo"), 5); err != nil {
				b.Fatal(err)
			}
			return []any{id, fmt.Sprintf("ses_%06d", i/each), "capture_image/" + id, expire.UnixMicro()}
		})
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
			if deleted += rep.Deleted; deleted%10_000 == 0 {
				fmt.Fprintf(os.Stderr, "%d deleted after %v, heap peak %d MiB\n", deleted, b.Elapsed().Round(time.Second), peak.Load()>>20)
			}
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
