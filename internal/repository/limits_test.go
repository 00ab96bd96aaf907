package repository

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
)

var (
	limitNumber = regexp.MustCompile(`(\d{1,3}(?: \d{3})+|\d+(?:\.\d+)?)(?:\s*(KiB|MiB|ms|min|s|h|d)\b)?`)
	limitSource = regexp.MustCompile("`([^`]+)`")
	durations   = regexp.MustCompile(`^(\d+)d$`)
	units       = map[string]float64{
		"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "ms": float64(time.Millisecond), "s": float64(time.Second),
		"min": float64(time.Minute), "h": float64(time.Hour), "d": float64(24 * time.Hour),
	}
)

// limitsOf are the numbers of a cell, durations in nanoseconds. The first number of
// "2 to 5 min" has the unit of the second.
func limitsOf(cell string) []float64 {
	found := limitNumber.FindAllStringSubmatchIndex(cell, -1)
	out := make([]float64, len(found))
	unit := ""
	for i, m := range slices.Backward(found) {
		switch {
		case m[4] >= 0:
			unit = cell[m[4]:m[5]]
		case i+1 == len(found) || cell[m[1]:found[i+1][0]] != " to ":
			unit = ""
		}
		n, _ := strconv.ParseFloat(strings.ReplaceAll(cell[m[2]:m[3]], " ", ""), 64)
		out[i] = n * units[unit]
	}
	return out
}

// A page of limits that is wrong is worse than none: each number is compared with
// the constant, setting or key of the policy that the row names.
func TestEveryLimitOfThePageIsTheOneThatHolds(t *testing.T) {
	text := readDoc(t, "docs/limits.md")
	reference := readDoc(t, "docs/cli-reference.md") // which a test holds to the commands
	rows := 0
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "## What it does not do") {
			break
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) != 4 || cells[0] == "what" || cells[0] == "---" {
			continue
		}
		rows++
		numbers := limitsOf(cells[1])
		sources := limitSource.FindAllStringSubmatch(cells[2], -1)
		if len(sources) == 0 || len(numbers) < len(sources) {
			t.Errorf("%s: %d numbers of %d sources", cells[0], len(numbers), len(sources))
			continue
		}
		for i, s := range sources {
			values, err := limitAt(s[1], reference)
			if err != nil {
				t.Errorf("%s: %v", cells[0], err)
			} else if !slices.Contains(values, numbers[i]) {
				t.Errorf("%s: the page says %q, %s is %v", cells[0], cells[1], s[1], values)
			}
		}
	}
	if rows < 60 {
		t.Errorf("only %d rows were read", rows)
	}
}

// Whatever a page calls a reason code or a problem is one.
func TestTheCodesInLimitsAndQuestionsExist(t *testing.T) {
	code := regexp.MustCompile("`((?:capture|document|biometric|consistency|compliance|system)\\.[a-z_]+)`")
	problem := regexp.MustCompile("`([a-z_]+)`, ([45]\\d\\d)")
	api := readDoc(t, "docs/api.md") // which a test holds to the problems
	var known []string
	for _, c := range policy.Codes() {
		known = append(known, string(c.Code))
	}
	n := 0
	for _, page := range []string{"docs/limits.md", "docs/faq.md"} {
		text := readDoc(t, page)
		for _, m := range code.FindAllStringSubmatch(text, -1) {
			n++
			if !slices.Contains(known, m[1]) {
				t.Errorf("%s names the reason code %s, which there is not", page, m[1])
			}
		}
		for _, m := range problem.FindAllStringSubmatch(text, -1) {
			n++
			if !strings.Contains(api, "| `"+m[1]+"` | "+m[2]+" |") {
				t.Errorf("%s names the problem %s with %s, which there is not", page, m[1], m[2])
			}
		}
	}
	if n < 30 || !strings.Contains(api, client.CodeBusy) {
		t.Errorf("only %d codes were looked up", n)
	}
}

func readDoc(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// limitAt is the value at a place of the page: --setting, policy:key,
// folder.Name or folder/file.go:Name.
func limitAt(place, reference string) ([]float64, error) {
	if strings.HasPrefix(place, "--") {
		m := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(place) + "=[^`]*` \\|.*\\| `([^`]*)` \\|$").FindStringSubmatch(reference)
		if m == nil {
			return nil, fmt.Errorf("there is no setting %s with a default", place)
		}
		return spelled(m[1])
	}
	if key, ok := strings.CutPrefix(place, "policy:"); ok {
		d := policy.Default().Defaults
		class, retention := strings.CutPrefix(key, "retention.")
		switch {
		case retention && d.Retention[class] > 0:
			return []float64{float64(d.Retention[class])}, nil
		case key == "expires":
			return []float64{float64(d.Expires)}, nil
		case key == "resubmissions":
			return []float64{float64(*d.Resubmissions)}, nil
		case key == "review.sla":
			return []float64{float64(d.Review.SLA)}, nil
		}
		return nil, fmt.Errorf("nothing is known of %s", place)
	}
	at, name, ok := strings.Cut(place, ":")
	pattern := at
	if !ok {
		dot := strings.LastIndex(place, ".")
		if dot < 0 {
			return nil, fmt.Errorf("%s is no place", place)
		}
		pattern, name = place[:dot]+"/*.go", place[dot+1:]
	}
	files, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: no such files", place)
	}
	return named(files, name)
}

func spelled(s string) ([]float64, error) {
	if m := durations.FindStringSubmatch(s); m != nil {
		n, err := strconv.Atoi(m[1])
		return []float64{float64(n) * units["d"]}, err
	}
	if d, err := time.ParseDuration(s); err == nil && s != "0" {
		return []float64{float64(d)}, nil
	}
	f, err := strconv.ParseFloat(s, 64)
	return []float64{f}, err
}

func TestTheLimitCheckReadsNumbersAndCode(t *testing.T) {
	for cell, want := range map[string][]float64{
		"25 MiB": {25 << 20}, "60 000 000": {6e7}, "2 s to 5 min": {2e9, 300e9}, "15 to 256 characters": {15, 256},
		"8, from one address 40": {8, 40}, "1200 a minute": {1200}, "0: the number of cores": {0}, "10 min, once": {600e9},
		"10 000 entries, 64 MiB": {10000, 64 << 20},
	} {
		if got := limitsOf(cell); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", cell, got, want)
		}
	}
	file := filepath.Join(t.TempDir(), "x.go")
	if err := os.WriteFile(file, []byte("package x\nconst a = 3 * b\nconst b = 1 << 10\nvar c = T{D: 90 * time.Second}\nfunc f(o *T) { o.E = time.Duration(5) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"a": 3 << 10, "b": 1 << 10, "D": 90e9, "E": 5} {
		if got, err := named([]string{file}, name); err != nil || !slices.Equal(got, []float64{want}) {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	if _, err := named([]string{file}, "nothing"); err == nil {
		t.Error("a name that is not there has a value")
	}
	if _, err := limitAt("--no.setting", "| `--queue.limit=…` | x | `1` |"); err == nil {
		t.Error("a setting that is not there has a default")
	}
}
