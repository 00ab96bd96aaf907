package barcode

import (
	_ "embed"
	"fmt"
	"sync"

	"github.com/goccy/go-yaml"
)

//go:embed aamva.yaml
var aamvaYAML []byte

// ElementInfo describes a data element of the standard.
type ElementInfo struct {
	ID   string `yaml:"id"`
	Name string `yaml:"name"`
	Kind string `yaml:"kind"` // "", date, sex, truncation
	Max  int    `yaml:"max"`  // characters
}

// IssuerInfo is a jurisdiction that issues cards.
type IssuerInfo struct {
	Country string // ISO 3166-1 alpha-3
	Code    string // as in element DAJ
	Name    string
}

type aamvaTables struct {
	list     []ElementInfo
	elements map[string]ElementInfo
	issuers  map[string]IssuerInfo
}

// The tables are compiled in and covered by a test.
var tables = sync.OnceValue(func() *aamvaTables {
	t, err := parseTables(aamvaYAML)
	if err != nil {
		panic(err)
	}
	return t
})

func parseTables(b []byte) (*aamvaTables, error) {
	var f struct {
		Elements []ElementInfo       `yaml:"elements"`
		Issuers  map[string][]string `yaml:"issuers"`
	}
	if err := yaml.UnmarshalWithOptions(b, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("barcode: read AAMVA tables: %w", err)
	}
	t := &aamvaTables{list: f.Elements, elements: map[string]ElementInfo{}, issuers: map[string]IssuerInfo{}}
	for _, e := range f.Elements {
		if len(e.ID) != 3 || !isID(e.ID) || e.Name == "" || e.Max <= 0 {
			return nil, fmt.Errorf("barcode: AAMVA element %q is malformed", e.ID)
		}
		if _, dup := t.elements[e.ID]; dup {
			return nil, fmt.Errorf("barcode: AAMVA element %s is listed twice", e.ID)
		}
		t.elements[e.ID] = e
	}
	for number, i := range f.Issuers {
		if len(number) != 6 || len(i) != 3 {
			return nil, fmt.Errorf("barcode: issuer %q is malformed", number)
		}
		t.issuers[number] = IssuerInfo{Country: i[0], Code: i[1], Name: i[2]}
	}
	return t, nil
}

// Elements lists the data elements of the standard, by id.
func Elements() []ElementInfo { return tables().list }

// Issuer is the jurisdiction of an issuer identification number.
func Issuer(number string) (IssuerInfo, bool) {
	i, ok := tables().issuers[number]
	return i, ok
}
