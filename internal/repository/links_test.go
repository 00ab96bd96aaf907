package repository

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	fence       = regexp.MustCompile("^ {0,3}(```+|~~~+)")
	codeSpan    = regexp.MustCompile("(`+)(.+?)(`+)")
	heading     = regexp.MustCompile(`^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$`)
	inlineLink  = regexp.MustCompile(`\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)`)
	namedLink   = regexp.MustCompile(`^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)`)
	htmlLink    = regexp.MustCompile(`<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)="([^"]*)"`)
	htmlAnchor  = regexp.MustCompile(`<[a-z0-9]+\b[^>]*?\b(?:id|name)="([^"]+)"`)
	linkOfTitle = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// A page is what the link check needs of a Markdown file.
type page struct {
	links   []link
	anchors map[string]bool
}

type link struct {
	to   string
	line int
}

// readPage reads links and anchors; what stands in code is neither.
func readPage(text string) page {
	p := page{anchors: map[string]bool{}}
	used := map[string]int{}
	open := ""
	for i, line := range strings.Split(text, "\n") {
		if m := fence.FindStringSubmatch(line); m != nil {
			switch {
			case open == "":
				open = m[1]
			case strings.HasPrefix(m[1], open) && strings.TrimSpace(line) == m[1]:
				open = ""
			}
			continue
		}
		if open != "" {
			continue
		}
		if m := heading.FindStringSubmatch(line); m != nil {
			// GitHub: the first has the name, the next ones -1, -2.
			a := anchorOf(m[1])
			n := used[a]
			used[a]++
			if n > 0 {
				a = fmt.Sprintf("%s-%d", a, n)
			}
			p.anchors[a] = true
		}
		line = codeSpan.ReplaceAllString(line, "")
		for _, m := range htmlAnchor.FindAllStringSubmatch(line, -1) {
			p.anchors[m[1]] = true
		}
		for _, r := range []*regexp.Regexp{inlineLink, namedLink, htmlLink} {
			for _, m := range r.FindAllStringSubmatch(line, -1) {
				p.links = append(p.links, link{m[1], i + 1})
			}
		}
	}
	return p
}

// anchorOf is the name that GitHub gives a heading: its text in lower case
// without punctuation, spaces as hyphens.
func anchorOf(title string) string {
	title = linkOfTitle.ReplaceAllString(title, "$1")
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// broken says what is wrong with a link of a page, or "". exists tells files and
// folders of the repository; names are relative to its root.
func broken(from, to string, pages map[string]page, exists func(string) bool) string {
	u, err := url.Parse(to)
	if err != nil {
		return "is no link"
	}
	if u.Scheme == "https" || u.Scheme == "http" || u.Scheme == "mailto" {
		return "" // asked by nobody here: tests need no network
	}
	if u.Scheme != "" || u.Host != "" {
		return "has a scheme that a forge does not open"
	}
	if strings.HasPrefix(u.Path, "/") {
		return "is absolute: on a forge that is another place"
	}
	target := from
	if u.Path != "" {
		target = path.Join(path.Dir(from), u.Path)
	}
	if strings.HasPrefix(target, "../") || !exists(target) {
		return "leads nowhere"
	}
	if u.Fragment == "" {
		return ""
	}
	p, ok := pages[target]
	if !ok {
		return "has an anchor in what is no page"
	}
	if !p.anchors[u.Fragment] {
		return "has an anchor that the page has not"
	}
	return ""
}

// repositoryFiles are the files that a clone has, or will have, and their folders.
func repositoryFiles(t *testing.T) (files []string, exists func(string) bool) {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-co", "--exclude-standard", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	known := map[string]bool{".": true}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			continue // deleted in the work tree
		}
		files = append(files, name)
		for d := name; d != "."; d = path.Dir(d) {
			known[d] = true
		}
	}
	return files, func(name string) bool { return known[name] }
}

func repositoryPages(t *testing.T) (map[string]page, func(string) bool) {
	t.Helper()
	files, exists := repositoryFiles(t)
	pages := map[string]page{}
	for _, f := range files {
		if path.Ext(f) != ".md" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root, f))
		if err != nil {
			t.Fatal(err)
		}
		pages[f] = readPage(string(b))
	}
	return pages, exists
}

func TestEveryLinkOfEveryPageLeadsSomewhere(t *testing.T) {
	pages, exists := repositoryPages(t)
	n := 0
	for name, p := range pages {
		for _, l := range p.links {
			n++
			if why := broken(name, l.to, pages, exists); why != "" {
				t.Errorf("%s:%d: %s %s", name, l.line, l.to, why)
			}
		}
	}
	if len(pages) < 20 || n < 200 {
		t.Errorf("only %d links of %d pages were read", n, len(pages))
	}
}

// The index is how a page is found: each stands in one of its tables, once, with
// the question that it answers.
func TestTheIndexOfTheDocumentationHasEveryPageOnce(t *testing.T) {
	pages, _ := repositoryPages(t)
	b, err := os.ReadFile(filepath.Join(root, "docs/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`^\| \[[^\]]+\]\(([^)#]+\.md)\) \| (.+) \|$`)
	times := map[string]int{}
	for line := range strings.SplitSeq(string(b), "\n") {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		times[path.Join("docs", m[1])]++
		if !strings.Contains(m[2], "?") {
			t.Errorf("%s: %q is no question", m[1], m[2])
		}
	}
	for name := range pages {
		if !strings.HasPrefix(name, "docs/") || name == "docs/README.md" {
			continue
		}
		if times[name] != 1 {
			t.Errorf("docs/README.md lists %s %d times", name, times[name])
		}
		delete(times, name)
	}
	for name := range times {
		t.Errorf("docs/README.md lists %s, which is no page", name)
	}
}

func TestTheLinkCheckFindsWhatIsBroken(t *testing.T) {
	text := "# A page\n## What `x_y` is, and why?\n## Twice\n## Twice\n## [Linked](a.md) title\n" +
		"```sh\n# not a heading [no](nowhere.md)\n```\n`[code](nowhere.md)` <a id=\"by-hand\"></a>\n"
	p := readPage(text)
	var got []string
	for a := range p.anchors {
		got = append(got, a)
	}
	slices.Sort(got)
	want := []string{"a-page", "by-hand", "linked-title", "twice", "twice-1", "what-x_y-is-and-why"}
	if !slices.Equal(got, want) {
		t.Errorf("anchors %q, want %q", got, want)
	}
	if len(p.links) != 1 || p.links[0].to != "a.md" {
		t.Errorf("links %v", p.links)
	}
	pages := map[string]page{"docs/p.md": p}
	exists := func(name string) bool { return name == "docs/p.md" || name == "img/x.png" }
	for to, bad := range map[string]bool{
		"p.md": false, "#twice-1": false, "p.md#by-hand": false, "../img/x.png": false, "https://example.com/x": false,
		"q.md": true, "#twice-2": true, "p.md#Twice": true, "/docs/p.md": true, "../../x": true, "../img/x.png#a": true,
		"file:///etc/hosts": true, "//example.com": true, "P.md": true,
	} {
		if why := broken("docs/p.md", to, pages, exists); (why != "") != bad {
			t.Errorf("%s: %q", to, why)
		}
	}
	for text, links := range map[string]int{
		"[a](b.md) and ![c](d.png \"t\")": 2, "[x]: y.md": 1, `<img src="z.png" width="2">`: 1, "[a](<b c.md>)": 0,
		"[![badge](a.svg)](b.md)": 2,
	} {
		if p := readPage(text); len(p.links) != links {
			t.Errorf("%q: %v", text, p.links)
		}
	}
}
