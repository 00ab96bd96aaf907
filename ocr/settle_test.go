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

func TestMarksAreTakenWordByWordWhereTheLettersOfAnotherWordDiffer(t *testing.T) {
	f := Field{Name: "address", Value: "115 CANAL SIDE, KONIGSTRAND", Readings: []Reading{
		{"115 CANAL SIDE, KONIGSTRAND", 0.92, "page"}, {"{15 CANAL SIDE, KÖNIGSTRAND", 0.2, "names sharpened"}}}
	f.settle()
	if f.Value != "115 CANAL SIDE, KÖNIGSTRAND" || f.Confidence >= sure {
		t.Errorf("%s with confidence %.2f", f.Value, f.Confidence)
	}
}

func TestMarksOfOneDoubtfulReadingAreReadAgain(t *testing.T) {
	f := Field{Name: "place_of_birth", Value: "SAINT-MORE", Readings: []Reading{{"SAINT-MORE", 0.92, "page"}, {"SAINT-MÕRE", 0.4, "names sharpened"}}}
	if f.settle(); f.settled() {
		t.Errorf("%s is settled with confidence %.2f", f.Value, f.Confidence)
	}
	f.Readings = append(f.Readings, Reading{"SAINT-MORE", 0.9, "names flattened"}, Reading{"SAINT-MORE", 0.8, "names plain"})
	if f.settle(); f.Value != "SAINT-MORE" || !f.settled() {
		t.Errorf("%s with confidence %.2f", f.Value, f.Confidence)
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
