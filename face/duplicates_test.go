package face

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/calibrate"
)

// How often a stranger looks like somebody among N others: the figures of
// docs/biometrics.md, one picture of each person of LFW's view 2.
//
//	PROOFLINE_DATA=DATA PROOFLINE_EVAL=default go test ./face -run StrangersAmong -v -timeout 30m
func TestStrangersAmongManyLookAlikeAsOftenAsPublished(t *testing.T) {
	if os.Getenv("PROOFLINE_EVAL") == "" {
		t.Skip("PROOFLINE_EVAL is not set")
	}
	root := os.Getenv("PROOFLINE_DATA")
	people := map[string]string{}
	for _, p := range readPairs(t, root) {
		if p.Set == "lfw_view2_150px" {
			people[p.IDA], people[p.IDB] = p.A, p.B
		}
	}
	e := engine(t, "", Options{})
	var faces []Embedding
	for _, id := range slices.Sorted(maps.Keys(people)) {
		file := people[id]
		m := gocv.IMRead(filepath.Join(root, file), gocv.IMReadColor)
		found, err := e.Detect(m)
		if err != nil {
			t.Fatal(err)
		}
		if at, _ := Main(found, m.Cols(), m.Rows()); at >= 0 {
			v, err := e.Embed(m, found[at])
			if err != nil {
				t.Fatal(err)
			}
			faces = append(faces, v)
		} else {
			t.Logf("no face of %s", id)
		}
		m.Close()
	}
	alike := make([][]float64, len(faces))
	for i, a := range faces {
		for j, b := range faces {
			if i != j {
				alike[i] = append(alike[i], e.Similarity(a, b))
			}
		}
	}
	var same []float64
	for _, p := range readPairs(t, root) {
		if p.Set != "lfw_view2_150px" || p.Same == 0 {
			continue
		}
		var v [2]Embedding
		for i, file := range []string{p.A, p.B} {
			m := gocv.IMRead(filepath.Join(root, file), gocv.IMReadColor)
			found, err := e.Detect(m)
			if err != nil {
				t.Fatal(err)
			}
			if at, _ := Main(found, m.Cols(), m.Rows()); at >= 0 {
				if v[i], err = e.Embed(m, found[at]); err != nil {
					t.Fatal(err)
				}
			}
			m.Close()
		}
		same = append(same, e.Similarity(v[0], v[1]))
	}
	for _, least := range []float64{0.40, 0.45, 0.50, 0.55, 0.60} {
		pairs, line := 0, ""
		for i := range alike {
			for _, s := range alike[i] {
				if s > least {
					pairs++
				}
			}
		}
		for _, n := range []int{100, 250, len(faces) - 1} {
			found := 0
			for i := range alike {
				for _, s := range alike[i][:n] {
					if s > least {
						found++
						break
					}
				}
			}
			line += fmt.Sprintf("; among %d: %v", n, calibrate.Rate{Errors: found, Trials: len(faces)})
		}
		missed := calibrate.Rate{Trials: len(same)}
		for _, s := range same {
			if s <= least {
				missed.Errors++
			}
		}
		t.Logf("above %.2f: the same person is missed %v", least, missed)
		t.Logf("above %.2f: %d of %d pairs%s", least, pairs/2, len(faces)*(len(faces)-1)/2, line)
	}
}
