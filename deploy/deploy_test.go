// Package deploy holds what runs Proofline elsewhere: compose file, systemd units,
// Kubernetes manifests, dashboard and alerts. Its tests hold them against the
// program, so that a renamed metric or setting is noticed.
package deploy

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDashboardAndAlertsAskForMetricsThatExist(t *testing.T) {
	name := regexp.MustCompile(`\bproofline_[a-z_]+`)
	defined := map[string]bool{}
	named := regexp.MustCompile(`"(proofline_[a-z_]+)"`)
	for _, dir := range []string{"../api", "../pipeline", "../cmd/proofline"} {
		files, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			for _, m := range named.FindAllStringSubmatch(read(t, f), -1) {
				defined[m[1]] = true
			}
		}
	}
	if len(defined) < 15 {
		t.Fatalf("found %d metrics in the program", len(defined))
	}
	defined["proofline_pending_cases"] = true // the autoscaler's own, made of one that is looked for
	for _, f := range []string{"grafana/proofline.json", "prometheus/alerts.yaml", "kubernetes/proofline.yaml"} {
		found := name.FindAllString(read(t, f), -1)
		if len(found) == 0 {
			t.Errorf("%s asks for no metric", f)
		}
		for _, m := range found {
			base := m
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if !defined[base] {
				t.Errorf("%s: %s is no metric of the program", f, m)
			}
		}
	}
}

func TestEveryDocumentParses(t *testing.T) {
	var dashboard struct{ Panels []struct{ Title string } }
	if err := json.Unmarshal([]byte(read(t, "grafana/proofline.json")), &dashboard); err != nil || len(dashboard.Panels) < 10 {
		t.Errorf("%d panels, %v", len(dashboard.Panels), err)
	}
	files, err := filepath.Glob("*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, "compose.yaml", "prometheus/prometheus.yml") {
		d := yaml.NewDecoder(strings.NewReader(read(t, f)))
		for {
			var v any
			if err := d.Decode(&v); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("%s: %v", f, err)
				break
			}
		}
	}
}

// The second stage of the image installs the libraries that the binary asks for.
func TestTheImageHasTheLibrariesThatTheBinaryLinks(t *testing.T) {
	flags := read(t, "../build/opencv/opencv4.pc")
	image := read(t, "../Dockerfile")
	modules := regexp.MustCompile(`-lopencv_([a-z0-9]+)`).FindAllStringSubmatch(flags, -1)
	if len(modules) == 0 {
		t.Fatal("no modules of OpenCV")
	}
	for _, m := range modules {
		if !strings.Contains(image, "libopencv-"+m[1]+"406") {
			t.Errorf("the image lacks OpenCV's %s", m[1])
		}
	}
	for _, p := range []string{"libtesseract5", "liblept5", "libzxing2", "libheif1", "tesseract-ocr-eng", "tesseract-ocr-script-latn"} {
		if !slices.Contains(strings.Fields(image), p) {
			t.Errorf("the image lacks %s", p)
		}
	}
}
