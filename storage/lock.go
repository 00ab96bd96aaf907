package storage

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/minio/minio-go/v7"
)

// Small files that nobody may change, not even whoever runs Proofline:
// published checkpoints of the audit log. On S3 with object lock the server
// itself refuses to delete or shorten them (mode compliance) until their time is
// over. A locked object can still be hidden behind a delete marker or a newer
// version, so readers ask for every version of a key.

// MaxCopyBytes bounds a file of PutLocked.
const MaxCopyBytes = 64 << 10

// Locker is what a driver of Blobs has when its server can lock objects.
type Locker interface {
	// PutLocked stores b under key and locks it until a time where the bucket
	// has object lock; locked tells.
	PutLocked(ctx context.Context, key string, b []byte, until time.Time) (locked bool, err error)
	// Versions returns every kept version of every key under prefix, also of
	// those that were deleted or replaced since.
	Versions(ctx context.Context, prefix string) iter.Seq2[[]byte, error]
}

// PutLocked stores a small file and locks it where the store can do that.
func PutLocked(ctx context.Context, to Blobs, key string, b []byte, until time.Time) (locked bool, err error) {
	if len(b) > MaxCopyBytes {
		return false, fmt.Errorf("store locked blob %s: %d bytes exceed %d", key, len(b), MaxCopyBytes)
	}
	if l, ok := as[Locker](to); ok {
		return l.PutLocked(ctx, key, b, until)
	}
	return false, to.Put(ctx, key, bytes.NewReader(b), int64(len(b)))
}

// Versions reads every file under prefix, with all that was kept of it.
func Versions(ctx context.Context, from Blobs, prefix string) iter.Seq2[[]byte, error] {
	if l, ok := as[Locker](from); ok {
		return l.Versions(ctx, prefix)
	}
	return func(yield func([]byte, error) bool) {
		const page = 1000
		after := ""
		for {
			infos, err := from.List(ctx, prefix, after, page)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, i := range infos {
				b, err := readSmall(from.Get(ctx, i.Key))
				if !yield(b, err) || err != nil {
					return
				}
				after = i.Key
			}
			if len(infos) < page {
				return
			}
		}
	}
}

func readSmall(r io.ReadCloser, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, MaxCopyBytes+1))
	if err == nil && len(b) > MaxCopyBytes {
		err = fmt.Errorf("read locked blob: more than %d bytes", MaxCopyBytes)
	}
	return b, err
}

// PutLocked implements Locker. Object lock is a property of the bucket, chosen
// when it is made; it needs s3:PutObjectRetention and
// s3:GetBucketObjectLockConfiguration beside what Put needs.
func (s *S3) PutLocked(ctx context.Context, key string, b []byte, until time.Time) (bool, error) {
	if err := CheckKey(key); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	state, _, _, _, err := s.client.GetObjectLockConfig(ctx, s.bucket)
	switch minio.ToErrorResponse(err).Code {
	case "":
		if err != nil {
			return false, fmt.Errorf("ask for the object lock of bucket %s: %w", s.bucket, err)
		}
	case "ObjectLockConfigurationNotFoundError", "NotImplemented", "MethodNotAllowed":
		state = ""
	default:
		return false, fmt.Errorf("ask for the object lock of bucket %s: %w", s.bucket, err)
	}
	locked := state == "Enabled"
	o := minio.PutObjectOptions{ContentType: "text/plain; charset=utf-8"}
	if locked {
		// The header's time has whole seconds.
		o.Mode, o.RetainUntilDate, o.SendContentMd5 = minio.Compliance, until.UTC().Truncate(time.Second), true
	}
	if _, err := s.client.PutObject(ctx, s.bucket, s.prefix+key, bytes.NewReader(b), int64(len(b)), o); err != nil {
		return false, fmt.Errorf("store locked blob %s: %w", key, err)
	}
	return locked, nil
}

// Versions implements Locker.
func (s *S3) Versions(ctx context.Context, prefix string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		lctx, cancel := context.WithCancel(ctx)
		defer cancel() // ends the client's listing
		opts := minio.ListObjectsOptions{Prefix: s.prefix + prefix, Recursive: true, WithVersions: true}
		objects := s.client.ListObjects(lctx, s.bucket, opts)
		for o := range objects {
			if minio.ToErrorResponse(o.Err).Code == "NotImplemented" { // a server without versions
				opts.WithVersions = false
				for o := range s.client.ListObjects(lctx, s.bucket, opts) {
					if !s.version(ctx, o, yield) {
						return
					}
				}
				return
			}
			if !s.version(ctx, o, yield) {
				return
			}
		}
	}
}

func (s *S3) version(ctx context.Context, o minio.ObjectInfo, yield func([]byte, error) bool) bool {
	if o.Err != nil {
		yield(nil, fmt.Errorf("list versions of blobs: %w", o.Err))
		return false
	}
	if o.IsDeleteMarker {
		return true
	}
	rctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	r, err := s.client.GetObject(rctx, s.bucket, o.Key, minio.GetObjectOptions{VersionID: o.VersionID})
	if err != nil {
		yield(nil, fmt.Errorf("open blob %s: %w", o.Key, err))
		return false
	}
	b, err := readSmall(r, nil)
	if err != nil {
		yield(nil, fmt.Errorf("read blob %s: %w", o.Key, err))
		return false
	}
	return yield(b, nil)
}
