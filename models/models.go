// Package models knows every file of weights that Proofline loads: which role
// it plays, what it expects as input, where it comes from, its digest and its
// licence. The manifest is data, in manifest.yaml; [Fetch] installs what is
// missing from it, [Open] hands verified paths to the packages that run
// networks, and [Verify] tells an operator what is there.
//
// A file whose SHA-256 is not the manifest's is never handed out: a decision
// names the digests of the models it rests on (see [Ref]), so another file
// under the same name would make the record untrue. An operator who wants
// other models puts them into a directory with a manifest.yaml of its own.
package models

import (
	"bytes"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// Profiles group the models by where they can be had.
const (
	Default = "default" // from the npm registry
	Zoo     = "zoo"     // from the models' own public repositories
	All     = "all"     // both
)

// Model is one entry of the manifest.
type Model struct {
	Role       string   `yaml:"role" json:"role"`
	Name       string   `yaml:"name" json:"name"`
	Profile    string   `yaml:"profile" json:"profile"`
	File       string   `yaml:"file" json:"file"`
	SHA256     string   `yaml:"sha256" json:"sha256"`
	Size       int64    `yaml:"size" json:"size"`
	Licence    string   `yaml:"licence" json:"licence"`
	Provenance string   `yaml:"provenance" json:"provenance"`
	Sources    []Source `yaml:"sources" json:"sources,omitempty"`
	Input      Input    `yaml:"input" json:"input"`
	Outputs    []Output `yaml:"outputs" json:"outputs"`
}

// Source is one place a model's file can be had from.
type Source struct {
	Kind    string `yaml:"kind" json:"kind"` // "npm" or "url"
	Package string `yaml:"package" json:"package,omitempty"`
	Version string `yaml:"version" json:"version,omitempty"`
	Path    string `yaml:"path" json:"path,omitempty"`   // member of the package's tarball
	Inner   string `yaml:"inner" json:"inner,omitempty"` // member of the zip at Path
	URL     string `yaml:"url" json:"url,omitempty"`
	Convert string `yaml:"convert" json:"convert,omitempty"` // converter that makes the file of the parts in From
	From    []Part `yaml:"from" json:"from,omitempty"`
}

// String names the source as a person would look it up.
func (s Source) String() string {
	if s.Kind == "npm" {
		return "npm " + s.Package + "@" + s.Version
	}
	return s.URL
}

// Input is what a network is fed with: pixel p of channel c enters as
// (p - Mean[c]) * Scale, channels in the order of Channels.
type Input struct {
	Name      string     `yaml:"name" json:"name,omitempty"`
	Width     int        `yaml:"width" json:"width,omitempty"`
	Height    int        `yaml:"height" json:"height,omitempty"`
	Layout    string     `yaml:"layout" json:"layout"`
	Channels  string     `yaml:"channels" json:"channels"`
	Mean      [3]float64 `yaml:"mean" json:"mean"`
	Scale     float64    `yaml:"scale" json:"scale,omitempty"`
	Crop      string     `yaml:"crop" json:"crop"`
	CropScale float64    `yaml:"crop_scale" json:"crop_scale,omitempty"` // side of the crop per side of the face box
}

// Output is one output of the network; its position in Model.Outputs is its
// position in the graph.
type Output struct {
	Name    string   `yaml:"name" json:"name,omitempty"`
	Shape   []int    `yaml:"shape" json:"shape,omitempty"`
	Meaning string   `yaml:"meaning" json:"meaning"`
	Classes []string `yaml:"classes" json:"classes,omitempty"`
}

// Class returns the column of the named class in a classifier's output, or -1.
func (m Model) Class(name string) int {
	for _, o := range m.Outputs {
		if i := slices.Index(o.Classes, name); i >= 0 {
			return i
		}
	}
	return -1
}

// Ref names exactly one file of weights; it is what findings and receipts keep.
type Ref struct {
	Role   string `json:"role"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

//go:embed manifest.yaml
var embedded []byte

var manifest = func() []Model {
	ms, err := parseManifest(embedded)
	if err != nil {
		panic("models: built-in manifest: " + err.Error())
	}
	return ms
}()

// Manifest returns every model that is built in.
func Manifest() []Model { return slices.Clone(manifest) }

// Profile returns the built-in models of a profile, or an error that names the
// profiles there are.
func Profile(name string) ([]Model, error) { return selectProfile(manifest, name) }

func selectProfile(all []Model, name string) ([]Model, error) {
	switch name {
	case "", Default, Zoo, All:
	default:
		return nil, fmt.Errorf("model profile %q: there are %s, %s and %s", name, Default, Zoo, All)
	}
	if name == "" {
		name = Default
	}
	var out []Model
	for _, m := range all {
		if name == All || m.Profile == name {
			out = append(out, m)
		}
	}
	return out, nil
}

// DefaultDir is where models are looked for when nothing else is said:
// $PROOFLINE_MODELS, else proofline/models in the user's data directory.
func DefaultDir() string {
	if d := os.Getenv("PROOFLINE_MODELS"); d != "" {
		return d
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return filepath.Join("proofline-data", "models")
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "proofline", "models")
}

func parseManifest(b []byte) ([]Model, error) {
	// Nested aliases grow exponentially when expanded; a manifest needs none.
	for _, t := range lexer.Tokenize(string(b)) {
		if t.Type == token.AliasType {
			return nil, fmt.Errorf("line %d: YAML aliases are not accepted", t.Position.Line)
		}
	}
	var doc struct {
		Models []Model `yaml:"models"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&doc); err != nil {
		return nil, err
	}
	roles := map[string]bool{}
	for i, m := range doc.Models {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("model %d (%s): %w", i+1, m.Role, err)
		}
		if roles[m.Role] {
			return nil, fmt.Errorf("role %s is listed twice", m.Role)
		}
		roles[m.Role] = true
	}
	return doc.Models, nil
}

func (m Model) check() error {
	switch {
	case m.Role == "" || m.Name == "":
		return errors.New("role and name are required")
	case !isDigest(m.SHA256):
		return errors.New("sha256 must be 64 lower-case hex digits")
	case m.File == "" || m.File != filepath.Base(m.File) || strings.HasPrefix(m.File, "."):
		return errors.New("file must be a plain file name")
	case m.Size <= 0 || m.Size > maxModel:
		return fmt.Errorf("size must be 1 to %d bytes", maxModel)
	case m.Licence == "" || m.Provenance == "":
		return errors.New("licence and provenance are required")
	}
	for _, s := range m.Sources {
		if err := s.check(); err != nil {
			return err
		}
	}
	return nil
}

// isDigest reports whether s is a SHA-256 in lower-case hex.
func isDigest(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 32 && s == strings.ToLower(s)
}

func (s Source) check() error {
	if s.Convert != "" {
		return s.checkConvert()
	}
	switch s.Kind {
	case "npm":
		if s.Package == "" || s.Version == "" || s.Path == "" || strings.HasPrefix(s.Package, "-") {
			return errors.New("an npm source needs package, version and path")
		}
	case "url":
		u, err := url.Parse(s.URL)
		if err != nil || u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("source url %q must be an https address", s.URL)
		}
	default:
		return fmt.Errorf("source kind %q: there are npm and url", s.Kind)
	}
	return nil
}
