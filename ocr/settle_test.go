package ocr

import "testing"

func TestTheEngineThatKnowsDiacriticsSpeaksForThemWhereTheOtherDoesNotDiffer(t *testing.T) {
	for want, readings := range map[string][]Reading{
		"ÅKERLUND": {{"AKERLUND", 0.92, "page"}, {"ÅKERLUND", 0.33, "names sharpened"}},
		"AKERLUND": {{"AKERLUND", 0.92, "page"}, {"ÅKERLUND", 0.05, "names sharpened"}}, // too unsure to add anything
		"SANTOS":   {{"SANTOS", 0.92, "page"}, {"SÄNTÖR", 0.33, "names sharpened"}},
	} {
		f := Field{Name: "surname", Value: readings[0].Value, Readings: readings}
		f.settle()
		if f.Value != want {
			t.Errorf("got %s, want %s", f.Value, want)
		}
	}
}

func TestALineThatGoesOnIsTakenForTheWholeValue(t *testing.T) {
	for _, c := range []struct {
		field, line, page string
		want              bool
	}{
		{"address", "12 HARBOUR ROW, SØHAVN", "12 HARBOUR ROW", true},
		{"address", "12 HARBOUR ROW,", "12 HARBOUR ROW", false},
		{"address", "HARBOUR ROW", "12 HARBOUR ROW", false},
		{"document_number", "L123456789012", "L12345678", false},
	} {
		if got := longer(c.field, c.line, c.page); got != c.want {
			t.Errorf("%s after %s: %v", c.line, c.page, got)
		}
	}
}

func TestPicturesBehindATextAreNoPartOfIt(t *testing.T) {
	got := join(withoutTail([]Word{{Text: "7", Confidence: 0.9}, {Text: "WALK,", Confidence: 0.9}, {Text: "SØHAVN", Confidence: 0.4}, {Text: "(3", Confidence: 0.4}, {Text: "/>W", Confidence: 0.2}}))
	if got != "7 WALK, SØHAVN" {
		t.Errorf("got %q", got)
	}
}

func TestWordsOfAValueAreNoCaptions(t *testing.T) {
	_, got := read(t, "visa", typeset(
		map[float64]string{100: "VISA"},
		map[float64]string{0: "Visa No./N° du visa", 500: "Entries/Entrées"},
		map[float64]string{0: "X07116896", 500: "MULTIPLE"},
		map[float64]string{0: "Valid from/Valable du", 500: "UntilvJusqu’au"},
		map[float64]string{0: "07 JUN 2024", 500: "06 JUN 2032"},
	))
	wants(t, got, map[string]string{"document_number": "X07116896", "issue_date": "2024-06-07", "expiry_date": "2032-06-06"})
}
