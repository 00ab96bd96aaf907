package pipeline

import (
	"context"
	"fmt"
	"slices"

	"github.com/proofline/proofline/policy"
)

// readingStages are those that say what is printed on a document.
var readingStages = []string{"document", "mrz", "barcode", "ocr", "consistency"}

// ReadDocument runs the stages that read a document's fields and compare them,
// and no others: what evaluations measure. The report has no decision.
func ReadDocument(ctx context.Context, e *Engines, c Case) (Report, error) {
	r := newRun(e, policy.Default(), c)
	defer r.close()
	// Everything that can be read is wanted.
	r.cell.Attributes = PrintedFields
	for _, s := range stages {
		if !slices.Contains(readingStages, s.Name) {
			continue
		}
		fs, err := r.stage(ctx, s)
		if err != nil {
			return Report{}, fmt.Errorf("read document: %w", err)
		}
		r.findings = append(r.findings, fs...)
	}
	return Report{Findings: r.findings, Fields: r.fields, Comparisons: r.comparisons}, nil
}
