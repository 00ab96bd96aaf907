package storage_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/storagetest"
)

// BenchmarkUpload stores a photo on a real S3 server, once as the client library
// stores it and once through the vault, which encrypts it. Compare the two lines
// of a size:
//
//	go test ./storage -run '^$' -bench Upload
func BenchmarkUpload(b *testing.B) {
	s := testserver.S3(b)
	for _, size := range []int{300 << 10, 2 << 20, 8 << 20} {
		data := make([]byte, size)
		rand.Read(data)
		a, c := newBucket(b, s, false)
		b.Run(fmt.Sprintf("%dKiB/plain", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			for i := 0; b.Loop(); i++ {
				_, err := a.PutObject(context.Background(), c.Bucket, fmt.Sprint("plain/", i), bytes.NewReader(data), int64(size), minio.PutObjectOptions{})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%dKiB/vault", size>>10), func(b *testing.B) {
			b.SetBytes(int64(size))
			keys, err := storage.OpenOrCreateKeyFile(b.TempDir() + "/keys")
			if err != nil {
				b.Fatal(err)
			}
			v := storage.NewVault(openS3(b, c), keys, storagetest.NewMemoryIndex(), time.Now)
			for b.Loop() {
				ref := storage.Ref{Session: "ses_a", Class: storage.CaptureImage, Kind: "selfie"}
				if _, err := v.PutBytes(ctx, ref, data, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
