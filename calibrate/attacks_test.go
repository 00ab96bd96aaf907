package calibrate

import "testing"

func TestTheWorstSpeciesIsReportedNotTheAverage(t *testing.T) {
	a := AttacksOf([]Presentation{
		{Score: 0.9}, {Score: 0.8}, {Score: 0.3}, {Inconclusive: true},
		{Score: 0.1, Species: "print"}, {Score: 0.2, Species: "print"},
		{Score: 0.1, Species: "screen"}, {Score: 0.95, Species: "screen"}, {Species: "screen", Inconclusive: true},
	})
	species, worst := a.WorstAPCER(0.5)
	if species != "screen" || worst != (Rate{1, 2}) {
		t.Errorf("worst %s %v", species, worst)
	}
	if got := a.APCER("print", 0.5); got != (Rate{0, 2}) {
		t.Errorf("print %v", got)
	}
	if got := a.BPCER(0.5); got != (Rate{1, 3}) {
		t.Errorf("BPCER %v", got)
	}
	if got := a.NonResponse(""); got != (Rate{1, 4}) {
		t.Errorf("BPNRR %v", got)
	}
	if got := a.NonResponse("screen"); got != (Rate{1, 3}) {
		t.Errorf("APNRR %v", got)
	}
	if got := a.AUC("print"); got != 1 {
		t.Errorf("AUC print %v", got)
	}
}

func TestTheThresholdForATargetBPCERTurnsAwayNoMoreThanThat(t *testing.T) {
	a := AttacksOf([]Presentation{{Score: 0.1}, {Score: 0.5}, {Score: 0.7}, {Score: 0.9}})
	for _, target := range []float64{0, 0.25, 0.3, 1} {
		th, ok := a.AtBPCER(target)
		if !ok || a.BPCER(th).Value() > target {
			t.Errorf("target %v: threshold %v gives %v", target, th, a.BPCER(th))
		}
	}
	if _, ok := AttacksOf(nil).AtBPCER(0.1); ok {
		t.Error("a threshold without data")
	}
	if a.APCER("mask", 0.5).Trials != 0 {
		t.Error("an unknown species has trials")
	}
}
