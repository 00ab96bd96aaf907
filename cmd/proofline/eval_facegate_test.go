package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
)

func TestAPairWhoseSelfieIsNotTakenIsNoFalseNonMatch(t *testing.T) {
	var rows []*row
	for _, line := range []string{
		`{"set":"x","a":"1","b":"2","same":1,"similarity":0.9,"accepted":true,"codes":[]}`,
		`{"set":"x","a":"1","b":"3","same":1,"similarity":0.1,"accepted":true,"codes":[]}`,
		`{"set":"x","a":"1","b":"4","same":1,"similarity":0.1,"accepted":false,"codes":["capture.blurred","capture.face_pose"]}`,
		`{"set":"y","a":"1","b":"5","same":1,"similarity":null,"accepted":false,"codes":["capture.face_pose"]}`,
		`{"set":"y","a":"1","b":"6","same":0,"similarity":0.5,"accepted":true,"codes":[]}`,
		`{"set":"y","a":"1","b":"7","same":0,"similarity":0.5,"accepted":false,"codes":["capture.too_dark"]}`,
	} {
		r, err := parseRow([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	sets := gatedSets(rows)
	for name, want := range map[string]struct {
		genuine, refused, taken int
		codes                   string
	}{
		"x":   {3, 1, 2, "capture.blurred 1, capture.face_pose 1"},
		"y":   {1, 1, 1, "capture.face_pose 1"},
		"all": {4, 2, 3, "capture.face_pose 2, capture.blurred 1"},
	} {
		g := sets[name]
		if g.genuine != want.genuine || g.refused != want.refused || len(g.taken) != want.taken || often(g.codes) != want.codes {
			t.Errorf("set %s: %+v, %s", name, g, often(g.codes))
		}
	}
	if r := sets["x"].failedAtFirst(1); r.Errors != 2 || r.Trials != 3 {
		t.Errorf("%v have to try again", r)
	}
}

// A photo of a document in the place of the selfie has a face in it and could be
// compared; the gate does not take it.
func TestEvalFaceAsksTheGate(t *testing.T) {
	c := stageCase(t, needVision(t), specimen.CaseGood, 1)
	dir := t.TempDir()
	for name, b := range c.Files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	manifest := write(t, "m.jsonl", []byte(`{"set":"s","a":"document_front","b":"selfie","same":1}
{"set":"s","a":"selfie","b":"document_front","same":1}
`))
	scores := filepath.Join(dir, "scores")
	out, err := program("eval", "face", "--gate", "--manifest", manifest, "--root", dir, "--out", scores).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"failures to acquire", "50.00 % (1/2", "0.00 % (0/1"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	b, err := os.ReadFile(scores)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d rows", len(lines))
	}
	for i, want := range []bool{true, false} {
		if !strings.Contains(lines[i], fmt.Sprintf(`"accepted":%t`, want)) {
			t.Errorf("row %d: %s", i, lines[i])
		}
	}
}
