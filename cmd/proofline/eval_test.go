package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARowKeepsItsKeysInOrderAndGainsTheMeasured(t *testing.T) {
	r, err := parseRow([]byte(`{"z":1,"file":"a<b.jpg","deep":{"x":[1,2]},"n":null}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.set("valid", true), r.set("z", 2)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := writeJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(b.String()), `{"z":2,"file":"a<b.jpg","deep":{"x":[1,2]},"n":null,"valid":true}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestAManifestThatIsNoneIsRefusedWithItsLine(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{
		"{\"file\":\"a\"}\nnot json\n":     "line 2",
		"[1]\n":                            "line 1",
		"":                                 "no rows",
		"{\"file\":\"a\",\"split\":\"x\"}": "no rows of split dev",
	} {
		path := filepath.Join(dir, "m.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := evalFlags{Manifest: path, Split: "dev"}.rows()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
}

func TestFilesOutsideTheRootAreNotRead(t *testing.T) {
	r, _ := parseRow([]byte(`{"file":"../../etc/passwd"}`))
	if _, err := (evalFlags{Root: t.TempDir()}).read(r, "file"); err == nil || !strings.Contains(err.Error(), "below the root") {
		t.Errorf("error %v", err)
	}
}

func TestRowsAreWrittenInTheOrderOfTheManifest(t *testing.T) {
	out := filepath.Join(t.TempDir(), "scores.jsonl")
	var rows []*row
	for i := range 50 {
		r, _ := parseRow(fmt.Appendf(nil, `{"file":"%d"}`, i))
		rows = append(rows, r)
	}
	e := evalFlags{Out: out, Jobs: 8}
	if err := e.each(context.Background(), "test", rows, func(_ context.Context, r *row) error { return r.set("done", r.text("file")) }); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		var r struct{ File, Done string }
		if err := json.Unmarshal([]byte(l), &r); err != nil || r.File != fmt.Sprint(i) || r.Done != r.File {
			t.Fatalf("line %d: %s", i, l)
		}
	}
	err = e.each(context.Background(), "test", rows, func(_ context.Context, r *row) error {
		if r.text("file") == "7" {
			return errors.New("broken")
		}
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "row 7: broken") {
		t.Errorf("error %v", err)
	}
}

func TestMRZRecordsAreReadLineByLine(t *testing.T) {
	in := `{"id":"a","extra":[1],"lines":["P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<","L898902C36UTO7408122F1204159ZE184226B<<<<<10"]}

{"id":"b","lines":["not an mrz"]}
`
	var out bytes.Buffer
	if err := parseMRZRecords(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], `"format":"TD3","valid":true`) || !strings.Contains(lines[1], `"format":null,"valid":false`) {
		t.Errorf("%s", out.String())
	}
	if err := parseMRZRecords(strings.NewReader("nonsense\n"), &out); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("error %v", err)
	}
	if err := parseMRZRecords(strings.NewReader(strings.Repeat("x", 2<<20)), &out); err == nil {
		t.Error("an endless line was accepted")
	}
}
