package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/proofline/proofline/models"
)

type sbomCmd struct {
	Profile string `help:"Models to list: default or zoo." enum:"default,zoo" default:"default"`
}

func (sbomCmd) Help() string {
	return "Writes CycloneDX 1.6 as JSON: the Go modules that this very binary was built from, the shared libraries that it loaded on this machine with their SHA-256, and the model files of the profile. Equal installations give equal output."
}

// The part of CycloneDX 1.6 that is used (ECMA-424).
type sbom struct {
	Format     string          `json:"bomFormat"`
	Spec       string          `json:"specVersion"`
	Version    int             `json:"version"`
	Metadata   sbomMetadata    `json:"metadata"`
	Components []sbomComponent `json:"components"`
}

type sbomMetadata struct {
	Component sbomComponent `json:"component"`
}

type sbomComponent struct {
	Type       string         `json:"type"`
	Ref        string         `json:"bom-ref"`
	Name       string         `json:"name"`
	Version    string         `json:"version,omitempty"`
	PURL       string         `json:"purl,omitempty"`
	Hashes     []sbomHash     `json:"hashes,omitempty"`
	Properties []sbomProperty `json:"properties,omitempty"`
}

type sbomHash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type sbomProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (c *sbomCmd) Run() error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("sbom: this binary carries no build information")
	}
	b := sbom{Format: "CycloneDX", Spec: "1.6", Version: 1}
	b.Metadata.Component = sbomComponent{Type: "application", Ref: "proofline", Name: "proofline", Version: version, Properties: []sbomProperty{{"go:version", info.GoVersion}}}
	b.Components = append(b.Components, sbomComponent{Type: "library", Ref: "golang-std", Name: "std", Version: info.GoVersion, PURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")})
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		purl := "pkg:golang/" + m.Path + "@" + url.PathEscape(m.Version)
		b.Components = append(b.Components, sbomComponent{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl, Properties: []sbomProperty{{"go:sum", m.Sum}}})
	}
	libraries, err := loadedLibraries("/proc/self/maps")
	if err != nil {
		return fmt.Errorf("sbom: %w", err)
	}
	for _, path := range libraries {
		sum, err := fileSHA256(path)
		if err != nil {
			return fmt.Errorf("sbom: %w", err)
		}
		name := filepath.Base(path)
		b.Components = append(b.Components, sbomComponent{Type: "library", Ref: "lib:" + name, Name: name, Hashes: []sbomHash{{"SHA-256", sum}}, Properties: []sbomProperty{{"path", path}}})
	}
	ms, err := sbomModels(c.Profile)
	if err != nil {
		return fmt.Errorf("sbom: %w", err)
	}
	b.Components = append(b.Components, ms...)
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", " ")
	return e.Encode(b)
}

// loadedLibraries are the shared objects in this process's memory (proc(5)):
// what the dynamic linker found, which a list of dependencies only promises.
func loadedLibraries(list string) ([]string, error) {
	f, err := os.Open(list)
	if err != nil {
		return nil, fmt.Errorf("list loaded libraries: %w", err)
	}
	defer f.Close()
	found := map[string]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		i := strings.IndexByte(lines.Text(), '/')
		if i < 0 {
			continue
		}
		if path := lines.Text()[i:]; strings.Contains(filepath.Base(path), ".so") {
			found[path] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), lines.Err()
}

func fileSHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("hash library: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("hash %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func sbomModels(profile string) ([]sbomComponent, error) {
	list, err := models.List("", profile)
	if err != nil {
		return nil, err
	}
	var out []sbomComponent
	for _, m := range list {
		out = append(out, sbomComponent{Type: "machine-learning-model", Ref: "model:" + m.File, Name: m.Name, Hashes: []sbomHash{{"SHA-256", m.SHA256}},
			Properties: []sbomProperty{{"role", m.Role}, {"licence", m.Licence}}})
	}
	return out, nil
}
