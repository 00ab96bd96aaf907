package storage_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

// BenchmarkUpload stores a photo on a real S3 server, in turn as the client
// library stores it and through the vault, which encrypts it, and reports the
// medians and their ratio. In turn, so that other work on the machine slows both.
//
//	go test ./storage -run '^$' -bench Upload -benchtime 50x
func BenchmarkUpload(b *testing.B) {
	s := testserver.S3(b)
	for _, size := range []int{300 << 10, 2 << 20, 8 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			data := make([]byte, size)
			rand.Read(data)
			a, c := newBucket(b, s, false)
			keys, err := storage.OpenOrCreateKeyFile(b.TempDir() + "/keys")
			if err != nil {
				b.Fatal(err)
			}
			v := storage.NewVault(openS3(b, c), keys, storagetest.NewMemoryIndex(), time.Now)
			var plain, vault []time.Duration
			for i := 0; b.Loop(); i++ {
				start := time.Now()
				_, err := a.PutObject(ctx, c.Bucket, fmt.Sprint("plain/", i), bytes.NewReader(data), int64(size), minio.PutObjectOptions{})
				if err != nil {
					b.Fatal(err)
				}
				plain = append(plain, time.Since(start))
				start = time.Now()
				if _, err := v.PutBytes(ctx, storage.Ref{Session: "ses_a", Class: storage.CaptureImage, Kind: "selfie"}, data, noon); err != nil {
					b.Fatal(err)
				}
				vault = append(vault, time.Since(start))
			}
			slices.Sort(plain)
			slices.Sort(vault)
			p, q := plain[len(plain)/2], vault[len(vault)/2]
			b.ReportMetric(float64(p.Microseconds())/1000, "plain-ms")
			b.ReportMetric(float64(q.Microseconds())/1000, "vault-ms")
			b.ReportMetric(float64(q)/float64(p), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}
