package web

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/proofline/proofline/policy"
)

var update = flag.Bool("update", false, "write codes.en.json from policy's catalogue and rebuild dist")

const texts = "capture/src/texts"

// clientHints are the hints of every code that the person may see.
func clientHints() []byte {
	var b bytes.Buffer
	b.WriteString("{\n")
	first := true
	for _, c := range policy.Codes() {
		if !c.For("client") {
			continue
		}
		if !first {
			b.WriteString(",\n")
		}
		first = false
		k, _ := json.Marshal(c.Code)
		var v bytes.Buffer
		enc := json.NewEncoder(&v)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(c.Hint)
		b.WriteString("  " + string(k) + ": " + strings.TrimSpace(v.String()))
	}
	b.WriteString("\n}\n")
	return b.Bytes()
}

func TestEnglishHintsAreThoseOfTheReasonCodeCatalogue(t *testing.T) {
	file := filepath.Join(texts, "codes.en.json")
	want := clientHints()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from policy/codes.yaml; run: go test ./web -run English -update", file)
	}
}

func read(t *testing.T, name string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(texts, name))
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]string{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

func TestEveryLanguageSaysEverythingWithTheSamePlaceholders(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(texts, "*.json"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d text files, %v", len(files), err)
	}
	for _, f := range files {
		name := filepath.Base(f)
		reference := "en.json"
		if strings.HasPrefix(name, "codes.") {
			reference = "codes.en.json"
		}
		want, got := read(t, reference), read(t, name)
		for k, text := range want {
			have, ok := got[k]
			if !ok || strings.TrimSpace(have) == "" {
				t.Errorf("%s lacks %s", name, k)
				continue
			}
			a, b := placeholder.FindAllString(text, -1), placeholder.FindAllString(have, -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(a, b) {
				t.Errorf("%s: %s has placeholders %v, want %v", name, k, b, a)
			}
		}
		for k := range got {
			if _, ok := want[k]; !ok {
				t.Errorf("%s says %s, which English does not", name, k)
			}
		}
	}
}
