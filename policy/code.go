package policy

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// Code is a reason code, "category.name".
type Code string

// Category is the part before the dot: capture, document, biometric,
// consistency, compliance or system.
func (c Code) Category() string {
	cat, _, _ := strings.Cut(string(c), ".")
	return cat
}

// Action is what a raised code leads to.
type Action string

// The actions, from mildest to strongest claim on the outcome.
const (
	Note     Action = "note"     // recorded, changes nothing
	Review   Action = "review"   // a person looks
	Reject   Action = "reject"   // the case is refused
	Resubmit Action = "resubmit" // the photo is asked for again
)

func (a Action) valid() bool {
	return a == Note || a == Review || a == Reject || a == Resubmit
}

// CodeInfo is the catalogue's entry of a code.
type CodeInfo struct {
	Code     Code     `yaml:"code" json:"code"`
	Verdict  Verdict  `yaml:"verdict" json:"verdict"`
	Action   Action   `yaml:"action" json:"action"`
	Final    bool     `yaml:"final" json:"final,omitempty"`
	Audience []string `yaml:"audience" json:"audience"`
	Title    string   `yaml:"title" json:"title"`
	Hint     string   `yaml:"hint" json:"hint,omitempty"`

	order int
}

// For reports whether the audience ("client" or "service") may see the code.
func (i CodeInfo) For(audience string) bool {
	for _, a := range i.Audience {
		if a == audience {
			return true
		}
	}
	return false
}

//go:embed codes.yaml
var codesYAML []byte

var codeName = regexp.MustCompile(`^(capture|document|biometric|consistency|compliance|system)\.[a-z][a-z0-9_]*$`)

// parseCodes reads the catalogue and refuses an inconsistent one.
func parseCodes(b []byte) ([]CodeInfo, map[Code]CodeInfo, error) {
	var f struct {
		Codes []CodeInfo `yaml:"codes"`
	}
	if err := yaml.UnmarshalWithOptions(b, &f, yaml.Strict()); err != nil {
		return nil, nil, fmt.Errorf("read reason-code catalogue: %w", err)
	}
	byCode := make(map[Code]CodeInfo, len(f.Codes))
	for i := range f.Codes {
		c := &f.Codes[i]
		c.order = i
		switch _, dup := byCode[c.Code]; {
		case !codeName.MatchString(string(c.Code)):
			return nil, nil, fmt.Errorf("reason-code catalogue: %q is not category.name", c.Code)
		case dup:
			return nil, nil, fmt.Errorf("reason-code catalogue: %s is listed twice", c.Code)
		case !c.Action.valid():
			return nil, nil, fmt.Errorf("reason-code catalogue: %s has no known action", c.Code)
		case c.Verdict != Pass && c.Verdict.rank() == 0:
			return nil, nil, fmt.Errorf("reason-code catalogue: %s has no known verdict", c.Code)
		case c.Title == "":
			return nil, nil, fmt.Errorf("reason-code catalogue: %s has no title", c.Code)
		case c.For("client") && c.Hint == "":
			return nil, nil, fmt.Errorf("reason-code catalogue: %s is shown to clients but says not what to do", c.Code)
		}
		byCode[c.Code] = *c
	}
	return f.Codes, byCode, nil
}

// catalogue is one version of the reason codes.
type catalogue struct {
	list   []CodeInfo
	byCode map[Code]CodeInfo
	hash   string
}

func newCatalogue(text []byte) (catalogue, error) {
	list, byCode, err := parseCodes(text)
	if err != nil {
		return catalogue{}, err
	}
	b, err := json.Marshal(list)
	if err != nil {
		return catalogue{}, fmt.Errorf("hash reason-code catalogue: %w", err)
	}
	sum := sha256.Sum256(b)
	return catalogue{list, byCode, hex.EncodeToString(sum[:])}, nil
}

// The catalogue is compiled in and covered by a test; a broken one can not
// reach a release.
var codes = sync.OnceValue(func() catalogue {
	c, err := newCatalogue(codesYAML)
	if err != nil {
		panic(err)
	}
	return c
})

// Codes returns the whole catalogue in the order of its hints.
func Codes() []CodeInfo { return append([]CodeInfo(nil), codes().list...) }

// CodesYAML returns the text of the catalogue, for [ParseUnder] of a later
// release.
func CodesYAML() []byte { return bytes.Clone(codesYAML) }

// CodesHash is the SHA-256 of the catalogue in hex. Decisions depend on it
// beside the policy: it holds each code's default action and its rank.
func CodesHash() string { return codes().hash }

// Info returns the catalogue's entry of c.
func (c Code) Info() (CodeInfo, bool) {
	i, ok := codes().byCode[c]
	return i, ok
}

// codes is the catalogue that the cell was parsed under.
func (c Cell) codes() catalogue {
	if c.catalogue != nil {
		return *c.catalogue
	}
	return codes()
}

func (c Cell) info(code Code) (CodeInfo, bool) {
	i, ok := c.codes().byCode[code]
	return i, ok
}

// sort orders codes as the catalogue does and drops repetitions.
func (k catalogue) sort(cs []Code) []Code {
	sort.Slice(cs, func(i, j int) bool {
		a, b := k.byCode[cs[i]].order, k.byCode[cs[j]].order
		if a != b {
			return a < b
		}
		return cs[i] < cs[j]
	})
	out := cs[:0]
	for i, c := range cs {
		if i == 0 || c != cs[i-1] {
			out = append(out, c)
		}
	}
	return out
}
