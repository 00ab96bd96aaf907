package repository

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9_]+)`")
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
)

// tests are the names of all tests of the repository.
func tests(t *testing.T) map[string]bool {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-co", "--exclude-standard", "-z", "*_test.go")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	all := map[string]bool{}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue
		}
		for _, m := range testFunc.FindAllSubmatch(b, -1) {
			all[string(m[1])] = true
		}
	}
	return all
}

func TestEveryControlOfTheThreatModelHasATestThatExists(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	all := tests(t)
	kinds := map[string]int{}
	for line := range strings.SplitSeq(string(b), "\n") {
		if !strings.HasPrefix(line, "| **") {
			continue
		}
		kinds[line[4:5]]++
		names := testName.FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test is named: %.70s…", line)
		}
		for _, n := range names {
			if !all[n[1]] {
				t.Errorf("%s does not exist: %.70s…", n[1], line)
			}
		}
	}
	for _, k := range "STRIDE" {
		if kinds[string(k)] == 0 {
			t.Errorf("no threat of the kind %c", k)
		}
	}
}

// Every test that another page names has to exist, too.
func TestPagesNameTestsThatExist(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs/*.md"))
	if err != nil || len(pages) < 10 {
		t.Fatal(len(pages), err)
	}
	all := tests(t)
	for _, p := range pages {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range testName.FindAllSubmatch(b, -1) {
			if !all[string(n[1])] {
				t.Errorf("%s names %s", filepath.Base(p), n[1])
			}
		}
	}
}
