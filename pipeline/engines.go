package pipeline

import (
	"errors"
	"fmt"

	"github.com/proofline/proofline/document"
	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/mrz/reader"
	"github.com/proofline/proofline/ocr"
	"github.com/proofline/proofline/policy"
)

// Engines are the vision engines of one process. A nil engine is one that is
// not installed: its stage reports not_evaluated. Engines are safe for
// concurrent use and own what they hold; Close frees it.
type Engines struct {
	Documents *document.Finder
	MRZ       *reader.Reader
	OCR       *ocr.Pool // Tesseract with English data: pages, digits, plain letters
	Names     *ocr.Pool // with the data of the Latin script: names and places; nil where not installed
	Faces     *face.Engine
	Liveness  *liveness.Engine
	Models    []models.Ref // the installed models, for receipts
	// Missing says why an engine is nil, by stage.
	Missing map[string]error

	slots chan struct{} // bounds the photos that are decoded at a time
}

// EnginesConfig says what to open.
type EnginesConfig struct {
	ModelsDir string // "" is models.DefaultDir()
	Profile   string // "" is models.Default
	// Concurrency is how many cases run at a time; 0 means 1. It sizes the
	// pools of engines and with that the memory.
	Concurrency int
}

// OpenEngines opens what is installed. A model that is missing leaves its
// engine nil; one that is not the manifest's is an error, as is everything
// else: a damaged installation must not look like a small one.
func OpenEngines(c EnginesConfig) (*Engines, error) {
	if c.Profile == "" {
		c.Profile = models.Default
	}
	c.Concurrency = max(c.Concurrency, 1)
	set, err := models.Open(c.ModelsDir, c.Profile)
	if err != nil {
		return nil, fmt.Errorf("open models: %w", err)
	}
	e := &Engines{Documents: document.NewFinder(), Models: set.Refs(), Missing: map[string]error{}, slots: make(chan struct{}, c.Concurrency)}
	for _, o := range []struct {
		stage string
		open  func() error
	}{
		{"mrz", func() (err error) { e.MRZ, err = reader.New(reader.Options{Clients: c.Concurrency}); return }},
		{"ocr", func() (err error) { e.OCR, err = openOCR(c, "eng", false); return }},
		{"names", func() (err error) { e.Names, err = openOCR(c, "Latin", true); return }},
		{"face", func() (err error) { e.Faces, err = face.OpenWith(set, face.Options{Workers: c.Concurrency}); return }},
		{"liveness", func() (err error) {
			e.Liveness, err = liveness.OpenWith(set, liveness.Options{Workers: c.Concurrency})
			return
		}},
	} {
		err := o.open()
		var missing *models.MissingError
		switch {
		case err == nil:
		case errors.As(err, &missing), errors.Is(err, errNotInstalled):
			e.Missing[o.stage] = err
		default:
			e.Close()
			return nil, fmt.Errorf("open %s engine: %w", o.stage, err)
		}
	}
	return e, nil
}

var errNotInstalled = errors.New("not installed")

// openOCR starts Tesseract with the system's data of a language or script.
func openOCR(c EnginesConfig, language string, noWords bool) (*ocr.Pool, error) {
	dir, err := ocr.SystemTessdata(language)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNotInstalled, err)
	}
	return ocr.NewPool(ocr.PoolOptions{Tessdata: dir, Language: language, Clients: c.Concurrency, NoWords: noWords})
}

// Text is the reader of the visual zone; nil without an OCR engine.
func (e *Engines) Text() *ocr.Reader {
	if e.OCR == nil {
		return nil
	}
	rd := &ocr.Reader{Page: e.OCR}
	if e.Names != nil {
		rd.Names = e.Names
	}
	return rd
}

// Close frees the engines.
func (e *Engines) Close() {
	if e.MRZ != nil {
		e.MRZ.Close()
	}
	if e.OCR != nil {
		e.OCR.Close()
	}
	if e.Names != nil {
		e.Names.Close()
	}
	if e.Liveness != nil {
		e.Liveness.Close()
	}
	if e.Faces != nil {
		e.Faces.Close()
	}
}

// refs turns the names of models into those of the policy.
func refs(rs []models.Ref) []policy.ModelRef {
	out := make([]policy.ModelRef, len(rs))
	for i, r := range rs {
		out[i] = policy.ModelRef(r)
	}
	return out
}

// role names the installed models of the given roles.
func (e *Engines) role(roles ...string) []policy.ModelRef {
	var out []policy.ModelRef
	for _, r := range e.Models {
		for _, want := range roles {
			if r.Role == want {
				out = append(out, policy.ModelRef(r))
			}
		}
	}
	return out
}
