package mrz

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// dataFile finds a file of the evaluation data, which is not part of the
// repository, and skips the test without it.
func dataFile(t *testing.T, name string) string {
	t.Helper()
	dirs := []string{os.Getenv("PROOFLINE_DATA")}
	for up := ".."; len(up) < 20; up += "/.." {
		dirs = append(dirs, filepath.Join(up, "shared", "data"))
	}
	for _, d := range dirs {
		if p := filepath.Join(d, name); d != "" {
			if _, err := os.Stat(p); err == nil {
				return p
			}
		}
	}
	t.Skip("evaluation data not present; set PROOFLINE_DATA")
	return ""
}

// disagreements are the vectors whose expectation we do not follow, with the
// paragraph that decides; docs/mrz.md explains each.
var disagreements = map[string]string{}

func TestTextVectorsParseAsExpected(t *testing.T) {
	f, err := os.Open(dataFile(t, "mrz/text.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	total, agreed := 0, 0
	for s := bufio.NewScanner(f); s.Scan(); {
		var v struct {
			ID       string
			Name     string
			Lines    []string
			Expected struct {
				Format *string
				Valid  bool
				Checks map[string]bool
				Fields map[string]string
			}
		}
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(NewRecord(v.ID, v.Lines))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Format *string
			Valid  bool
			Checks map[string]bool
			Fields map[string]string
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		total++
		e := v.Expected
		ok := (e.Format == nil) == (got.Format == nil) && (e.Format == nil || *e.Format == *got.Format) &&
			e.Valid == got.Valid && len(e.Checks) == len(got.Checks)
		for k, w := range e.Checks {
			ok = ok && got.Checks[k] == w
		}
		for k, w := range e.Fields {
			ok = ok && got.Fields[k] == w
		}
		switch {
		case ok:
			agreed++
		case disagreements[v.ID] == "":
			t.Errorf("%s %s: got %s", v.ID, v.Name, b)
		}
	}
	t.Logf("%d of %d vectors agree", agreed, total)
}
