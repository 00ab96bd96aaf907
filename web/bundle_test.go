package web

import (
	"bytes"
	"compress/gzip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// required reports whether a missing tool fails the tests instead of skipping.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("PROOFLINE_REQUIRE") == "all" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// toolchain returns a function that runs one of the pinned Node.js tools.
func toolchain(t *testing.T) func(args ...string) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "node is not installed")
	}
	if _, err := os.Stat("capture/node_modules/esbuild"); err != nil {
		missing(t, "the page's toolchain is not installed; run: npm ci --prefix web/capture")
	}
	return func(args ...string) {
		cmd := exec.Command("node", args...)
		cmd.Dir = "capture"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("node %v: %v\n%s", args, err, out)
		}
	}
}

func TestCommittedBundleIsWhatTheSourcesBuild(t *testing.T) {
	node := toolchain(t)
	if *update {
		node("build.mjs")
	}
	dir := t.TempDir()
	node("build.mjs", dir)
	for _, d := range [][2]string{{dir, "capture/dist"}, {"capture/dist", dir}} {
		entries, err := os.ReadDir(d[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			a, err := os.ReadFile(filepath.Join(d[0], e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(filepath.Join(d[1], e.Name()))
			if err != nil || !bytes.Equal(a, b) {
				t.Errorf("dist/%s is not what the sources build; run: npm run build --prefix web/capture", e.Name())
			}
		}
	}
}

func TestPageSourcesPassTheTypeChecker(t *testing.T) {
	toolchain(t)("node_modules/typescript/bin/tsc", "--noEmit")
}

func TestLiveMeasuresTellGoodFromBadPictures(t *testing.T) {
	node := toolchain(t)
	node("test/run.mjs")
}

func TestPageIsSmall(t *testing.T) {
	const limit = 150_000
	total := 0
	for _, name := range []string{"index.html", "app.js", "app.css", "icon.svg"} {
		b, err := captureFiles.ReadFile("capture/dist/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(b)
		_ = w.Close()
		total += z.Len()
	}
	t.Logf("page: %d bytes compressed", total)
	if total > limit {
		t.Errorf("page has %d bytes compressed, more than %d", total, limit)
	}
}
