package licences

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/licences.md")

// permitted are the licences that may be in the binary.
var permitted = []string{"Apache-2.0", "MIT", "BSD-3-Clause", "BSD-2-Clause", "ISC", "CC0-1.0", "Unlicense"}

// licenceOf names a licence by phrases that no other one has.
func licenceOf(text string) string {
	s := strings.Join(strings.Fields(strings.ToLower(text)), " ")
	has := func(p string) bool { return strings.Contains(s, p) }
	switch {
	case has("spdx-license-identifier: bsd-3-clause or gpl-2.0-only"): // the user's choice
		return "BSD-3-Clause"
	case has("gnu affero general public license"), has("gnu general public license"), has("gnu lesser general public license"):
		return "GPL family"
	case has("mozilla public license"):
		return "MPL-2.0"
	case has("apache license") && has("version 2.0"):
		return "Apache-2.0"
	case has("redistribution and use in source and binary forms"):
		if has("neither the name") || has("names of its contributors may be used") {
			return "BSD-3-Clause"
		}
		return "BSD-2-Clause"
	case has("permission to use, copy, modify, and/or distribute"), has("permission to use, copy, modify, and distribute this software"):
		return "ISC"
	case has("permission is hereby granted, free of charge"):
		return "MIT"
	case has("cc0 1.0 universal"):
		return "CC0-1.0"
	case has("this is free and unencumbered software"):
		return "Unlicense"
	}
	return "unknown"
}

func licenceFile(dir string) string {
	for _, pattern := range []string{"LICEN[SC]E*", "[Ll]icen[sc]e*", "COPYING*", "UNLICENSE*"} {
		if m, _ := filepath.Glob(filepath.Join(dir, pattern)); len(m) > 0 {
			slices.Sort(m)
			for _, f := range m {
				if i, err := os.Stat(f); err == nil && i.Mode().IsRegular() {
					return f
				}
			}
		}
	}
	return ""
}

func TestEveryModuleInTheBinaryHasAPermittedLicence(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Version}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/proofline")
	cmd.Dir = "../.."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list modules: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	lines = slices.DeleteFunc(slices.Compact(lines), func(s string) bool { return s == "" })
	if len(lines) < 20 {
		t.Fatalf("%d modules", len(lines))
	}
	var w strings.Builder
	w.WriteString(head)
	for _, l := range lines {
		p := strings.Split(l, "\t")
		licence := "none found"
		if f := licenceFile(p[2]); f != "" {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			licence = licenceOf(string(b))
		}
		if !slices.Contains(permitted, licence) {
			t.Errorf("%s %s: licence %s is not permitted in the binary", p[0], p[1], licence)
		}
		fmt.Fprintf(&w, "| `%s` | %s | %s |\n", p[0], p[1], licence)
	}
	const file = "../../docs/licences.md"
	if *update && !t.Failed() {
		if err := os.WriteFile(file, []byte(w.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != w.String() {
		t.Errorf("docs/licences.md is not current (%v); run: go test ./internal/licences -update", err)
	}
}

func TestLicencesAreToldApart(t *testing.T) {
	for text, want := range map[string]string{
		"GNU LESSER GENERAL PUBLIC LICENSE Version 3": "GPL family",
		"Mozilla Public License Version 2.0":          "MPL-2.0",
		"Apache License\n Version 2.0, January 2004":  "Apache-2.0",
		"all rights reserved":                         "unknown",
	} {
		if got := licenceOf(text); got != want {
			t.Errorf("%q is called %s", text, got)
		}
	}
}

const head = `# Third-party licences

Proofline itself is Apache-2.0. Models have a list of their own: [models.md](models.md).
This page is written by ` + "`go test ./internal/licences -update`" + `; the same test fails when a
Go module comes into the binary whose licence is none of Apache-2.0, MIT, BSD, ISC,
CC0 and Unlicense.

## C libraries

All are linked dynamically, from the distribution's packages. None is part of the
binary or of its source: whoever replaces the shared library runs another one.

| library | licence | linked |
| --- | --- | --- |
| OpenCV | Apache-2.0 | dynamically, through gocv |
| Tesseract | Apache-2.0 | dynamically, through its C interface |
| Leptonica | BSD-2-Clause | dynamically, by Tesseract |
| ZXing-C++ | Apache-2.0 | dynamically |
| libheif (and libde265 behind it) | LGPL-3.0 | dynamically only. A static build, or an image that hides the library, would have to let its users relink: do not make one without that |

## Capture page

The page's script is built from this repository's own sources and one npm package,
` + "`uqr`" + ` (MIT), which draws QR codes. esbuild (MIT), TypeScript (Apache-2.0) and axe-core
(MPL-2.0) are tools of the build and of its tests; nothing of them is in the page.

## Go modules

| module | version | licence, as its licence file reads |
| --- | --- | --- |
`
