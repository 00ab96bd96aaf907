package specimen

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"

	"github.com/proofline/proofline/photo"
)

// WriteOptions says what Write makes. Every specimen is photographed once for
// each degradation; people are those of Portraits.
type WriteOptions struct {
	Seed         int64
	Count        int           // specimens; 10 when zero
	Formats      []Format      // all when empty, taken in turn
	Degradations []Degradation // Good alone when empty
	State        string        // see Options; "*" when empty
	Portraits    *Portraits    // nil: drawn figures, and no selfies, pairs or attacks
	Flat         bool          // also the drawn sides as PNG files
	Manifest     bool          // manifests for `proofline eval`
	NoFaces      bool          // no selfies, pairs or attacks
	Split        string        // the split named in manifests; "specimen" when empty
	Progress     func(done, total int)
}

// Written counts what Write has made.
type Written struct {
	Documents, Photos, Selfies, Attacks int
	Manifests                           []string // paths, relative to the directory
}

// Write fills a directory with specimens: documents/ holds photos (and flat
// sides), faces/ selfies and attacks on them. The manifests mrz.jsonl,
// documents.jsonl, quality.jsonl, pairs.jsonl and liveness.jsonl name the files
// relative to dir. The same options write the same bytes.
func Write(ctx context.Context, dir string, o WriteOptions) (*Written, error) {
	if o.Count == 0 {
		o.Count = 10
	}
	if len(o.Formats) == 0 {
		o.Formats = Formats
	}
	if len(o.Degradations) == 0 {
		o.Degradations = []Degradation{Good}
	}
	if o.State == "" {
		o.State = "*"
	}
	if o.Split == "" {
		o.Split = "specimen"
	}
	w := &writer{dir: dir, o: o, done: &Written{}, rows: map[string][]any{}}
	for _, sub := range []string{"documents", "faces"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, fmt.Errorf("write specimens: %w", err)
		}
	}
	for i := range o.Count {
		if err := ctx.Err(); err != nil {
			return w.done, err
		}
		if err := w.one(i); err != nil {
			return w.done, fmt.Errorf("write specimen %d: %w", i, err)
		}
		if o.Progress != nil {
			o.Progress(i+1, o.Count)
		}
	}
	if o.Manifest {
		if err := w.manifests(); err != nil {
			return w.done, fmt.Errorf("write specimens: %w", err)
		}
	}
	return w.done, nil
}

type writer struct {
	dir  string
	o    WriteOptions
	done *Written
	rows map[string][]any // by manifest
}

const (
	drawn     = "drawn by the generator from the seed"
	simulated = "simulated from one source picture per person"
	ours      = "Apache-2.0; portraits as named in internal/specimen/portraits.yaml"
)

func (w *writer) one(i int) error {
	seed := w.o.Seed + int64(i)
	s, err := New(seed, Options{Format: w.o.Formats[i%len(w.o.Formats)], State: w.o.State, Portraits: w.o.Portraits})
	if err != nil {
		return err
	}
	w.done.Documents++
	name := fmt.Sprintf("%s_%06d", strings.ToLower(string(s.Truth.Format)), seed)
	front := ""
	for _, side := range s.Truth.Sides {
		img := s.front
		if side.Side == "back" {
			img = s.back
		}
		if w.o.Flat {
			if err := w.png(fmt.Sprintf("documents/%s_%s.png", name, side.Side), img); err != nil {
				return err
			}
		}
		for _, d := range w.o.Degradations {
			file := fmt.Sprintf("documents/%s_%s__%s.jpg", name, side.Side, d)
			if err := w.photo(s, &side, img, file, name, d, seed); err != nil {
				return err
			}
			if front == "" {
				front = file
			}
		}
	}
	if w.o.Portraits == nil || w.o.NoFaces {
		return nil
	}
	return w.faces(s, front, name, seed)
}

func (w *writer) photo(s *Specimen, side *SideTruth, img *image.RGBA, file, group string, d Degradation, seed int64) error {
	c := CameraFor(seed, d, side)
	if d == Two {
		c.Beside = img
	}
	p, err := Photograph(img, c)
	if err != nil {
		return err
	}
	b, err := p.JPEG(d.Quality())
	if err != nil {
		return err
	}
	if err := w.file(file, b); err != nil {
		return err
	}
	w.done.Photos++
	size := p.Image.Rect
	row := mrzRow{
		File: file, Set: "specimen", DocGroup: group, Split: w.o.Split, Licence: ours,
		Width: size.Dx(), Height: size.Dy(), Tags: []string{string(d)}, Quad: p.Quad, Truth: drawn,
	}
	if side.MRZ != nil {
		zone := p.Region(*side.MRZ)
		row.Format, row.MRZ, row.MRZQuad, row.AllChecksValid = s.Truth.Format, s.Truth.Lines, &zone, true
	}
	w.add("mrz.jsonl", row)
	w.add("quality.jsonl", qualityRow{
		File: file, Set: "specimen", Labels: []string{d.Label()}, Variant: string(d), IsDocument: true,
		Split: w.o.Split, DocGroup: group, Licence: ours, Truth: drawn,
	})
	viz := map[string]string{}
	for _, f := range side.Fields {
		viz[f.Name] = f.Value
	}
	doc := documentRow{
		File: file, Set: "specimen", DocType: docType(s.Truth.Format), Country: s.Truth.Identity.State, Viz: viz,
		MRZ: row.MRZ, Split: w.o.Split, Licence: ours, Quad: p.Quad, Truth: drawn,
	}
	w.add("documents.jsonl", doc)
	return nil
}

func docType(f Format) string {
	switch f {
	case TD3:
		return "passport"
	case MRVA, MRVB:
		return "visa"
	case EULicence, NALicence:
		return "driving_licence"
	}
	return "id_card"
}

// faces adds a selfie of the holder, one of someone else, and both attacks on
// the holder's.
func (w *writer) faces(s *Specimen, document, name string, seed int64) error {
	holder, err := w.o.Portraits.Person(s.Truth.Person)
	if err != nil {
		return err
	}
	other := w.o.Portraits.other(seed, holder)
	for _, p := range []*Person{holder, other} {
		selfie, err := TakeSelfie(p, SelfieOptions{Seed: seed})
		if err != nil {
			return err
		}
		file := fmt.Sprintf("faces/%s_selfie_%s.jpg", name, p.ID)
		b, err := selfie.JPEG(92)
		if err != nil {
			return err
		}
		if err := w.file(file, b); err != nil {
			return err
		}
		w.done.Selfies++
		pair := pairRow{Set: "specimen", A: document, B: file, IDA: holder.ID, IDB: p.ID, Split: w.o.Split}
		if p == holder {
			pair.Same = 1
		}
		w.add("pairs.jsonl", pair)
		w.add("liveness.jsonl", w.liveness(file, "real", nil, p.ID, selfie.FaceBox))
		if p != holder {
			continue
		}
		for _, kind := range AttackKinds {
			shown, err := Attack(kind, selfie, seed)
			if err != nil {
				return err
			}
			file := fmt.Sprintf("faces/%s_%s_%s.jpg", name, kind, p.ID)
			b, err := shown.JPEG(90)
			if err != nil {
				return err
			}
			if err := w.file(file, b); err != nil {
				return err
			}
			w.done.Attacks++
			species := string(kind)
			w.add("liveness.jsonl", w.liveness(file, "spoof", &species, p.ID, shown.FaceBox))
		}
	}
	return nil
}

func (w *writer) liveness(file, label string, attack *string, person string, box photo.Rect) livenessRow {
	return livenessRow{
		File: file, Set: "specimen", Label: label, Attack: attack, SubjectGroup: person, Framing: "full frame",
		FaceBox: [4]int{round(box.X), round(box.Y), round(box.W), round(box.H)}, Split: w.o.Split, Licence: ours, Truth: simulated,
	}
}

func (w *writer) file(name string, b []byte) error {
	return os.WriteFile(filepath.Join(w.dir, filepath.FromSlash(name)), b, 0o644)
}

func (w *writer) png(name string, img *image.RGBA) error {
	f, err := os.Create(filepath.Join(w.dir, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	return errors.Join(png.Encode(f, img), f.Close())
}
