package models

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// StatusError is an HTTP answer that is no file.
type StatusError struct {
	URL  string
	Code int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answered %d %s", e.URL, e.Code, http.StatusText(e.Code))
}

// retryable tells answers that may be another one in a moment.
func (e *StatusError) retryable() bool {
	return e.Code == http.StatusTooManyRequests || e.Code == http.StatusRequestTimeout || e.Code >= 500
}

// fromURL appends to the part what is missing from it. The part is named by
// the digest, so it stays right between runs and between sources.
func (f *fetcher) fromURL(ctx context.Context, m Model, s Source, part string) error {
	pause := f.pause
	var last error
	for attempt := range f.attempts {
		if attempt > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			pause *= 2
		}
		err := f.download(ctx, m, s, part)
		if err == nil {
			return nil
		}
		last = err
		var status *StatusError
		var mismatch *MismatchError
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound { // no such host, or no network: waiting does not help
			break
		}
		if ctx.Err() != nil || errors.As(err, &mismatch) || (errors.As(err, &status) && !status.retryable()) {
			break
		}
	}
	return last
}

func (f *fetcher) download(ctx context.Context, m Model, s Source, part string) error {
	out, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("download model %s: %w", m.Role, err)
	}
	defer out.Close()
	have, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("download model %s: %w", m.Role, err)
	}
	if have >= m.Size { // whole, or wrong: install will tell
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(f.stall, func() { cancel(fmt.Errorf("no data for %s", f.stall)) })
	defer watchdog.Stop()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return fmt.Errorf("download model %s: %w", m.Role, err)
	}
	req.Header.Set("Accept-Encoding", "identity") // ranges and sizes are of the file itself
	if have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return fmt.Errorf("download model %s: %w", m.Role, cause(ctx, err))
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusPartialContent && rangeStart(resp.Header.Get("Content-Range")) == have:
	case resp.StatusCode == http.StatusOK:
		have = 0
	case resp.StatusCode == http.StatusPartialContent, resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if err := out.Truncate(0); err != nil {
			return fmt.Errorf("download model %s: %w", m.Role, err)
		}
		return fmt.Errorf("%s did not resume at byte %d", s.URL, have)
	default:
		return &StatusError{URL: s.URL, Code: resp.StatusCode}
	}
	if resp.ContentLength >= 0 && have+resp.ContentLength != m.Size {
		return &MismatchError{Role: m.Role, File: m.File, Where: s.String(), WantSize: m.Size, GotSize: have + resp.ContentLength, WantSHA256: m.SHA256}
	}
	if err := out.Truncate(have); err != nil {
		return fmt.Errorf("download model %s: %w", m.Role, err)
	}
	if _, err := out.Seek(have, io.SeekStart); err != nil {
		return fmt.Errorf("download model %s: %w", m.Role, err)
	}
	w := &counter{w: out, n: have, tell: func(n int64) {
		watchdog.Reset(f.stall)
		f.progress(Event{Model: m, Kind: Downloading, Source: s, Bytes: n, Total: m.Size})
	}}
	n, err := io.Copy(w, io.LimitReader(resp.Body, m.Size-have+1))
	if err != nil {
		return fmt.Errorf("download model %s: %w", m.Role, cause(ctx, err))
	}
	if have+n < m.Size {
		return fmt.Errorf("download model %s: ended after %d of %d bytes: %w", m.Role, have+n, m.Size, io.ErrUnexpectedEOF)
	}
	return out.Close()
}

// rangeStart reads the first byte's position from "bytes 100-199/200", or -1.
func rangeStart(h string) int64 {
	first, _, ok := strings.Cut(strings.TrimPrefix(h, "bytes "), "-")
	n, err := strconv.ParseInt(first, 10, 64)
	if !ok || err != nil {
		return -1
	}
	return n
}

// cause is what went wrong with a request: the reason for which it was
// cancelled rather than the HTTP client's bare "context canceled".
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	var ue *url.Error
	if errors.As(err, &ue) { // it repeats the address, which the caller names
		return ue.Err
	}
	return err
}
