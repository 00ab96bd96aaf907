package liveness

import (
	"errors"
	"math"
	"os"
	"sort"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
)

// The table of docs/biometrics.md:
//
//	PROOFLINE_EVAL=default go test ./liveness -run SimulatedAttacks -v -timeout 30m
//
// The attacks are drawn by internal/specimen, by the same people who wrote the
// signals, so this measures that the signals do what they say, and not how
// they do on attacks in the world.
func TestErrorRatesOnSimulatedAttacks(t *testing.T) {
	profile := os.Getenv("PROOFLINE_EVAL")
	if profile == "" {
		t.Skip("takes minutes: set PROOFLINE_EVAL to a model profile")
	}
	people, err := specimen.OpenPortraits("")
	var missing *specimen.MissingPortraitsError
	if errors.As(err, &missing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	e, faces := engines(t, profile)
	seen := map[string][]calibrate.Presentation{}
	show := func(b []byte, species string) {
		m, err := gocv.IMDecode(b, gocv.IMReadColor)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		fs, err := faces.Detect(m)
		if err != nil {
			t.Fatal(err)
		}
		p := calibrate.Presentation{Species: species, Inconclusive: true}
		if len(fs) > 0 {
			r, err := e.Assess(m, fs[0])
			if err != nil {
				t.Fatal(err)
			}
			if r.Score != nil {
				p.Score, p.Inconclusive = *r.Score, false
			}
			for _, s := range r.Signals {
				v := s.Value
				switch {
				case s.Skipped != "":
					v = math.NaN()
				case s.Name == SignalMoire || s.Name == SignalFrame || s.Name == SignalSpecular || s.Name == SignalRecompressed:
					v = -v // higher is more suspicious
				}
				seen[s.Name] = append(seen[s.Name], calibrate.Presentation{Score: v, Species: species})
			}
		}
		seen["score"] = append(seen["score"], p)
	}
	for _, id := range people.People() {
		person, err := people.Person(id)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range int64(8) {
			s, err := specimen.TakeSelfie(person, specimen.SelfieOptions{Seed: seed})
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.JPEG(90)
			if err != nil {
				t.Fatal(err)
			}
			show(b, "")
			for _, kind := range specimen.AttackKinds {
				a, err := specimen.Attack(kind, s, seed)
				if err != nil {
					t.Fatal(err)
				}
				if b, err = a.JPEG(90); err != nil {
					t.Fatal(err)
				}
				show(b, string(kind))
			}
		}
	}
	var names []string
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		a := calibrate.AttacksOf(seen[n])
		at, _ := a.AtBPCER(0.05)
		species, worst := a.WorstAPCER(at)
		t.Logf("%-20s AUC print %.3f screen %.3f, at %.2f, BPCER %v: worst APCER %s %v, no response %v",
			n, a.AUC("print"), a.AUC("screen"), at, a.BPCER(at), species, worst, a.NonResponse(""))
		if strings.HasPrefix(n, "score") {
			for _, th := range []float64{0.3, 0.5, 0.6} {
				t.Logf("    at %.2f: BPCER %v, APCER print %v, screen %v", th, a.BPCER(th), a.APCER("print", th), a.APCER("screen", th))
			}
		}
	}
}
