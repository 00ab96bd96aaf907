package policy

import "testing"

func TestTheShippedPolicyAndCatalogueAreValid(t *testing.T) {
	if p := Default(); len(p.Hash()) != 64 {
		t.Fatalf("hash %q", p.Hash())
	}
	if len(Codes()) == 0 {
		t.Fatal("empty catalogue")
	}
}
