package storage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// FS keeps blobs as files in one directory: 0600 in directories of 0700,
// spread over 256 shard directories per prefix. A blob is written to a
// temporary file, synced, renamed and the directory synced, so that a crash
// leaves either the old state or the new one.
type FS struct {
	root *os.Root
}

const (
	tempDir = ".tmp" // no key starts with a dot
	tempAge = time.Hour
)

// OpenFS opens, and makes if need be, a blob store in dir. It removes
// temporary files that a crashed writer left an hour ago or longer.
func OpenFS(dir string) (*FS, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make blob directory: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open blob directory: %w", err)
	}
	f := &FS{root: root}
	if err := f.prepare(); err != nil {
		root.Close()
		return nil, fmt.Errorf("prepare blob directory: %w", err)
	}
	return f, nil
}

func (f *FS) prepare() error {
	if err := f.root.Mkdir(tempDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := f.root.Open(tempDir)
	if err != nil {
		return err
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			if i, err := e.Info(); err == nil && time.Since(i.ModTime()) > tempAge {
				if err := f.root.Remove(path.Join(tempDir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Close releases the directory.
func (f *FS) Close() error { return f.root.Close() }

// place returns the directory and the file of a key: the last segment goes
// into a shard directory named after the key's hash. '+' is in no key, so a
// shard is never mistaken for a segment.
func place(key string) (dir, file string) {
	sum := sha256.Sum256([]byte(key))
	dir = path.Join(path.Dir(key), "+"+hex.EncodeToString(sum[:1]))
	return dir, path.Join(dir, path.Base(key))
}

// Put implements Blobs.
func (f *FS) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	source := &blamed{r: r}
	err := f.put(ctx, key, source, size)
	if source.err != nil {
		return err // not the disk's
	}
	return diskFailure(err)
}

func (f *FS) put(ctx context.Context, key string, r io.Reader, size int64) (err error) {
	temp := path.Join(tempDir, rand.Text())
	w, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create temporary blob: %w", err)
	}
	defer func() {
		if err != nil {
			w.Close()
			f.root.Remove(temp)
		}
	}()
	n, err := io.Copy(w, contextReader{ctx, r})
	if err != nil {
		return fmt.Errorf("write blob %s: %w", key, err)
	}
	if size >= 0 && n != size {
		return fmt.Errorf("write blob %s: got %d bytes, %d were announced", key, n, size)
	}
	if err := w.Sync(); err != nil {
		return fmt.Errorf("sync blob %s: %w", key, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("close blob %s: %w", key, err)
	}
	dir, file := place(key)
	if err := f.makeDir(dir); err != nil {
		return fmt.Errorf("make directory of blob %s: %w", key, err)
	}
	if err := f.root.Rename(temp, file); err != nil {
		return fmt.Errorf("rename blob %s: %w", key, err)
	}
	if err := f.syncDir(dir); err != nil {
		return fmt.Errorf("sync directory of blob %s: %w", key, err)
	}
	return nil
}

// makeDir makes a directory and its parents, each durable in its own parent.
func (f *FS) makeDir(dir string) error {
	if dir == "." {
		return nil
	}
	if _, err := f.root.Stat(dir); err == nil {
		return nil
	}
	if err := f.makeDir(path.Dir(dir)); err != nil {
		return err
	}
	if err := f.root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return f.syncDir(path.Dir(dir))
}

func (f *FS) syncDir(dir string) error {
	d, err := f.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Get implements Blobs.
func (f *FS) Get(_ context.Context, key string) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	_, file := place(key)
	r, err := f.root.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open blob %s: %w", key, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", key, diskFailure(err))
	}
	return fileBlob{r}, nil
}

// Stat implements Blobs.
func (f *FS) Stat(_ context.Context, key string) (Info, error) {
	if err := CheckKey(key); err != nil {
		return Info{}, err
	}
	_, file := place(key)
	i, err := f.root.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, fmt.Errorf("stat blob %s: %w", key, ErrNotFound)
	}
	if err != nil {
		return Info{}, fmt.Errorf("stat blob %s: %w", key, diskFailure(err))
	}
	return Info{Key: key, Size: i.Size(), Modified: i.ModTime().UTC()}, nil
}

// Delete implements Blobs. The directory is synced so that a deleted blob does
// not come back after a crash.
func (f *FS) Delete(_ context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	dir, file := place(key)
	err := f.root.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete blob %s: %w", key, diskFailure(err))
	}
	if err := f.syncDir(dir); err != nil {
		return fmt.Errorf("sync after deleting blob %s: %w", key, diskFailure(err))
	}
	return nil
}

// contextReader stops a copy when its context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// blamed remembers that it was the reader that failed.
type blamed struct {
	r   io.Reader
	err error
}

func (b *blamed) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// fileBlob gives read errors their type.
type fileBlob struct{ *os.File }

func (f fileBlob) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // the file's own end
		err = diskFailure(err)
	}
	return n, err
}
