package storage

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Info describes a stored blob.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Blobs is a store of immutable byte strings. Keys are as CheckKey wants them.
// storagetest.RunBlobs is the conformance suite that every driver passes.
type Blobs interface {
	// Put stores size bytes of r (-1 when unknown) under key. The blob is
	// visible either whole or not at all, and durable when Put returns nil.
	// An existing blob is replaced. An error of r, or fewer or more bytes
	// than size, is an error and leaves nothing new behind.
	Put(ctx context.Context, key string, r io.Reader, size int64) error
	// Get opens a blob; ErrNotFound when there is none.
	Get(ctx context.Context, key string) (io.ReadCloser, error)
	// Stat describes a blob; ErrNotFound when there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes a blob with every version that the store kept of it.
	// Deleting what is not there is no error.
	Delete(ctx context.Context, key string) error
	// List returns up to limit blobs whose keys start with prefix and sort
	// after after, in ascending order of keys.
	List(ctx context.Context, prefix, after string, limit int) ([]Info, error)
}

const maxKey = 512 // bytes; S3 allows 1024, file systems allow 255 a segment

// CheckKey accepts keys of 1 to 512 bytes made of segments of a-z, A-Z, 0-9,
// '-', '_' and '.', separated by single slashes, no segment starting with a
// dot or longer than 200 bytes: safe as path and as URL on every driver.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("blob key of %d bytes: want 1 to %d", len(key), maxKey)
	}
	seg := 0
	for i := 0; i < len(key); i++ {
		c := key[i]
		switch {
		case c == '/':
			if seg == 0 || i == len(key)-1 {
				return fmt.Errorf("blob key with an empty segment at byte %d", i)
			}
			seg = 0
			continue
		case c == '.' && seg == 0:
			return fmt.Errorf("blob key with a segment that starts with a dot at byte %d", i)
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return fmt.Errorf("blob key with byte %#02x at %d", c, i)
		}
		if seg++; seg > 200 {
			return fmt.Errorf("blob key with a segment longer than 200 bytes")
		}
	}
	return nil
}
