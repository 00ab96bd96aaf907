package pipeline

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
)

// What the gate works on, as one answers a person who waits. Documents are
// measured at 8 pixels per millimetre, which a document that fills half of a
// frame of 3 megapixels has; the stages that read it get all pixels.
const (
	gatePixels  = 2_800_000
	gatePxPerMM = 8
)

// Gate answers an upload at once: is this photo good enough, and if not, what
// is the one thing to do better. It runs the cheap stages that concern the
// photo alone; what it accepts may still be refused by the whole case.
func Gate(ctx context.Context, e *Engines, p *policy.Policy, kind string, b []byte) (policy.GateAnswer, error) {
	return GateIn(ctx, e, p.Cell(policy.Context{}), kind, b)
}

// GateIn is Gate under the rules of a session's own cell.
func GateIn(ctx context.Context, e *Engines, cell policy.Cell, kind string, b []byte) (policy.GateAnswer, error) {
	if !slices.Contains(policy.EvidenceKinds, kind) {
		return policy.GateAnswer{}, fmt.Errorf("check photo: unknown kind of evidence %q", kind)
	}
	// A decoded photo takes up to 48 MB, so only so many are open at a time.
	if e.slots != nil {
		select {
		case e.slots <- struct{}{}:
			defer func() { <-e.slots }()
		case <-ctx.Done():
			return policy.GateAnswer{}, fmt.Errorf("check photo: %w", ctx.Err())
		}
	}
	start := time.Now()
	fs, err := gateFindings(ctx, e, cell, kind, b)
	if err != nil {
		return policy.GateAnswer{}, fmt.Errorf("check photo: %w", err)
	}
	ms := float64(time.Since(start).Microseconds()) / 1000
	for i := range fs {
		fs[i].DurationMS = ms / float64(len(fs))
	}
	return cell.Gate(kind, fs), nil
}

func gateFindings(ctx context.Context, e *Engines, cell policy.Cell, kind string, b []byte) ([]policy.Finding, error) {
	if !isPhoto(kind) {
		f, err := burstQuality(e, kind, b)
		return []policy.Finding{f}, err
	}
	limits := photoLimits[kind]
	limits.Enough = gatePixels
	p, err := photo.Decode(b, limits)
	if err != nil {
		code, ok := PhotoCode(err)
		if !ok {
			return nil, err
		}
		return []policy.Finding{photoFinding(kind, nil, code)}, nil
	}
	defer p.Close()
	fs := []policy.Finding{photoFinding(kind, p, "")}
	switch {
	case isDocument(kind) && e.Documents != nil:
		f, found, err := findDocument(e, kind, p, gatePxPerMM)
		if err != nil {
			return nil, err
		}
		if found != nil {
			err = gateKind(ctx, e, cell, p, found, &f)
			found.close()
		}
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	case kind == "selfie" && e.Faces != nil:
		f, _, err := selfieFinding(e, p)
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	}
	return fs, nil
}
