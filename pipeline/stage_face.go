package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/document"
	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/quality"
	"github.com/proofline/proofline/storage"
)

// selfie is where the person's face is in the selfie.
type selfie struct {
	Face face.Face `json:"face"`
}

// runFace compares the document's portrait with the selfie.
func runFace(ctx context.Context, r *run) ([]policy.Finding, error) {
	if r.engines.Faces == nil {
		return missing("face", "case"), nil
	}
	p, err := r.photo(ctx, "selfie")
	if err != nil || p == nil {
		return nil, err
	}
	f, main, err := selfieFinding(r.engines, p)
	if err != nil {
		return nil, &stageError{"face", err}
	}
	if main == nil {
		return []policy.Finding{f}, nil
	}
	r.selfie = &selfie{*main}
	fs := []policy.Finding{f}
	match := policy.Finding{Subject: "case", Models: refs(r.engines.Faces.Models())}
	tried := false
	for _, kind := range documentKinds {
		d := r.documents[kind]
		if d == nil || tried && d.Portrait == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		tried = true
		m, err := r.matchPortrait(d, p)
		if err != nil {
			return nil, &stageError{"face", err}
		}
		if m.Similarity != nil {
			match.Measures = []policy.Measure{{Name: "face.similarity", Value: *m.Similarity, Unit: "similarity"}, {Name: "face.strength", Value: m.Strength, Unit: "length"}}
			return append(fs, match), nil
		}
	}
	if tried {
		match.Subject = "document_front"
		match.Assert("document.portrait_not_found", "")
		fs = append(fs, match)
	}
	return fs, nil
}

// matchPortrait compares the portrait of a document, or the face anywhere on it
// where the portrait's place is not known.
func (r *run) matchPortrait(d *straightened, p *photo.Image) (face.Match, error) {
	portrait := d.Rectified
	if d.Portrait != nil {
		b := d.Portrait.Bounds(portrait.Cols(), portrait.Rows())
		if !b.Empty() {
			crop := portrait.Region(b)
			defer crop.Close()
			portrait = crop.Clone()
			defer portrait.Close()
		}
	}
	m, err := r.engines.Faces.MatchPortrait(portrait, p.Mat)
	if err != nil {
		return m, fmt.Errorf("compare faces: %w", err)
	}
	if m.Similarity == nil && d.Portrait != nil {
		if m, err = r.engines.Faces.MatchPortrait(d.Rectified, p.Mat); err != nil {
			return m, fmt.Errorf("compare faces: %w", err)
		}
	}
	return m, nil
}

// selfieFinding says what the face in a selfie is like; the face is nil where
// there is none.
func selfieFinding(e *Engines, p *photo.Image) (policy.Finding, *face.Face, error) {
	f := policy.Finding{Stage: "face", Subject: "selfie", Models: refs(e.Faces.Models())}
	faces, err := e.Faces.Detect(p.Mat)
	if err != nil {
		return f, nil, fmt.Errorf("find face in selfie: %w", err)
	}
	if len(faces) == 0 {
		f.Assert("capture.face_not_found", "")
		return f, nil, nil
	}
	main := faces[0]
	var others []photo.Rect
	for _, x := range faces[1:] {
		// Somebody far behind in the street is no second sitter.
		if x.Box.H >= main.Box.H/2 {
			others = append(others, scaled(x.Box, 1/p.Scale))
		}
	}
	if len(others) > 0 {
		f.Assert("capture.several_faces", "", regions(others)...)
	}
	f.Measures = measures(quality.Face(p.Mat, quality.FaceInfo{Box: main.Box, Points: main.Points, Count: 1 + len(others), Scale: p.Scale}), 1/p.Scale)
	share, ok, err := documentShare(e, p, faces)
	if err != nil {
		return f, nil, err
	}
	if ok {
		f.Measures = append(f.Measures, policy.Measure{Name: "face.document_share", Value: share, Unit: "ratio"})
	}
	f.Measures = append(f.Measures, policy.Measure{Name: "face.detector_score", Value: main.Score, Unit: "score", Regions: regions([]photo.Rect{scaled(main.Box, 1/p.Scale)})})
	return f, &main, nil
}

// portraitInFrame is the height of a face per shorter side of the photo above
// which it is no portrait on a document that fills the frame: of 89 portraits on
// development photos of documents none takes more. Selfies at arm's length do,
// and are spared the search.
const portraitInFrame = 0.36

// documentShare is the height of the selfie's face per shorter side of the
// document that it is printed on, where there is one: somebody's own document,
// sent as selfie, would match itself. A document held beside the face is none.
func documentShare(e *Engines, p *photo.Image, faces []face.Face) (float64, bool, error) {
	// Print can look like a larger face, but a doubtful one.
	sure := slices.MaxFunc(faces, func(a, b face.Face) int { return cmp.Compare(a.Score, b.Score) })
	if e.Documents == nil || sure.Box.H > portraitInFrame*float64(min(p.Mat.Cols(), p.Mat.Rows())) {
		return 0, false, nil
	}
	found, err := e.FindDocuments(p)
	if err != nil {
		return 0, false, fmt.Errorf("find document in selfie: %w", err)
	}
	share, ok := 0.0, false
	for i := range found {
		d := &found[i]
		// Without a zone a picture that is all document is what a selfie looks
		// like, too; an outline of no document's proportion is a window or a frame.
		certain := d.MRZ != nil || !d.WholeFrame && d.Class != document.Unknown
		if certain && !ok && inside(d.Quad, centre(sure.Box)) && inside(d.Quad, centre(faces[0].Box)) {
			share, ok = sure.Box.H/shorterSide(d.Quad), true
		}
		d.Close()
	}
	return share, ok, nil
}

func centre(r photo.Rect) photo.Point { return photo.Point{X: r.X + r.W/2, Y: r.Y + r.H/2} }

// inside reports whether a convex quadrilateral contains a point.
func inside(q photo.Quad, p photo.Point) bool {
	left, right := false, false
	for i := range q {
		a, b := q[i], q[(i+1)%len(q)]
		cross := (b.X-a.X)*(p.Y-a.Y) - (b.Y-a.Y)*(p.X-a.X)
		left, right = left || cross < 0, right || cross > 0
	}
	return !(left && right)
}

// shorterSide is the mean length of the shorter pair of sides.
func shorterSide(q photo.Quad) float64 {
	side := func(i int) float64 { return math.Hypot(q[(i+1)%4].X-q[i].X, q[(i+1)%4].Y-q[i].Y) }
	return max(1, min(side(0)+side(2), side(1)+side(3))/2)
}

func scaled(r photo.Rect, s float64) photo.Rect {
	return photo.Rect{X: r.X * s, Y: r.Y * s, W: r.W * s, H: r.H * s}
}

// saveFace keeps where the face is, not a template: nothing later compares
// faces again, so none is made.
func saveFace(r *run) ([]artefact, error) {
	if r.selfie == nil {
		return nil, nil
	}
	data, err := json.Marshal(r.selfie)
	if err != nil {
		return nil, fmt.Errorf("encode face: %w", err)
	}
	return []artefact{{Class: storage.BiometricTemplate, Kind: "selfie_face", data: data}}, nil
}

func loadFace(r *run, a artefact) error {
	r.selfie = &selfie{}
	if err := json.Unmarshal(a.data, r.selfie); err != nil {
		return fmt.Errorf("decode face: %w", scrub(err))
	}
	return nil
}

// runLiveness looks for signs of a presentation attack in the selfie.
func runLiveness(ctx context.Context, r *run) ([]policy.Finding, error) {
	if r.engines.Liveness == nil {
		return missing("liveness", "case"), nil
	}
	p, err := r.photo(ctx, "selfie")
	if err != nil || p == nil || r.selfie == nil {
		return nil, err // no face: the face stage says so
	}
	f, err := livenessFinding(r.engines, p.Mat, r.selfie.Face)
	if err != nil {
		return nil, &stageError{"liveness", err}
	}
	if r.engines.Faces == nil {
		return []policy.Finding{f}, nil
	}
	burst, err := runBurst(ctx, r, p)
	if err != nil {
		return nil, err
	}
	answer, err := runChallenge(ctx, r, p)
	return append(append([]policy.Finding{f}, burst...), answer...), err
}

func livenessFinding(e *Engines, m gocv.Mat, main face.Face) (policy.Finding, error) {
	f := policy.Finding{Stage: "liveness", Subject: "selfie"}
	res, err := e.Liveness.Assess(m, main)
	if err != nil {
		return f, fmt.Errorf("assess liveness: %w", err)
	}
	f.Models = refs(res.Models)
	if res.Score == nil {
		f.Assert("biometric.liveness_inconclusive", "")
	} else {
		f.Measures = append(f.Measures, policy.Measure{Name: "liveness.score", Value: *res.Score, Unit: "score"})
	}
	for _, s := range res.Signals {
		if s.Skipped == "" {
			f.Measures = append(f.Measures, policy.Measure{Name: "liveness." + s.Name, Value: s.Value, Unit: s.Unit})
		}
	}
	return f, nil
}
