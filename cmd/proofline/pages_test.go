package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
)

// patience bounds each wait for what a page promises.
const patience = 3 * time.Minute

// A pageCommand is one command of a page and what the page says it prints.
type pageCommand struct {
	text, prints string // prints: … stands for anything; "" is not compared
	line         int
}

var (
	notRun      = regexp.MustCompile(`^<!-- not run: \S.* -->$`)
	pageAddress = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	copied      = regexp.MustCompile(`(plk_test_|plk_|plc_|ses_)…`)
	runPrefix   = "# → "
)

// pageCommands are the commands of a page's blocks of "sh", but for those after a
// comment "not run: why". A block of "text" after one of them, or a comment
// "# → …" after a command, is what is printed.
func pageCommands(t *testing.T, page string) []pageCommand {
	t.Helper()
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []pageCommand
	block, before, first := "", "", 0
	skip := true // nothing was run yet that a block of text could show
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		switch {
		case block != "" && line == "```":
			block, before = "", ""
		case block == "" && strings.HasPrefix(line, "```"):
			if block = strings.TrimPrefix(line, "```"); block == "" {
				block = "plain"
			}
			if block == "sh" {
				skip, first = notRun.MatchString(before), len(out)
			}
		case block == "sh" && !skip && strings.HasPrefix(line, runPrefix) && len(out) > first:
			out[len(out)-1].prints = strings.TrimPrefix(line, runPrefix)
		case block == "sh" && !skip && line != "" && !strings.HasPrefix(line, "#"):
			if n := len(out) - 1; n >= first && strings.HasSuffix(out[n].text, "\\") {
				out[n].text = strings.TrimSuffix(out[n].text, "\\") + line
			} else {
				out = append(out, pageCommand{text: line, line: i + 1})
			}
		case block == "text" && !skip && len(out) > 0:
			out[len(out)-1].prints = strings.TrimSpace(out[len(out)-1].prints + "\n" + line)
		case block == "" && line != "":
			before = line
		}
	}
	return out
}

// A pageReader has a terminal: one shell, and everything that was printed in it.
type pageReader struct {
	t         *testing.T
	in        io.Writer
	mu        sync.Mutex
	seen      []byte
	done      int
	addresses map[string]string // of the page, and what stands for it
	open      map[string]bool
}

func (r *pageReader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, p...)
	return len(p), nil
}

func (r *pageReader) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.seen)
}

func (r *pageReader) wait(c pageCommand, what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("line %d: %s: %s. Printed so far:\n%s", c.line, c.text, what, tail(r.text()))
		}
	}
}

// run types a command as a reader does: what stands for something that was printed
// before is copied from there.
func (r *pageReader) run(c pageCommand) {
	r.t.Helper()
	text := c.text
	for _, m := range copied.FindAllStringSubmatch(text, -1) {
		whole := regexp.MustCompile(m[1] + `[A-Za-z0-9_]{16,}`)
		r.wait(c, "nothing like "+m[0]+" was printed", func() bool { return whole.MatchString(r.text()) })
		all := whole.FindAllString(r.text(), -1)
		text = strings.Replace(text, m[0], all[len(all)-1], 1)
	}
	if strings.HasPrefix(text, "kill ") {
		r.open = map[string]bool{} // what it started is ready again when it answers again
	}
	// What is asked too early is asked again; what changes something is done once.
	again := !strings.Contains(text, " -X ") && !strings.Contains(text, " -d ")
	from := len(r.text())
	for end := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		r.done++
		mark := regexp.MustCompile(fmt.Sprintf(`(?m)^@@%d (\d+)$`, r.done))
		fmt.Fprintf(r.in, "%s\nprintf '\\n@@%d %%d\\n' $?\n", text, r.done)
		r.wait(c, "does not end", func() bool { return mark.MatchString(r.text()) })
		if code := mark.FindStringSubmatch(r.text())[1]; code != "0" {
			r.t.Fatalf("line %d: %s: exit status %s. Printed so far:\n%s", c.line, text, code, tail(r.text()))
		}
		if strings.HasSuffix(strings.TrimSpace(strings.SplitN(text, " #", 2)[0]), "&") {
			r.wait(c, "nothing of the page listens", r.anotherOpen)
		}
		if c.prints == "" {
			return
		}
		want := regexp.QuoteMeta(c.prints)
		for from, to := range r.addresses {
			want = strings.ReplaceAll(want, regexp.QuoteMeta(from), regexp.QuoteMeta(to))
		}
		match := regexp.MustCompile("(?s)" + strings.ReplaceAll(want, "…", ".*?"))
		if !again {
			r.wait(c, "does not print "+c.prints, func() bool { return match.MatchString(r.text()[from:]) })
		}
		if match.MatchString(r.text()[from:]) {
			return
		}
		if time.Now().After(end) {
			r.t.Fatalf("line %d: %s does not print\n%s\nbut\n%s", c.line, text, c.prints, tail(r.text()[from:]))
		}
	}
}

// anotherOpen tells whether a server of the page that was not there before is ready.
func (r *pageReader) anotherOpen() bool {
	for _, a := range r.addresses {
		if r.open[a] {
			continue
		}
		c, err := net.DialTimeout("tcp", a, time.Second)
		if err != nil {
			continue
		}
		c.Close()
		if a == r.addresses["127.0.0.1:8780"] {
			resp, err := http.Get("http://" + a + "/readyz")
			if err != nil {
				continue
			}
			resp.Body.Close()
			if resp.StatusCode != 200 {
				continue
			}
		}
		r.open[a] = true
		return true
	}
	return false
}

// The README and the tutorials are run as they stand, each in one shell. Only ports
// and places of files are others than a reader's.
func TestThePagesRunAsTheyStand(t *testing.T) {
	needVision(t)
	for _, tool := range []string{"bash", "curl", "openssl", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			testserver.Missing(t, tool, "scripts/install.sh build test installs it")
		}
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	tutorials, err := filepath.Glob("../../docs/tutorials/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(tutorials, "../../README.md") {
		t.Run(filepath.Base(page), func(t *testing.T) {
			commands := pageCommands(t, page)
			if len(commands) < 3 {
				t.Fatalf("only %d commands", len(commands))
			}
			dir := t.TempDir()
			wrapper := "#!/bin/sh\nPROOFLINE_TEST_MAIN=1 OMP_THREAD_LIMIT=1 exec " + os.Args[0] + " \"$@\"\n"
			if err := os.WriteFile(filepath.Join(dir, "proofline"), []byte(wrapper), 0o755); err != nil {
				t.Fatal(err)
			}
			r := &pageReader{t: t, addresses: map[string]string{"127.0.0.1:8780": testserver.FreeAddress(t)}, open: map[string]bool{}}
			for i, c := range commands {
				for _, a := range pageAddress.FindAllString(c.text, -1) {
					if r.addresses[a] == "" {
						r.addresses[a] = testserver.FreeAddress(t)
					}
				}
				for from, to := range map[string]string{"/tmp/photos": dir + "/photos", "go run ": "go run -C " + root + " ", "node examples/": "node " + root + "/examples/"} {
					commands[i].text = strings.ReplaceAll(commands[i].text, from, to)
				}
			}
			for from, to := range r.addresses { // also where only the port is named
				port := regexp.MustCompile(`\b` + from[strings.LastIndex(from, ":")+1:] + `\b`)
				for i := range commands {
					commands[i].text = port.ReplaceAllString(commands[i].text, to[strings.LastIndex(to, ":")+1:])
				}
			}
			shell := exec.Command("bash")
			shell.Dir = dir
			shell.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "PROOFLINE_LISTEN="+r.addresses["127.0.0.1:8780"], "PROOFLINE_ADDRESS="+r.addresses["127.0.0.1:8780"], "PROOFLINE_SERVER=http://"+r.addresses["127.0.0.1:8780"],
				"PROOFLINE_URL=http://"+r.addresses["127.0.0.1:8780"], "LISTEN="+r.addresses["127.0.0.1:8091"])
			shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with what it starts
			shell.Stdout, shell.Stderr = r, r
			in, err := shell.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			r.in = in
			if err := shell.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL)
				_ = shell.Wait()
			}()
			for _, c := range commands {
				r.run(c)
			}
			t.Logf("%d commands", len(commands))
		})
	}
}
