package storage

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// List implements Blobs. Shards are not in the order of keys, so it walks all
// directories that may hold prefix and keeps the limit smallest keys: memory
// is bounded by limit, time grows with the number of blobs. Only maintenance
// lists.
func (f *FS) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	if limit <= 0 {
		return nil, nil
	}
	h := &largestFirst{}
	err := f.Walk(ctx, prefix, func(i Info) error {
		if i.Key <= after || h.full(limit) && i.Key >= (*h)[0].Key {
			return nil
		}
		heap.Push(h, i)
		if len(*h) > limit {
			heap.Pop(h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := []Info(*h)
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out, nil
}

// Walk visits every blob whose key starts with prefix, in no order, once, and
// ends with the first error of visit.
func (f *FS) Walk(ctx context.Context, prefix string, visit func(Info) error) error {
	if err := f.walk(ctx, ".", "", prefix, visit); err != nil {
		return fmt.Errorf("list blobs: %w", diskFailure(err))
	}
	return nil
}

// walk visits dir, whose files have keys that start with base.
func (f *FS) walk(ctx context.Context, dir, base, prefix string, visit func(Info) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, err := f.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	shard := strings.HasPrefix(path.Base(dir), "+")
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			name := e.Name()
			if strings.HasPrefix(name, ".") {
				continue
			}
			if e.IsDir() {
				sub := base
				if !strings.HasPrefix(name, "+") {
					if sub = base + name + "/"; !strings.HasPrefix(sub, prefix) && !strings.HasPrefix(prefix, sub) {
						continue
					}
				}
				if err := f.walk(ctx, path.Join(dir, name), sub, prefix, visit); err != nil {
					return err
				}
				continue
			}
			key := base + name
			if !shard || !strings.HasPrefix(key, prefix) {
				continue
			}
			i, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted meanwhile
			}
			if err != nil {
				return err
			}
			if err := visit(Info{Key: key, Size: i.Size(), Modified: i.ModTime().UTC()}); err != nil {
				return err
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

// largestFirst is a heap whose root is the largest key.
type largestFirst []Info

func (h largestFirst) full(limit int) bool { return len(h) >= limit }
func (h largestFirst) Len() int            { return len(h) }
func (h largestFirst) Less(i, j int) bool  { return h[i].Key > h[j].Key }
func (h largestFirst) Swap(i, j int)       { h[i], h[j] = h[j], h[i] }
func (h *largestFirst) Push(x any)         { *h = append(*h, x.(Info)) }
func (h *largestFirst) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
