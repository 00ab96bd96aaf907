package main

import (
	"os"
	"testing"

	"github.com/proofline/proofline/ocr"
)

// The short form of `proofline eval fields`: a passport and a North American licence,
// and one of each with an altered field. docs/fields.md has the figures of the long form;
// this one says that they have not fallen apart.
func TestFieldsOfSpecimensAreReadAndAlteredOnesNoticed(t *testing.T) {
	if _, err := ocr.SystemTessdata("Latin"); err != nil {
		t.Skip(err)
	}
	c := evalFieldsCmd{Count: 2, Seed: 40, Layout: []string{"TD3", "AAMVA_LICENCE"}, Tamper: true, Jobs: 2}
	items, err := c.generated()
	if err != nil {
		t.Fatal(err)
	}
	results, err := c.read(t.Context(), items)
	if os.IsNotExist(err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	tally := tallyFields(results)
	if x := tally.Exact["all"]["all"]; x.Trials < 18 || x.Errors < x.Trials-1 {
		t.Errorf("fields read: %s, want all but one", x)
	}
	if x := tally.Caught["all"]; x.Trials != 2 || x.Errors != 2 {
		t.Errorf("altered fields noticed: %s", x)
	}
	if tally.Alarms.Errors > 0 || tally.Wrong.Errors > 0 {
		t.Errorf("accused without cause: untouched documents %s, other fields %s", tally.Alarms, tally.Wrong)
	}
	for _, m := range tally.misses {
		t.Log(m)
	}
}
