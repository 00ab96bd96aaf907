package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"time"

	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/quality"
)

// stage is one step of a case. Its result depends on the case's evidence and on
// the results of the stages that it needs, and on nothing else.
type stage struct {
	Name string
	// Needs names the stages whose results it uses.
	Needs []string
	// Timeout bounds the stage. Calls into OpenCV and Tesseract can not be
	// interrupted: the bound takes effect between them. The values are far
	// beyond what a stage takes on a busy machine (seconds), since a timeout
	// sends a good case to a person.
	Timeout time.Duration
	// Biometric stages run only with consent.
	Biometric bool
	Run       func(context.Context, *run) ([]policy.Finding, error)
	// Save returns what later stages need, and Load takes it back when a run
	// is resumed. Nil where nothing is handed on.
	Save func(*run) ([]artefact, error)
	Load func(*run, artefact) error
	// Last lists the kinds whose photo no later stage looks at: a decoded
	// photo takes up to 36 MB.
	Last []string
}

// stages is the pipeline, in order. The decision is not in the table: it is
// pure and is made when all findings are there.
var stages = []stage{
	{Name: "quality", Timeout: time.Minute, Run: runQuality},
	{Name: "document", Needs: []string{"quality"}, Timeout: 2 * time.Minute, Run: runDocument, Save: saveDocument, Load: loadDocument},
	{Name: "mrz", Needs: []string{"document"}, Timeout: 2 * time.Minute, Run: runMRZ, Save: saveFields("mrz"), Load: loadFields},
	{Name: "barcode", Needs: []string{"document"}, Timeout: time.Minute, Run: runBarcode, Save: saveFields("barcode"), Load: loadFields, Last: documentKinds},
	{Name: "ocr", Needs: []string{"document", "mrz", "barcode"}, Timeout: 2 * time.Minute, Run: runOCR, Save: saveFields("visual"), Load: loadFields},
	{Name: "face", Needs: []string{"document"}, Timeout: time.Minute, Biometric: true, Run: runFace, Save: saveFace, Load: loadFace},
	{Name: "liveness", Needs: []string{"face"}, Timeout: time.Minute, Biometric: true, Run: runLiveness},
	{Name: "consistency", Needs: []string{"mrz", "ocr", "barcode"}, Timeout: 5 * time.Second, Run: runConsistency},
	{Name: "duplicates", Needs: []string{"mrz", "ocr", "barcode", "face"}, Timeout: time.Minute, Run: runDuplicates},
	{Name: policy.ScreeningStage, Needs: []string{"mrz", "ocr", "barcode"}, Timeout: 2 * time.Minute, Run: runScreening},
}

// run is a case while its stages run. One goroutine uses it.
type run struct {
	engines *Engines
	policy  *policy.Policy
	cell    policy.Cell
	c       Case
	// read returns the file of a kind; the bytes are dropped once decoded.
	read func(ctx context.Context, kind string) ([]byte, error)

	photos    map[string]*photo.Image
	refused   map[string]policy.Code // kinds whose file is no usable photo
	documents map[string]*straightened
	fields    []Field
	// comparisons are made by the consistency stage.
	comparisons []Comparison
	zone        *zone
	selfie      *selfie
	findings    []policy.Finding
}

func newRun(e *Engines, p *policy.Policy, c Case) *run {
	c.Attempt = max(c.Attempt, 1)
	r := &run{engines: e, policy: p, cell: p.Cell(c.Context), c: c,
		photos: map[string]*photo.Image{}, refused: map[string]policy.Code{}, documents: map[string]*straightened{}}
	r.read = func(_ context.Context, kind string) ([]byte, error) { return c.Documents[kind], nil }
	return r
}

func (r *run) close() {
	for _, p := range r.photos {
		p.Close()
	}
	for _, d := range r.documents {
		d.close()
	}
}

// Photo limits by kind: a document's print needs every pixel it can get, a
// face does not. They keep three decoded photos below 80 MiB.
var photoLimits = map[string]photo.Limits{
	"document_front": {WorkPixels: 12_000_000},
	"document_back":  {WorkPixels: 12_000_000},
	"selfie":         {WorkPixels: 4_000_000},
}

// photoCodes are the reason codes of photo.Error.
var photoCodes = map[string]policy.Code{
	photo.CodeNotAnImage:        "capture.not_an_image",
	photo.CodeTruncated:         "capture.image_truncated",
	photo.CodeTooManyBytes:      "capture.too_large",
	photo.CodeTooManyPixels:     "capture.too_large",
	photo.CodeUnsupportedFormat: "capture.unsupported_format",
	photo.CodeCorrupt:           "capture.image_corrupt",
}

// photo decodes the file of a kind once. Nil without an error means that the
// file is no usable photo, which refused then says, or that there is none.
func (r *run) photo(ctx context.Context, kind string) (*photo.Image, error) {
	if p := r.photos[kind]; p != nil {
		return p, nil
	}
	if _, ok := r.c.Documents[kind]; !ok || r.refused[kind] != "" {
		return nil, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := r.read(ctx, kind)
	var lost *unusable
	if errors.As(err, &lost) {
		r.refused[kind] = lost.code
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err)
	}
	p, err := photo.Decode(b, photoLimits[kind])
	if code, ok := PhotoCode(err); ok {
		r.refused[kind] = code
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", kind, err)
	}
	r.photos[kind] = p
	return p, nil
}

// stage runs one stage. A stage that fails or panics on this input is not
// retried for ever: that is a finding, and a person looks at the case. Only
// what comes from outside (evidence that can not be fetched, the end of the
// context) is an error.
func (r *run) stage(ctx context.Context, s stage) ([]policy.Finding, error) {
	if s.Biometric && r.c.NoBiometrics {
		f := policy.Finding{Stage: s.Name, Subject: "case"}
		f.Assert("biometric.consent_missing", "")
		return []policy.Finding{f}, nil
	}
	sctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	start := time.Now()
	fs, err := guarded(sctx, s, r)
	var failed *stageError
	if err != nil && (errors.As(err, &failed) || ctx.Err() == nil && sctx.Err() != nil) {
		f := policy.Finding{Stage: s.Name, Subject: "case"}
		f.Assert("system.stage_failed", "")
		fs, err = []policy.Finding{f}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("stage %s: %w", s.Name, err)
	}
	ms := float64(time.Since(start).Microseconds()) / 1000
	for _, kind := range s.Last {
		if p := r.photos[kind]; p != nil {
			p.Close()
			delete(r.photos, kind)
		}
	}
	for i := range fs {
		fs[i].Stage = s.Name
		if fs[i].DurationMS == 0 {
			fs[i].DurationMS = ms / float64(len(fs))
		}
	}
	return fs, nil
}

// stageError is a failure that the input or an engine caused.
type stageError struct {
	stage string
	err   error
}

func (e *stageError) Error() string { return "stage " + e.stage + ": " + e.err.Error() }
func (e *stageError) Unwrap() error { return e.err }

func guarded(ctx context.Context, s stage, r *run) (fs []policy.Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			// Only the type: a panic's text may quote what was read.
			err = &stageError{s.Name, fmt.Errorf("panic of type %T at %s", p, panicPlace())}
		}
	}()
	return s.Run(ctx, r)
}

// panicPlace is the stack of a panic, without values.
func panicPlace() string {
	b := debug.Stack()
	return string(b[:min(len(b), 2000)])
}

// judged returns the findings under the case's cell.
func (r *run) judged() []policy.Finding {
	out := make([]policy.Finding, len(r.findings))
	for i, f := range r.findings {
		out[i] = r.cell.Judge(f)
	}
	return out
}

func (r *run) decide() policy.Decision { return r.policy.Decide(r.input()) }

// input is everything that the decision depends on.
func (r *run) input() policy.Input {
	return policy.Input{Context: r.c.Context, Attempt: r.c.Attempt, Findings: r.findings}
}

// missing is the finding of a stage whose engine is not installed.
func missing(stage, subject string) []policy.Finding {
	return []policy.Finding{{Stage: stage, Subject: subject, Assertions: []policy.Assertion{{Code: "system.engine_missing"}}}}
}

func regions(rs []photo.Rect) []policy.Region {
	var out []policy.Region
	for _, r := range rs {
		out = append(out, policy.Region{X: r.X, Y: r.Y, W: r.W, H: r.H})
	}
	return out
}

// measures converts what package quality measured. Regions are scaled by
// scale, to pixels of the file as sent.
func measures(ms []quality.Measure, scale float64) []policy.Measure {
	out := make([]policy.Measure, 0, len(ms))
	for _, m := range ms {
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			continue // not measured; JSON has no word for it
		}
		pm := policy.Measure{Name: m.Name, Value: m.Value, Unit: m.Unit, Regions: regions(m.Regions)}
		for i := range pm.Regions {
			g := &pm.Regions[i]
			g.X, g.Y, g.W, g.H = g.X*scale, g.Y*scale, g.W*scale, g.H*scale
		}
		out = append(out, pm)
	}
	return out
}

// isDocument tells document photos from selfies.
func isDocument(kind string) bool { return slices.Contains(documentKinds, kind) }

var documentKinds = []string{"document_front", "document_back"}
