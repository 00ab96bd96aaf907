package pipeline

import (
	"slices"

	"github.com/proofline/proofline/policy"
)

// AllowedFields are the fields that the relying service of a cell gets: those
// that the cell's attributes name, one value each. A value that a check digit or
// a barcode confirms comes before one that was only read, the zone before the
// print; readings and sources stay behind. Everything else remains encrypted
// until retention ends it.
func AllowedFields(cell policy.Cell, stored []Field) []Field {
	var out []Field
	for _, name := range cell.Attributes {
		var best *Field
		for i := range stored {
			if f := &stored[i]; f.Name == name && f.Value != "" && (best == nil || f.rank() > best.rank()) {
				best = f
			}
		}
		if best != nil && !slices.ContainsFunc(out, func(f Field) bool { return f.Name == name }) {
			out = append(out, Field{Name: name, Value: best.Value, Source: best.Source, Confidence: best.Confidence, Verified: best.Verified})
		}
	}
	return out
}

func (f *Field) rank() float64 {
	n := f.Confidence
	if f.Verified {
		n += 10
	}
	// The print has the diacritics that a zone transliterates, but where both
	// speak the zone is the surer reading.
	return n + map[string]float64{"barcode": 2, "mrz": 1}[f.Source]
}
