package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/pipeline"
)

type evalFieldsCmd struct {
	Count    int      `help:"Specimens to generate and read." default:"70"`
	Seed     int64    `help:"The same seed makes the same specimens." default:"1"`
	Layout   []string `help:"Layouts: TD3, TD1, TD2, MRVA, MRVB, EU_LICENCE, AAMVA_LICENCE; all when absent." placeholder:"NAME"`
	Tamper   bool     `help:"Alter one field in one zone of as many further specimens, and count what is noticed."`
	Manifest string   `help:"Instead read labelled photos: one JSON object per line with file and viz." type:"existingfile" placeholder:"M.jsonl"`
	Root     string   `help:"Directory that the manifest's file names are relative to." type:"existingdir" placeholder:"DIR"`
	Split    string   `help:"Only rows whose split has this name." placeholder:"NAME"`
	Misses   bool     `help:"Also list every value that was read wrong: personal data, where the photos are real."`
	Jobs     int      `help:"Documents worked on at once; 0: the number of cores." default:"0"`
	JSON     bool     `name:"json" help:"Write one JSON object with the counts instead of tables."`
	engineSettings
}

func (evalFieldsCmd) Help() string {
	return "Draws specimens, photographs them at moderate degradation, reads them and compares every printed field with what was drawn: exact, and as compared (spelled without diacritics, as a machine-readable zone would). With --tamper also how often an altered field is called a mismatch for sure, and how often an untouched document is."
}

func (c *evalFieldsCmd) Run(ctx context.Context) error {
	if (c.Manifest == "") != (c.Root == "") {
		return exitError{code: 2, msg: "--manifest and --root go together"}
	}
	var items []fieldItem
	var err error
	if c.Manifest != "" {
		items, err = c.labelled()
	} else {
		items, err = c.generated()
	}
	if err != nil {
		return err
	}
	results, err := c.read(ctx, items)
	if err != nil {
		return err
	}
	t := tallyFields(results)
	if c.JSON {
		return writeJSON(os.Stdout, t)
	}
	t.print()
	if c.Misses {
		for _, m := range t.misses {
			fmt.Println(m)
		}
	}
	return nil
}

// fieldItem is one document to read.
type fieldItem struct {
	name   string
	layout string
	files  func() (map[string][]byte, []specimen.Field, error)
	tamper *specimen.Tamper
}

type fieldResult struct {
	fieldItem
	truth  []specimen.Field
	report pipeline.Report
	took   time.Duration
}

func (c *evalFieldsCmd) generated() ([]fieldItem, error) {
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		return nil, err
	}
	layouts := specimen.Layouts
	if len(c.Layout) > 0 {
		layouts = nil
		for _, l := range c.Layout {
			f := specimen.Format(strings.ToUpper(l))
			if !slices.Contains(specimen.Layouts, f) {
				return nil, exitError{code: 2, msg: fmt.Sprintf("no layout %q; there are %v", l, specimen.Layouts)}
			}
			layouts = append(layouts, f)
		}
	}
	var items []fieldItem
	add := func(i int, f specimen.Format, seed int64, t *specimen.Tamper) {
		items = append(items, fieldItem{name: fmt.Sprintf("%s %d", f, seed), layout: string(f), tamper: t, files: func() (map[string][]byte, []specimen.Field, error) {
			s, err := specimen.New(seed, specimen.Options{Format: f, State: "*", Portraits: ps, Tamper: t})
			if err != nil {
				return nil, nil, err
			}
			files, err := s.Files(seed)
			var truth []specimen.Field
			for _, side := range s.Truth.Sides {
				truth = append(truth, side.Fields...)
			}
			return files, truth, err
		}})
	}
	for i := range c.Count {
		add(i, layouts[i%len(layouts)], c.Seed+int64(i), nil)
	}
	if !c.Tamper {
		return items, nil
	}
	// One zone alone can not be compared with another.
	layouts = slices.DeleteFunc(slices.Clone(layouts), func(f specimen.Format) bool { return len(f.Zones()) < 2 })
	for i := range c.Count {
		if len(layouts) == 0 {
			return nil, exitError{code: 2, msg: "none of these layouts says anything twice"}
		}
		f := layouts[i%len(layouts)]
		round := i / len(layouts)
		field := specimen.TamperFields[round%len(specimen.TamperFields)]
		zone := f.Zones()[round/len(specimen.TamperFields)%2]
		add(i, f, c.Seed+1_000_000+int64(i), &specimen.Tamper{Zone: zone, Field: field})
	}
	return items, nil
}

// labelled are the rows of a manifest that say what the visual zone holds.
func (c *evalFieldsCmd) labelled() ([]fieldItem, error) {
	rows, err := evalFlags{Manifest: c.Manifest, Root: c.Root, Split: c.Split}.rows()
	if err != nil {
		return nil, err
	}
	var items []fieldItem
	for _, r := range rows {
		var viz map[string]string
		r.get("viz", &viz)
		if len(viz) == 0 {
			continue
		}
		name := r.text("file")
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fmt.Errorf("file %q is not a path below the root", name)
		}
		items = append(items, fieldItem{name: name, layout: firstNonEmpty(r.text("doc_type"), r.text("set")), files: func() (map[string][]byte, []specimen.Field, error) {
			b, err := readBounded(filepath.Join(c.Root, filepath.FromSlash(name)))
			var truth []specimen.Field
			for field, v := range viz {
				truth = append(truth, specimen.Field{Name: field, Text: v, Value: v})
			}
			slices.SortFunc(truth, func(a, b specimen.Field) int { return strings.Compare(a.Name, b.Name) })
			return map[string][]byte{"document_front": b}, truth, err
		}})
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("manifest %s has no rows with viz", c.Manifest)
	}
	return items, nil
}

func (c *evalFieldsCmd) read(ctx context.Context, items []fieldItem) ([]fieldResult, error) {
	jobs := c.Jobs
	if jobs <= 0 {
		jobs = runtime.NumCPU()
	}
	engines, err := c.openEngines(jobs)
	if err != nil {
		return nil, err
	}
	defer engines.Close()
	if engines.OCR == nil {
		return nil, engines.Missing["ocr"]
	}
	if engines.Names == nil {
		fmt.Fprintln(os.Stderr, "proofline: trained data of the Latin script is not installed (tesseract-ocr-script-latn): names are read without diacritics")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bar := newProgress("eval fields", len(items))
	results := make([]fieldResult, len(items))
	next := make(chan int)
	var wg sync.WaitGroup
	for range jobs {
		wg.Go(func() {
			for i := range next {
				if ctx.Err() != nil {
					continue
				}
				if results[i], err = readItem(ctx, engines, items[i]); err != nil {
					cancel(fmt.Errorf("%s: %w", items[i].name, err))
					continue
				}
				bar.add()
			}
		})
	}
	for i := range items {
		next <- i
	}
	close(next)
	wg.Wait()
	return results, context.Cause(ctx)
}

func readItem(ctx context.Context, e *pipeline.Engines, it fieldItem) (fieldResult, error) {
	files, truth, err := it.files()
	if err != nil {
		return fieldResult{}, err
	}
	start := time.Now()
	report, err := pipeline.ReadDocument(ctx, e, pipeline.Case{Documents: files, AsOf: specimen.ReferenceDate})
	return fieldResult{fieldItem: it, truth: truth, report: report, took: time.Since(start)}, err
}

// fieldTally counts values. Rates count hits as "errors": they are what is wanted.
type fieldTally struct {
	Documents int                                   `json:"documents"`
	Exact     map[string]map[string]*calibrate.Rate `json:"exact"`    // by layout and field; "all" sums up
	Compared  map[string]map[string]*calibrate.Rate `json:"compared"` // spelled as in a zone
	Caught    map[string]*calibrate.Rate            `json:"caught,omitempty"`
	Unsure    map[string]*calibrate.Rate            `json:"unsure,omitempty"`     // altered, and called uncertain
	Alarms    calibrate.Rate                        `json:"false_alarms"`         // untouched, and called altered
	Doubts    calibrate.Rate                        `json:"uncertain_untouched"`  // untouched, and called uncertain
	Wrong     calibrate.Rate                        `json:"compared_wrong_field"` // altered, and another field is accused
	misses    []string
}
