package models

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/models.md")

const (
	beginMark = "<!-- generated from models/manifest.yaml by `go generate ./models`; edit that -->\n"
	endMark   = "<!-- end of the generated part -->\n"
)

func TestTheModelsPageIsTheManifest(t *testing.T) {
	path := filepath.Join("..", "docs", "models.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), beginMark)
	_, after, ok2 := strings.Cut(rest, endMark)
	if !ok || !ok2 {
		t.Fatalf("%s lacks the marks of its generated part", path)
	}
	var page strings.Builder
	page.WriteString(before + beginMark + "\n")
	if err := WriteMarkdown(&page); err != nil {
		t.Fatal(err)
	}
	page.WriteString(endMark + after)
	if page.String() == string(b) {
		return
	}
	if !*update {
		t.Fatalf("%s is stale: run `go generate ./models`", path)
	}
	if err := os.WriteFile(path, []byte(page.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryRoleOfTheDesignIsInTheManifest(t *testing.T) {
	want := map[string]string{
		"face-detect-near": Default, "face-detect-far": Default, "face-embed": Default, "face-embed-dlib": Default, "liveness": Default, "mrz-ocr": Default,
		"face-detect-yunet": Zoo, "face-embed-sface": Zoo, "liveness-v2": Zoo, "liveness-v1se": Zoo,
	}
	for _, m := range Manifest() {
		if want[m.Role] != m.Profile {
			t.Errorf("role %s has profile %q, want %q", m.Role, m.Profile, want[m.Role])
		}
		if len(m.Sources) == 0 || len(m.Outputs) == 0 || m.Input.Layout == "" || m.Input.Crop == "" {
			t.Errorf("role %s lacks its sources or its contract", m.Role)
		}
		delete(want, m.Role)
	}
	if len(want) > 0 {
		t.Errorf("not in the manifest: %v", want)
	}
}

func TestDefaultModelsComeFromNoAddress(t *testing.T) {
	ms, err := Profile(Default)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range ms {
		for _, s := range m.Sources {
			if s.Kind != "npm" || s.URL != "" {
				t.Errorf("%s: %s", m.Role, s)
			}
		}
	}
}

func TestClassNamesTheColumnOfAClassifier(t *testing.T) {
	for role, want := range map[string]int{"liveness": 0, "liveness-v2": 1, "liveness-v1se": 1, "face-embed": -1} {
		for _, m := range Manifest() {
			if m.Role == role && m.Class("live") != want {
				t.Errorf("%s: live is column %d, want %d", role, m.Class("live"), want)
			}
		}
	}
}

func TestABadManifestIsRefused(t *testing.T) {
	good := `{role: r, name: n, profile: default, file: f.onnx, sha256: "` + strings.Repeat("ab", 32) + `", size: 1, licence: MIT, provenance: p}`
	if _, err := parseManifest([]byte("models: [" + good + "]")); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown key":          {"size: 1", "size: 1, sise: 2"},
		"path in file":         {"f.onnx", "../f.onnx"},
		"hidden file":          {"f.onnx", ".f.onnx"},
		"short digest":         {"abab", "ab"},
		"upper-case digest":    {"abab", "ABab"},
		"no licence":           {"licence: MIT", `licence: ""`},
		"no size":              {"size: 1", "size: 0"},
		"absurd size":          {"size: 1", "size: 99999999999"},
		"plain HTTP":           {"provenance: p", "provenance: p, sources: [{kind: url, url: http://example.com/f}]"},
		"option as a package":  {"provenance: p", "provenance: p, sources: [{kind: npm, package: --registry, version: 1.0.0, path: a}]"},
		"unknown source":       {"provenance: p", "provenance: p, sources: [{kind: ftp}]"},
		"npm without a member": {"provenance: p", "provenance: p, sources: [{kind: npm, package: a, version: 1.0.0}]"},
		"unknown converter":    {"provenance: p", "provenance: p, sources: [{kind: npm, package: a, version: 1.0.0, convert: x}]"},
		"converter, no parts":  {"provenance: p", "provenance: p, sources: [{kind: npm, package: a, version: 1.0.0, convert: dlib-face}]"},
		"parts, no digest":     {"provenance: p", "provenance: p, sources: [{kind: npm, package: a, version: 1.0.0, convert: dlib-face, from: [{path: a, size: 1}, {path: b, size: 1}]}]"},
		"converted address":    {"provenance: p", "provenance: p, sources: [{kind: url, url: 'https://example.com/f', convert: dlib-face}]"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := "models: [" + strings.Replace(good, change[0], change[1], 1) + "]"
			if ms, err := parseManifest([]byte(doc)); err == nil {
				t.Errorf("accepted: %+v", ms)
			}
		})
	}
	if _, err := parseManifest([]byte("models: [" + good + "," + good + "]")); err == nil {
		t.Error("one role twice is accepted")
	}
	if _, err := parseManifest([]byte("models:\n  - &a " + good + "\n  - *a\n")); err == nil || !strings.Contains(err.Error(), "alias") {
		t.Errorf("an alias is accepted: %v", err)
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add(embedded)
	f.Add([]byte("models: []"))
	f.Fuzz(func(t *testing.T, b []byte) {
		ms, err := parseManifest(b)
		if err != nil {
			return
		}
		for _, m := range ms {
			if m.check() != nil {
				t.Fatalf("accepted %+v", m)
			}
		}
	})
}
