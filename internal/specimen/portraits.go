package specimen

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// Picture is a source file of portraits, with where it comes from and under
// which licence.
type Picture struct {
	File    string `yaml:"file"`
	Kind    string `yaml:"kind"` // "npm" or "gomod"
	Package string `yaml:"package"`
	Version string `yaml:"version"`
	Path    string `yaml:"path"`
	SHA256  string `yaml:"sha256"`
	Size    int64  `yaml:"size"`
	Licence string `yaml:"licence"`
	Credit  string `yaml:"credit"`
}

// Person is someone whose picture stands in for a document holder's. The names
// on documents are invented and have nothing to do with the person shown.
type Person struct {
	ID       string     `yaml:"id"`
	File     string     `yaml:"file"`
	Sex      string     `yaml:"sex"`
	Eyes     [4]float64 `yaml:"eyes"`
	Level    float64    `yaml:"level"`
	Selfie   [4]int     `yaml:"selfie"`
	Outline  []float64  `yaml:"outline"`
	Optional bool       `yaml:"optional"`
	Demo     bool       `yaml:"demo"`

	source func() (*image.RGBA, error)
}

//go:embed portraits.yaml
var portraitsYAML []byte

type portraitList struct {
	Files  []Picture `yaml:"files"`
	People []*Person `yaml:"people"`
}

func readPortraitList() (*portraitList, error) {
	var l portraitList
	if err := yaml.NewDecoder(bytes.NewReader(portraitsYAML), yaml.Strict()).Decode(&l); err != nil {
		return nil, fmt.Errorf("read portraits.yaml: %w", err)
	}
	return &l, nil
}

// Pictures lists the source files with their licences.
func Pictures() ([]Picture, error) {
	l, err := readPortraitList()
	if err != nil {
		return nil, err
	}
	return l.Files, nil
}

// MissingPortraitsError says that the pictures are not installed.
type MissingPortraitsError struct {
	Dir   string
	Files []string
}

func (e *MissingPortraitsError) Error() string {
	return fmt.Sprintf("portraits for specimens are not in %s (%s): run `proofline specimen --fetch`", e.Dir, strings.Join(e.Files, ", "))
}

// DefaultPortraitsDir is $PROOFLINE_PORTRAITS, else proofline/portraits in the
// user's data directory, beside the models.
func DefaultPortraitsDir() string {
	if d := os.Getenv("PROOFLINE_PORTRAITS"); d != "" {
		return d
	}
	data := os.Getenv("XDG_DATA_HOME")
	if data == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return filepath.Join("proofline-data", "portraits")
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "proofline", "portraits")
}

func readPicture(path string, p Picture) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() != p.Size {
		return nil, fmt.Errorf("%s has %d bytes, not the %d of the list", path, info.Size(), p.Size)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != p.SHA256 {
		return nil, fmt.Errorf("%s does not have the SHA-256 of the list", path)
	}
	return b, nil
}

// Portraits is an installed set of pictures. It is safe for concurrent use.
type Portraits struct{ people []*Person }

// OpenPortraits opens the pictures in dir ("" is DefaultPortraitsDir). It
// returns a *MissingPortraitsError when a picture of someone who is not
// optional is absent.
func OpenPortraits(dir string) (*Portraits, error) {
	if dir == "" {
		dir = DefaultPortraitsDir()
	}
	l, err := readPortraitList()
	if err != nil {
		return nil, err
	}
	missing := &MissingPortraitsError{Dir: dir}
	sources := map[string]func() (*image.RGBA, error){}
	for _, p := range l.Files {
		b, err := readPicture(filepath.Join(dir, p.File), p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if p.Kind == "npm" {
				missing.Files = append(missing.Files, p.File)
			}
			continue
		case err != nil:
			return nil, fmt.Errorf("open portraits: %w", err)
		}
		sources[p.File] = sync.OnceValues(func() (*image.RGBA, error) {
			img, err := jpeg.Decode(bytes.NewReader(b))
			if err != nil {
				return nil, fmt.Errorf("decode portrait %s: %w", p.File, err)
			}
			return toRGBA(img), nil
		})
	}
	if len(missing.Files) > 0 {
		return nil, missing
	}
	ps := &Portraits{}
	for _, p := range l.People {
		if p.source = sources[p.File]; p.source != nil {
			ps.people = append(ps.people, p)
		}
	}
	return ps, nil
}

// People lists the ids of everyone, those that seeds choose from first.
func (ps *Portraits) People() []string {
	var out []string
	for _, p := range ps.people {
		out = append(out, p.ID)
	}
	return out
}

// Person finds someone by id.
func (ps *Portraits) Person(id string) (*Person, error) {
	for _, p := range ps.people {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, fmt.Errorf("no portrait of %q; there are %s", id, strings.Join(ps.People(), ", "))
}

// chosen are the people that a seed may choose.
func (ps *Portraits) chosen() []*Person {
	var out []*Person
	for _, p := range ps.people {
		if !p.Optional {
			out = append(out, p)
		}
	}
	return out
}

// shown are the people of the demo's cases.
func (ps *Portraits) shown() []*Person {
	var out []*Person
	for _, p := range ps.people {
		if p.Demo {
			out = append(out, p)
		}
	}
	return out
}

// other returns someone else, chosen by seed.
func (ps *Portraits) other(seed int64, than *Person) *Person {
	var out []*Person
	for _, p := range ps.chosen() {
		if p.ID != than.ID {
			out = append(out, p)
		}
	}
	return pick(stream(seed, "other person"), out)
}

func choosePerson(seed int64, o Options) (*Person, error) {
	if o.Portraits == nil {
		if o.Person != "" {
			return nil, fmt.Errorf("draw specimen: person %q wanted without portraits", o.Person)
		}
		return nil, nil
	}
	if o.Person != "" {
		return o.Portraits.Person(o.Person)
	}
	return pick(stream(seed, "person"), o.Portraits.chosen()), nil
}
