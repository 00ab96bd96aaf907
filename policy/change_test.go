package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func changed(t *testing.T, old, new string, more ...string) *Policy {
	t.Helper()
	text := strings.Replace(small, old, new, 1)
	for i := 0; i+1 < len(more); i += 2 {
		text = strings.Replace(text, more[i], more[i+1], 1)
	}
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestADiffSaysWhichRulesChangedForWhomAndWhichWay(t *testing.T) {
	a, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	if d := Diff(a, a); len(d) != 0 {
		t.Fatalf("a policy differs from itself: %v", d)
	}
	b := changed(t, "measure: face.similarity, min: 0.4", "measure: face.similarity, min: 0.45",
		"max: 0.1", "max: 0.2", "{biometric.face_match_uncertain: reject}", "{biometric.face_match_uncertain: note, capture.glare: review}",
		"resubmissions: 0", "resubmissions: 1")
	var got []string
	for _, c := range Diff(a, b) {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%s", c.Cell, c.What, c.From, c.To, c.Effect))
	}
	want := []string{
		"defaults|thresholds.glare|document.glare_area max 0.1 → capture.glare on document_front|document.glare_area max 0.2 → capture.glare on document_front|milder",
		"defaults|thresholds.match|face.similarity min 0.4 → biometric.face_match_uncertain|face.similarity min 0.45 → biometric.face_match_uncertain|stricter",
		"document passport|resubmissions|0|1|",
		"jurisdiction ES|actions.biometric.face_match_uncertain|reject|note|milder",
		"jurisdiction ES|actions.capture.glare|resubmit|review|stricter",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRemarksNameWhatIsRightButWorthASecondLook(t *testing.T) {
	p := changed(t, "measure: document.sharpness, min: 0.5", "measure: document.sharpnes, min: 0.5",
		"{biometric.face_match_uncertain: reject}", "{biometric.presentation_attack: note}")
	var got []string
	for _, r := range p.Remarks() {
		got = append(got, r.Kind+" "+r.Where+" "+r.Text)
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"did you mean document.sharpness?", "weaker es biometric.presentation_attack leads to note, the catalogue says review", "guess defaults threshold match"} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
}

func TestTheChoiceOfACellIsExplained(t *testing.T) {
	p := changed(t, "", "")
	got := p.Explain(Context{Jurisdiction: "ES", DocumentType: "passport"})
	var order []string
	for _, c := range got {
		order = append(order, fmt.Sprint(c.Cell, "/", c.Matches, c.Named, c.Selected))
	}
	if want := []string{"es passports/true 2 true", "passports/true 1 false", "es/true 1 false", "defaults/true 0 false"}; !slices.Equal(order, want) {
		t.Errorf("%v", order)
	}
	if got := p.Explain(Context{Jurisdiction: "FR"}); got[0].Cell != "defaults" || !got[0].Selected || got[1].Matches {
		t.Errorf("%+v", got)
	}
	for _, c := range []Context{{}, {Jurisdiction: "ES"}, {DocumentType: "passport"}, {Jurisdiction: "ES", DocumentType: "passport"}, {Jurisdiction: "FR", DocumentType: "passport"}} {
		if e, cell := p.Explain(c)[0].Cell, p.Cell(c).Name; e != cell {
			t.Errorf("%+v: explained as %s, is %s", c, e, cell)
		}
	}
}

func past(n int) []PastCase {
	p, err := Parse([]byte(small))
	if err != nil {
		panic(err)
	}
	var out []PastCase
	for i := range n {
		fs := goodCase()
		fs[2].Measures = []Measure{{Name: "face.similarity", Value: float64(i%100) / 100}}
		c := PastCase{ID: fmt.Sprint(i), Input: Input{Attempt: 1, Findings: fs}}
		c.Outcome = p.Decide(c.Input).Outcome
		if c.Outcome == PendingReview {
			c.Reviewed = Approved
			if i%100 < 30 {
				c.Reviewed = Rejected
			}
		}
		out = append(out, c)
	}
	return out
}

func each(cs []PastCase) func(func(PastCase, error) bool) {
	return func(yield func(PastCase, error) bool) {
		for _, c := range cs {
			if !yield(c, nil) {
				return
			}
		}
	}
}

func TestASimulationCountsWhatWouldFlip(t *testing.T) {
	cs := past(100)
	same, err := changed(t, "", "").Simulate(each(cs), 10)
	if err != nil || same.Cases != 100 || same.Flipped != 0 || len(same.Flips) != 0 {
		t.Fatalf("%+v %v", same, err)
	}
	// Similarities 0.20 to 0.39 went to people, who rejected those below 0.30. With
	// a bound of 0.25 those from 0.25 on are approved at once, 5 of them wrongly.
	s, err := changed(t, "face.similarity, min: 0.4", "face.similarity, min: 0.25").Simulate(each(cs), 10)
	if err != nil || s.Flipped != 15 || len(s.Flips) != 10 || s.Reviewed != 20 {
		t.Fatalf("%+v %v", s, err)
	}
	if s.Then != (Agreement{ToPeople: 20}) || s.Now != (Agreement{WrongApprovals: 5, ToPeople: 5}) {
		t.Errorf("then %+v, now %+v", s.Then, s.Now)
	}
	broken := errors.New("broken")
	if _, err := changed(t, "", "").Simulate(func(yield func(PastCase, error) bool) { yield(PastCase{}, broken) }, 1); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func BenchmarkSimulate(b *testing.B) {
	cs, p := past(1000), Default()
	for b.Loop() {
		if _, err := p.Simulate(each(cs), 0); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "cases/s")
}
