package ocr

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/unicode/norm"
)

//go:embed labels.yaml
var labelsYAML []byte

type labelCatalogue struct {
	Fields map[string]struct {
		Kind   string   `yaml:"kind"`
		Labels []string `yaml:"labels"`
	} `yaml:"fields"`
	Months [][]string `yaml:"months"`

	// byLabel maps the folded label to its field; labels have 1 to 4 words.
	byLabel map[string]string
	longest int
}

// The catalogue is compiled in and covered by a test.
var catalogue = sync.OnceValue(func() *labelCatalogue {
	c, err := parseLabels(labelsYAML)
	if err != nil {
		panic(err)
	}
	return c
})

func parseLabels(b []byte) (*labelCatalogue, error) {
	var c labelCatalogue
	if err := yaml.UnmarshalWithOptions(b, &c, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("ocr: read label catalogue: %w", err)
	}
	if len(c.Months) != 12 {
		return nil, fmt.Errorf("ocr: label catalogue has %d months", len(c.Months))
	}
	c.byLabel = map[string]string{}
	for field, f := range c.Fields {
		switch f.Kind {
		case "name", "number", "text", "date", "sex", "code":
		default:
			return nil, fmt.Errorf("ocr: label catalogue: field %s has unknown kind %q", field, f.Kind)
		}
		for _, l := range f.Labels {
			if l != fold(l) {
				return nil, fmt.Errorf("ocr: label catalogue: %q of %s is not folded; write %q", l, field, fold(l))
			}
			if other, dup := c.byLabel[l]; dup && other != field {
				return nil, fmt.Errorf("ocr: label catalogue: %q belongs to both %s and %s", l, other, field)
			}
			c.byLabel[l] = field
			// In small print rn is read as m.
			if m := strings.ReplaceAll(l, "rn", "m"); c.byLabel[m] == "" {
				c.byLabel[m] = field
			}
			c.longest = max(c.longest, len(strings.Fields(l)))
		}
	}
	return &c, nil
}

// fold removes what labels and month names are compared without: case,
// diacritics, and everything but letters, digits and single spaces.
func fold(s string) string {
	var b strings.Builder
	space := false
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			switch r {
			case 'ß':
				b.WriteString("ss")
			case 'ø':
				b.WriteByte('o')
			case 'æ':
				b.WriteString("ae")
			case 'ł':
				b.WriteByte('l')
			case 'đ', 'ð':
				b.WriteByte('d')
			case 'þ':
				b.WriteString("th")
			case 'ə':
				b.WriteByte('e')
			case 'ı':
				b.WriteByte('i')
			default:
				b.WriteRune(r)
			}
		default:
			space = true
		}
	}
	return b.String()
}

// labelField is the field whose label the folded text is, allowing for one
// misread letter in six. Short labels must match exactly: "sex" is one letter
// from too many things.
func (c *labelCatalogue) labelField(folded string) (field string, ok bool) {
	if f, ok := c.byLabel[folded]; ok {
		return f, true
	}
	// Two languages whose slash was not read: "untiljusqu au".
	for i := 3; i+3 <= len(folded); i++ {
		a, okA := c.byLabel[strings.TrimSpace(folded[:i])]
		b, okB := c.byLabel[strings.TrimSpace(folded[i:])]
		if okA && okB && a == b {
			return a, true
		}
		// A slash that was taken for a letter ("untilvjusqu au") counts as one.
		if okB && len(folded)-i >= 3 && !okA {
			if f, ok := c.byLabel[strings.TrimSpace(folded[:i-1])]; ok && f == b || c.nearly(strings.TrimSpace(folded[:i]), b) {
				return b, true
			}
		}
	}
	if len(folded) < 6 || len(folded) > 40 {
		return "", false
	}
	allowed := len(folded) / 6
	best := allowed + 1
	for l, f := range c.byLabel {
		if len(l) < 6 || abs(len(l)-len(folded)) > allowed {
			continue
		}
		if d := distance(l, folded, best); d < best || d == best && d <= allowed && f < field {
			best, field = d, f
		}
	}
	return field, best <= allowed
}

// nearly: the text is a caption of the field but for one letter. Beside another
// caption of the same field three letters are enough.
func (c *labelCatalogue) nearly(text, field string) bool {
	for l, f := range c.byLabel {
		if f == field && len(l) >= 3 && abs(len(l)-len(text)) <= 1 && distance(l, text, 2) <= 1 {
			return true
		}
	}
	return false
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// distance is Levenshtein's, given up at limit.
func distance(a, b string, limit int) int {
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		low := cur[0]
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			low = min(low, cur[j])
		}
		if low > limit {
			return limit + 1
		}
		prev, cur = cur, prev
	}
	return prev[len(b)]
}

func yearNow() int { return time.Now().Year() }
