package face

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/calibrate"
)

type pair struct {
	Set, A, B string
	Same      int
	IDA, IDB  string
}

func readPairs(t testing.TB, root string) []pair {
	t.Helper()
	f, err := os.Open(filepath.Join(root, "face", "pairs.jsonl"))
	if err != nil {
		t.Skip("labelled pairs are not here")
	}
	defer f.Close()
	var out []pair
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var p pair
		if err := json.Unmarshal(sc.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// described holds the embeddings of images in the two roles of MatchPortrait;
// nil where no face was found.
type described struct {
	engine           *Engine
	portrait, selfie map[string]Embedding
}

func (d described) trial(a, b string, same bool, ida, idb string) calibrate.Trial {
	ea, eb := d.portrait[a], d.selfie[b]
	x := calibrate.Trial{Same: same, A: ida, B: idb, Failed: ea == nil || eb == nil}
	if !x.Failed {
		x.Score = d.engine.Similarity(ea, eb)
	}
	return x
}

// describe embeds every first image of the pairs as a portrait and every
// second one as a selfie, and, where all is set, each image in both roles.
func describe(t testing.TB, e *Engine, root string, pairs []pair, all bool) described {
	d := described{e, map[string]Embedding{}, map[string]Embedding{}}
	one := func(file string, into map[string]Embedding, embed func(gocv.Mat, Face) (Embedding, float64, error)) {
		if _, done := into[file]; done {
			return
		}
		m := gocv.IMRead(filepath.Join(root, file), gocv.IMReadColor)
		defer m.Close()
		s, err := e.subject(m)
		if err != nil {
			t.Fatal(err)
		}
		into[file] = nil
		if s.main == nil {
			return
		}
		if into[file], _, err = embed(m, *s.main); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range pairs {
		one(p.A, d.portrait, e.embedPortrait)
		one(p.B, d.selfie, e.embedBGR)
		if all {
			one(p.B, d.portrait, e.embedPortrait)
			one(p.A, d.selfie, e.embedBGR)
		}
	}
	return d
}

// everyone compares each image as a portrait with each image of another person
// as a selfie: far more impostor trials than a pair list has, which is what low
// false match rates need. Genuine trials stay those of the list.
func everyone(d described, pairs []pair) []calibrate.Trial {
	who := map[string]string{}
	var out []calibrate.Trial
	for _, p := range pairs {
		who[p.A], who[p.B] = p.IDA, p.IDB
		if p.Same == 1 {
			out = append(out, d.trial(p.A, p.B, true, p.IDA, p.IDB))
		}
	}
	files := func(of map[string]Embedding) []string {
		var out []string
		for f := range of {
			out = append(out, f)
		}
		sort.Strings(out)
		return out
	}
	selfies := files(d.selfie)
	for _, a := range files(d.portrait) {
		for _, b := range selfies {
			if who[a] != who[b] {
				out = append(out, d.trial(a, b, false, who[a], who[b]))
			}
		}
	}
	return out
}

// The full table of docs/biometrics.md:
//
//	PROOFLINE_EVAL=default go test ./face -run ErrorRates -v -timeout 30m
//
// Without PROOFLINE_EVAL two small sets are measured.
func TestErrorRatesOnTheDevelopmentSplit(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	root := dataDir(t)
	profile := os.Getenv("PROOFLINE_EVAL")
	full := profile != ""
	e := engine(t, profile, Options{})
	bySet := map[string][]pair{}
	for _, p := range readPairs(t, root) {
		if full || strings.Contains(p.Set, "dlib_johns") {
			bySet[p.Set] = append(bySet[p.Set], p)
		}
	}
	var names []string
	for s := range bySet {
		names = append(names, s)
	}
	sort.Strings(names)
	targets := []float64{1e-2, 1e-3}
	var reports []calibrate.Report
	for _, name := range names {
		d := describe(t, e, root, bySet[name], full && name == "lfw_view2_150px")
		var trials []calibrate.Trial
		for _, p := range bySet[name] {
			trials = append(trials, d.trial(p.A, p.B, p.Same == 1, p.IDA, p.IDB))
		}
		r := calibrate.Summarise(name, trials, targets, 1000)
		reports = append(reports, r)
		// The celeb5 sets have blurred and half hidden faces.
		floor := 0.99
		if strings.HasSuffix(name, "celeb5") {
			floor = 0.93
		}
		if r.Failures.Errors > 0 || r.AUC < floor {
			t.Errorf("%s: AUC %.4f, %d comparisons without a face", name, r.AUC, r.Failures.Errors)
		}
		s := calibrate.Of(trials)
		for _, at := range []float64{0.20, 0.25, 0.30, 0.374, 0.40} {
			o := s.AtThreshold(at)
			t.Logf("%-22s at %.2f: FMR %v FNMR %v", name, at, o.FMR, o.FNMR)
		}
		if full && strings.HasPrefix(name, "docsim") {
			s := calibrate.Of(everyone(d, bySet[name]))
			t.Logf("%-22s at 0.374, every pair: FMR %v", name, s.FMR(0.374))
		}
		if full && name == "lfw_view2_150px" {
			all := everyone(d, bySet[name])
			for _, at := range []float64{0.20, 0.25, 0.30, 0.374, 0.40} {
				t.Logf("%-22s at %.2f, every pair: FMR %v", name, at, calibrate.Of(all).FMR(at))
			}
			reports = append(reports, calibrate.Summarise(name+", all", all, []float64{1e-2, 1e-3, 1e-4, 1e-5}, 20))
		}
	}
	var b strings.Builder
	if err := calibrate.WriteTable(&b, reports); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s\n%s", e.EmbeddingModel().Name, b.String())
}
