package ocr

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
	"github.com/proofline/proofline/photo"
)

//go:embed templates/*.yaml
var templateFiles embed.FS

// Template says how a family of documents prints its fields. Templates are data,
// one file each in ocr/templates.
type Template struct {
	Name    string              `yaml:"name"`
	Classes []string            `yaml:"classes"` // of package document
	Titles  []string            `yaml:"titles"`  // what such a document calls itself
	Area    [4]float64          `yaml:"area"`    // where values may stand: left, top, right, bottom as fractions
	Dates   string              `yaml:"dates"`   // dmy or mdy, for dates in digits that can be both
	Labels  map[string][]string `yaml:"labels"`  // captions besides those of the catalogue; "ignored" are no fields of ours
	Beside  bool                `yaml:"beside"`  // values stand beside captions, never under them
	Tags    map[string]string   `yaml:"tags"`    // numbers that stand for captions
	Order   []string            `yaml:"order"`   // tags from top to bottom, one a row
	After   map[string]string   `yaml:"after"`   // a field that may follow another on its row
	Read    []string            `yaml:"read"`    // fields, the most needed first

	labels *labelCatalogue
}

// ignored is the field name of captions whose values nobody asks for. They end
// the column of their neighbours.
const ignored = "ignored"

// The templates are compiled in and covered by a test.
var templates = sync.OnceValue(func() []*Template {
	ts, err := parseTemplates()
	if err != nil {
		panic(err)
	}
	return ts
})

func parseTemplates() ([]*Template, error) {
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("ocr: list templates: %w", err)
	}
	var out []*Template
	for _, e := range entries {
		b, err := templateFiles.ReadFile("templates/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("ocr: read template: %w", err)
		}
		t := &Template{}
		if err := yaml.UnmarshalWithOptions(b, t, yaml.Strict()); err != nil {
			return nil, fmt.Errorf("ocr: template %s: %w", e.Name(), err)
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("ocr: template %s: %w", e.Name(), err)
		}
		out = append(out, t)
	}
	return out, nil
}

func (t *Template) check() error {
	base := catalogue()
	if t.Name == "" || len(t.Classes) == 0 || len(t.Read) == 0 || t.Dates != "dmy" && t.Dates != "mdy" {
		return fmt.Errorf("name, classes, read and dates (dmy or mdy) are needed")
	}
	a := t.Area
	if !(0 <= a[0] && a[0] < a[2] && a[2] <= 1 && 0 <= a[1] && a[1] < a[3] && a[3] <= 1) {
		return fmt.Errorf("area %v is not left, top, right, bottom within 0 to 1", a)
	}
	fields := slices.Concat(t.Read, slices.Collect(maps.Values(t.Tags)), slices.Collect(maps.Keys(t.After)), slices.Collect(maps.Values(t.After)))
	for _, f := range fields {
		if _, ok := base.Fields[f]; !ok && f != "" {
			return fmt.Errorf("unknown field %q", f)
		}
	}
	for _, title := range t.Titles {
		if title != fold(title) {
			return fmt.Errorf("title %q is not folded; write %q", title, fold(title))
		}
	}
	t.labels = base.with(t.Labels)
	for f := range t.Labels {
		if _, ok := base.Fields[f]; !ok {
			return fmt.Errorf("labels of unknown field %q", f)
		}
	}
	return nil
}

// with is the catalogue with further captions, which win over its own.
func (c *labelCatalogue) with(more map[string][]string) *labelCatalogue {
	out := &labelCatalogue{Fields: c.Fields, Months: c.Months, byLabel: maps.Clone(c.byLabel), longest: c.longest}
	for field, ls := range more {
		for _, l := range ls {
			out.byLabel[fold(l)] = field
			out.longest = max(out.longest, len(strings.Fields(l)))
		}
	}
	return out
}

// anyDocument reads documents of no known family by their captions alone.
var anyDocument = sync.OnceValue(func() *Template {
	return &Template{Name: "captions", Area: [4]float64{0, 0, 1, 1}, Dates: "dmy", labels: catalogue(),
		Read: []string{"document_number", "birth_date", "expiry_date", "surname", "given_names", "sex", "nationality", "issue_date", "issuing_state", "personal_number", "place_of_birth", "authority", "address"}}
})

// choose is the template that the words of a page fit best. The class alone
// decides only where a single family has it: a card can be any kind of card.
func choose(rows [][]Word, class string) *Template {
	text := make([]string, len(rows))
	for i, r := range rows {
		text[i] = " " + fold(join(r)) + " "
	}
	text = append(text, lineTexts(rows)...)
	best, most := anyDocument(), 0.0
	for _, t := range templates() {
		score := 0.0
		if slices.Contains(t.Classes, class) {
			score += 1
		} else if class != "" && class != "unknown" {
			continue
		}
		if titled(text, t.Titles) {
			score += 2
		}
		found := map[string]bool{}
		for _, r := range rows {
			for _, l := range t.findLabels(r) {
				found[l.field] = true
			}
		}
		switch {
		case t.captioned() && len(found) == 0:
			score -= 2
		case t.captioned():
			score += 0.25 * float64(len(found))
		// A form with captions may have numbers before them.
		case len(found) >= 3 || len(t.tagged(rows)) < 3:
			score -= 2
		default:
			// Less than a title: other forms number their fields, too.
			score += 1
		}
		if score > most {
			best, most = t, score
		}
	}
	if most < 1.5 {
		return anyDocument()
	}
	return best
}

// lineTexts are the lines as the engine saw them: a word that reaches into a
// picture is too tall for its row and would break a title apart.
func lineTexts(rows [][]Word) []string {
	lines := map[int][]Word{}
	for _, r := range rows {
		for _, w := range r {
			lines[w.Line] = append(lines[w.Line], w)
		}
	}
	var out []string
	for _, ws := range lines {
		slices.SortStableFunc(ws, func(a, b Word) int { return compare(a.Box.X, b.Box.X) })
		out = append(out, " "+fold(join(ws))+" ")
	}
	return out
}

// captioned: the family has captions in words, if with numbers before them.
func (t *Template) captioned() bool { return len(t.Tags) == 0 || t.Beside }

func titled(text, titles []string) bool {
	for _, t := range titles {
		for _, row := range text {
			if strings.Contains(row, " "+t+" ") {
				return true
			}
		}
	}
	return false
}

// within is the template's area on a page of a size.
func (t *Template) within(w, h float64) photo.Rect {
	a := t.Area
	return photo.Rect{X: a[0] * w, Y: a[1] * h, W: (a[2] - a[0]) * w, H: (a[3] - a[1]) * h}
}
