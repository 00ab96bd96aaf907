package repository

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/proofline/proofline/session"
)

const root = "../.."

// rule finds one kind of secret. Where real, when set, says no, it only looks
// like one.
type rule struct {
	name string
	form *regexp.Regexp
	real func(found string) bool
}

var rules = []rule{
	{"a private key (PEM)", regexp.MustCompile(`-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s+[A-Za-z0-9+/]{40}`), nil},
	{"an age identity", regexp.MustCompile(`AGE-SECRET-KEY-1[0-9A-Z]{58}`), nil},
	{"a signing key of a log", regexp.MustCompile(`PRIVATE\+KEY\+[^+\s]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{40,}`), nil},
	{"an AWS access key", regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`), func(s string) bool { return !strings.HasSuffix(s, "EXAMPLE") }},
	{"a token of a forge", regexp.MustCompile(`\b(?:ghp|gho|ghs|ghr)_[A-Za-z0-9]{36}\b|\bgithub_pat_[A-Za-z0-9_]{60,}|\bglpat-[A-Za-z0-9_-]{20,}`), nil},
	{"a token of a package registry", regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36}\b|\bpypi-[A-Za-z0-9_-]{60,}`), nil},
	{"a token of a chat", regexp.MustCompile(`\bxox[abprs]-[A-Za-z0-9-]{20,}`), nil},
	{"a Google API key", regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}\b`), nil},
	// Ours carry a checksum: what only looks like one is told apart.
	{"a Proofline secret", regexp.MustCompile(`\bpl[kcs]_(?:test_)?[0-9A-Za-z]{30,}`), func(s string) bool {
		for _, p := range []string{session.APIKeySecret, session.TestKeySecret, session.ClientTokenSecret, session.StaffSecret} {
			if _, err := session.HashSecret(p, s); err == nil {
				return true
			}
		}
		return false
	}},
	// A real one is random: an example in a test repeats itself.
	{"a webhook secret", regexp.MustCompile(`\bwhsec_[A-Za-z0-9+/]{32,}={0,2}`), func(s string) bool {
		b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		seen := map[byte]bool{}
		for _, x := range b {
			seen[x] = true
		}
		printable := len(bytes.TrimFunc(b, func(r rune) bool { return r >= 0x20 && r < 0x7f })) == 0
		return err == nil && len(b) >= 24 && len(seen) > len(b)/2 && !printable
	}},
	{"a password in an address", regexp.MustCompile(`\b(?:postgres|postgresql|redis|rediss|https?)://[^\s:/@"'{}$<>]+:([^\s/@"'{}$<>%…]{12,})@`), nil},
}

// accepted are findings that were looked at; each with the reason.
var accepted = map[string]string{
	"MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMA": "zeroes",
}

func findSecrets(file string, text []byte) (found []string) {
	for _, r := range rules {
		for _, at := range r.form.FindAllIndex(text, -1) {
			m := text[at[0]:at[1]]
			if r.real != nil && !r.real(string(m)) {
				continue
			}
			known := false
			for a := range accepted {
				known = known || bytes.Contains(m, []byte(a))
			}
			if !known { // the place is told, never the secret
				line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
				found = append(found, file+": line "+strconv.Itoa(line)+": "+r.name)
			}
		}
	}
	return found
}

func TestNoTrackedFileHoldsASecret(t *testing.T) {
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("not a git checkout: %v", err)
	}
	n := 0
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			continue // deleted in the work tree
		}
		n++
		for _, f := range findSecrets(name, b) {
			t.Error(f)
		}
	}
	if n < 500 {
		t.Errorf("only %d files were read", n)
	}
}

func TestEachKindOfSecretIsFound(t *testing.T) {
	// Put together here, so that this file holds none.
	random := "q7Rk2Zt9" + "Lw4Xc8Vb" + "N3mPs6Df" + "H1jYa5Gu" + "e0ToIiKz"
	s, err := session.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, key, err := s.CreateAPIKey(t.Context(), session.Actor{Role: session.Operator, ID: "cli"}, "acme", "k", []string{"x"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"PEM":       "-----BEGIN EC " + "PRIVATE KEY-----\n" + random + random,
		"age":       "AGE-SECRET-" + "KEY-1" + strings.ToUpper(random[:29]+random[:29]),
		"log":       "PRIVATE+" + "KEY+proofline-audit+0123abcd+" + random,
		"AWS":       "AKIA" + strings.ToUpper(random[:16]),
		"forge":     "ghp_" + random[:36],
		"registry":  "npm_" + random[:36],
		"chat":      "xoxb-" + random[:24],
		"Google":    "AIza" + random[:35],
		"Proofline": "key: " + key,
		"webhook":   "whsec_" + base64.StdEncoding.EncodeToString([]byte("\x81\x02\xf3\x14\xe5\x26\xd7\x38\xc9\x4a\xbb\x5c\xad\x6e\x9f\x70\x01\x92\x23\xb4\x45\xd6\x67\xf8")),
		"password":  "postgres://user:" + random[:16] + "@db/x",
	} {
		if f := findSecrets("f", []byte("a\nb "+text+"\n")); len(f) != 1 || !strings.Contains(f[0], want) || !strings.Contains(f[0], "line 2") || strings.Contains(f[0], random[:8]) {
			t.Errorf("%s: %q", want, f)
		}
	}
	for _, harmless := range []string{"plk_" + random, key[:len(key)-1] + "0" + "x", "AKIAIOSFODNN7EXAMPLE", "postgres://user:(set)@db/x", "-----BEGIN PUBLIC KEY-----\n" + random + random} {
		if f := findSecrets("f", []byte(harmless)); len(f) != 0 {
			t.Errorf("%.12s… is taken for %q", harmless, f)
		}
	}
}
