package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/proofline/proofline/internal/testserver"
)

var fence = regexp.MustCompile("(?s)\n```(?:sh)?\n(.*?\n)```\n")

// shellLines are the commands of a page's blocks, joined where they go on.
func shellLines(text string) []string {
	var out []string
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.SplitSeq(strings.ReplaceAll(block[1], "\\\n", " "), "\n") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

var flagForm = regexp.MustCompile(`^--([a-z0-9][a-z0-9.-]*)`)

// A command that a page shows and that does not exist, or has no such flag, is
// found without running it.
func TestCommandsInThePagesExistWithTheirFlags(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	tutorials, err2 := filepath.Glob("../../docs/tutorials/*.md")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	pages = append(pages, tutorials...)
	var c commands
	k := kong.Must(&c, options(t.Context())...)
	seen := 0
	for _, page := range append(pages, "../../README.md") {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range shellLines(string(b)) {
			line, _, _ = strings.Cut(line, " #")
			words := strings.Fields(line)
			if len(words) < 2 || words[0] != "proofline" {
				continue
			}
			node, i := k.Model.Node, 1
			for ; i < len(words); i++ {
				j := slices.IndexFunc(node.Children, func(n *kong.Node) bool { return n.Name == words[i] })
				if j < 0 {
					break
				}
				node = node.Children[j]
			}
			if node == k.Model.Node && !strings.HasPrefix(words[1], "-") && regexp.MustCompile(`^[a-z-]+$`).MatchString(words[1]) {
				t.Errorf("%s: there is no command %s: %s", filepath.Base(page), words[1], line)
				continue
			}
			seen++
			for _, w := range words[i:] {
				m := flagForm.FindStringSubmatch(strings.TrimLeft(w, "["))
				if m == nil {
					continue
				}
				known := false
				flags := node.AllFlags(false)
				if node.DefaultCmd != nil {
					flags = append(flags, node.DefaultCmd.AllFlags(false)...)
				}
				for _, group := range flags {
					known = known || slices.ContainsFunc(group, func(f *kong.Flag) bool { return f.Name == m[1] })
				}
				if !known {
					t.Errorf("%s: %s has no flag --%s: %s", filepath.Base(page), node.FullPath(), m[1], line)
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("only %d commands were found", seen)
	}
}

// The README's minute with the API is run as it stands; only the port, the
// directory and what the reader fills in are replaced.
func TestTheMinuteOfTheREADMERunsAsItStands(t *testing.T) {
	needVision(t)
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(b), "## The API in 60 seconds")
	block := fence.FindStringSubmatch(section)
	if !ok || block == nil {
		t.Fatal("the README has no such section")
	}
	dir, address := t.TempDir(), testserver.FreeAddress(t)
	wrapper := "#!/bin/sh\nPROOFLINE_TEST_MAIN=1 OMP_THREAD_LIMIT=1 exec " + os.Args[0] + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "proofline"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	script := block[1]
	for _, r := range [][2]string{
		{`PATH="$PWD/dist:$PATH"`, `PATH="` + dir + `:$PATH"; cd ` + dir},
		{"/tmp/photos", dir + "/photos"},
		{"127.0.0.1:8780", address},
		{"proofline up &", "proofline up --listen " + address + " >up.out 2>up.err &\nUP=$!; trap 'kill $UP; wait $UP' EXIT\nuntil curl -sf http://" + address + "/readyz >/dev/null; do kill -0 $UP; sleep 0.1; done"},
		{"KEY=plk_…", "KEY=$(head -n 1 up.out)"},
		{"-d '{\"document_type\":\"passport\"}' \\\n     http://" + address + "/v1/sessions\n", "-d '{\"document_type\":\"passport\"}' \\\n     http://" + address + "/v1/sessions | tee created.json\n"},
		{"TOKEN=plc_…", `TOKEN=$(grep -o 'plc_[A-Za-z0-9]*' created.json | head -n 1); SES=$(grep -o 'ses_[a-z0-9]*' created.json | head -n 1)`},
		{"/v1/sessions/ses_…", "/v1/sessions/$SES"},
	} {
		if !strings.Contains(script, r[0]) {
			t.Fatalf("the README says no more %q", r[0])
		}
		script = strings.ReplaceAll(script, r[0], r[1])
	}
	script += `
N=0
until curl -s -m 10 -H "Authorization: Bearer $KEY" http://` + address + `/v1/sessions/$SES >ses.json && grep -q '"outcome"' ses.json; do kill -0 $UP; N=$((N+1)); test $N -lt 300 || { echo "not decided:"; cat ses.json; exit 1; }; sleep 0.2; done
proofline explain $SES --for support >explain.txt
proofline receipt $SES > case.json
proofline replay --all >replay.txt
proofline audit verify >audit.txt
`
	cmd := exec.Command("bash", "-eu", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "up.err"))
		t.Fatalf("%v:\n%s\n%s", err, out, tail(string(log)))
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var created map[string]json.RawMessage
	if err := json.Unmarshal(read("created.json"), &created); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"session", "capture_url", "client_token"} { // as the README shows
		if created[k] == nil {
			t.Errorf("the answer has no %s", k)
		}
	}
	if !strings.Contains(string(read("ses.json")), `"state":"approved"`) {
		t.Errorf("the case of the README came to %s", read("ses.json"))
	}
	for file, want := range map[string]string{"explain.txt": "approved", "case.json": "receipt", "replay.txt": "identical", "audit.txt": "intact"} {
		if !strings.Contains(string(read(file)), want) {
			t.Errorf("%s: %s", file, read(file))
		}
	}
}
