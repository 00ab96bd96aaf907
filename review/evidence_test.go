package review

import "testing"

func TestTheSurerSourceOfAFieldIsHandedOut(t *testing.T) {
	inOrder := []Value{
		{Value: "barcode, confirmed", Source: "barcode", Verified: true, Confidence: 0.5},
		{Value: "zone, confirmed", Source: "mrz", Verified: true, Confidence: 0.6},
		{Value: "barcode", Source: "barcode", Confidence: 0.5},
		{Value: "zone, surely read", Source: "mrz", Confidence: 0.9},
		{Value: "zone", Source: "mrz", Confidence: 0.8},
		{Value: "print, surely read", Source: "visual", Confidence: 0.99},
		{Value: "print", Source: "visual", Confidence: 0.9},
	}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if got := better(a, b); got != (i < j) {
				t.Errorf("%q before %q: %v", a.Value, b.Value, got)
			}
		}
	}
}
