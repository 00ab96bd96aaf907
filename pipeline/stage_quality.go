package pipeline

import (
	"context"
	"slices"

	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/quality"
)

// runQuality decodes every photo and measures it as a whole. Photos that the
// policy wants and the case lacks are found missing here.
func runQuality(ctx context.Context, r *run) ([]policy.Finding, error) {
	var fs []policy.Finding
	for _, kind := range policy.EvidenceKinds {
		f := policy.Finding{Subject: kind}
		if _, ok := r.c.Documents[kind]; !ok {
			if kind == challengeKind && r.c.Assisted {
				f.Assert("capture.assisted_review", "")
				fs = append(fs, f)
			} else if slices.Contains(r.cell.Evidence, kind) {
				f.Assert("capture.evidence_missing", "")
				fs = append(fs, f)
			}
			continue
		}
		if !isPhoto(kind) {
			b, err := r.burstQuality(ctx, kind)
			if err != nil {
				return nil, err
			}
			fs = append(fs, b)
			continue
		}
		p, err := r.photo(ctx, kind)
		if err != nil {
			return nil, err
		}
		fs = append(fs, photoFinding(kind, p, r.refused[kind]))
	}
	return fs, nil
}

// photoFinding says what a whole photo is like; p is nil when it was refused.
func photoFinding(kind string, p *photo.Image, refused policy.Code) policy.Finding {
	f := policy.Finding{Stage: "quality", Subject: kind}
	if p == nil {
		f.Assert(refused, "")
		return f
	}
	f.Measures = measures(quality.Photo(p.Mat), 1/p.Scale)
	f.Measures = append(f.Measures,
		policy.Measure{Name: "photo.width", Value: float64(p.SourceWidth), Unit: "px"},
		policy.Measure{Name: "photo.height", Value: float64(p.SourceHeight), Unit: "px"})
	return f
}
