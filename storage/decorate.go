package storage

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/semaphore"
)

// Decorators add to any driver what is not its own business. What a driver can
// do beyond Blobs (locked copies, walking, tags) is found through Unwrap, see as.

// as finds a driver, or a decorator, that has T.
func as[T any](b Blobs) (T, bool) {
	for {
		if t, ok := b.(T); ok {
			return t, true
		}
		u, ok := b.(interface{ Unwrap() Blobs })
		if !ok {
			var none T
			return none, false
		}
		b = u.Unwrap()
	}
}

// Limited lets at most n requests run on b at once, so that a burst of uploads
// does not become a burst of connections. A blob that is being read counts until
// it is closed. Who waits gives up with its context.
func Limited(b Blobs, n int) Blobs { return &limited{b, semaphore.NewWeighted(int64(n))} }

type limited struct {
	Blobs
	slots *semaphore.Weighted
}

func (l *limited) Unwrap() Blobs { return l.Blobs }

func (l *limited) hold(ctx context.Context) error {
	if err := l.slots.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("wait for evidence storage: %w", context.Cause(ctx))
	}
	return nil
}

func (l *limited) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if err := l.hold(ctx); err != nil {
		return err
	}
	defer l.slots.Release(1)
	return l.Blobs.Put(ctx, key, r, size)
}

func (l *limited) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := l.hold(ctx); err != nil {
		return nil, err
	}
	r, err := l.Blobs.Get(ctx, key)
	if err != nil {
		l.slots.Release(1)
		return nil, err
	}
	return &closing{ReadCloser: r, after: func() { l.slots.Release(1) }}, nil
}

func (l *limited) Stat(ctx context.Context, key string) (Info, error) {
	if err := l.hold(ctx); err != nil {
		return Info{}, err
	}
	defer l.slots.Release(1)
	return l.Blobs.Stat(ctx, key)
}

func (l *limited) Delete(ctx context.Context, key string) error {
	if err := l.hold(ctx); err != nil {
		return err
	}
	defer l.slots.Release(1)
	return l.Blobs.Delete(ctx, key)
}

func (l *limited) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	if err := l.hold(ctx); err != nil {
		return nil, err
	}
	defer l.slots.Release(1)
	return l.Blobs.List(ctx, prefix, after, limit)
}

// Request is one request to a driver, as Metered tells of it. It names no key.
type Request struct {
	Op    string // put, get, stat, delete, list
	Bytes int64  // of content: written, or read until closed
	Took  time.Duration
	Err   error
}

// Metered tells observe of every request to b once it is over.
func Metered(b Blobs, observe func(Request)) Blobs { return &metered{b, observe} }

type metered struct {
	Blobs
	observe func(Request)
}

func (m *metered) Unwrap() Blobs { return m.Blobs }

func (m *metered) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	start, c := time.Now(), &counting{r: r}
	err := m.Blobs.Put(ctx, key, c, size)
	m.observe(Request{"put", c.n, time.Since(start), err})
	return err
}

func (m *metered) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	start := time.Now()
	r, err := m.Blobs.Get(ctx, key)
	if err != nil {
		m.observe(Request{"get", 0, time.Since(start), err})
		return nil, err
	}
	c := &counting{r: r}
	return &closing{ReadCloser: struct {
		io.Reader
		io.Closer
	}{c, r}, after: func() { m.observe(Request{"get", c.n, time.Since(start), c.err}) }}, nil
}

func (m *metered) Stat(ctx context.Context, key string) (Info, error) {
	start := time.Now()
	i, err := m.Blobs.Stat(ctx, key)
	m.observe(Request{"stat", 0, time.Since(start), err})
	return i, err
}

func (m *metered) Delete(ctx context.Context, key string) error {
	start := time.Now()
	err := m.Blobs.Delete(ctx, key)
	m.observe(Request{"delete", 0, time.Since(start), err})
	return err
}

func (m *metered) List(ctx context.Context, prefix, after string, limit int) ([]Info, error) {
	start := time.Now()
	infos, err := m.Blobs.List(ctx, prefix, after, limit)
	m.observe(Request{"list", 0, time.Since(start), err})
	return infos, err
}

// counting counts what is read and keeps the error that ended it.
type counting struct {
	r   io.Reader
	n   int64
	err error
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && err != io.EOF { //nolint:errorlint // readers return EOF itself
		c.err = err
	}
	return n, err
}

// closing runs after once, when it is closed first.
type closing struct {
	io.ReadCloser
	after func()
}

func (c *closing) Close() error {
	err := c.ReadCloser.Close()
	if c.after != nil {
		c.after()
		c.after = nil
	}
	return err
}

// Decorated returns a vault whose drivers, of all regions, are what wrap makes of
// them.
func (v *Vault) Decorated(wrap func(Blobs) Blobs) *Vault {
	c := *v
	c.regions = make(map[string]Blobs, len(v.regions))
	for name, b := range v.regions {
		c.regions[name] = wrap(b)
	}
	return &c
}
