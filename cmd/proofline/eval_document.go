package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"sort"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/photo"
)

type evalDocumentCmd struct {
	Plot string `help:"Also draw the distribution of the corner errors to this SVG file." placeholder:"FILE.svg"`
	evalFlags
}

func (evalDocumentCmd) Help() string {
	return "Each row names a file and quad: the document's four corners in the photo, top left first as it is read. `proofline specimen DIR --with scene` writes such rows to documents.jsonl. The corner error is the mean distance of the four corners, per diagonal of the document; upright means that the first corner is the document's own top left."
}

// located is what the finder made of one photo.
type located struct {
	Class  string  `json:"class"`
	Found  int     `json:"found"`
	Error  float64 `json:"corner_error"` // of the diagonal; 1 where nothing was found
	Turned bool    `json:"turned"`       // found, but another way up
}

func (c *evalDocumentCmd) Run(ctx context.Context) error {
	rows, err := c.rows()
	if err != nil {
		return err
	}
	engines, err := c.openEngines(c.jobs())
	if err != nil {
		return err
	}
	defer engines.Close()
	err = c.each(ctx, "eval document", rows, func(_ context.Context, r *row) error {
		var truth photo.Quad
		if r.get("quad", &truth); truth.Area() == 0 {
			return fmt.Errorf("the row has no quad")
		}
		b, err := c.read(r, "file")
		if err != nil {
			return err
		}
		img, err := photo.Decode(b, photo.Limits{})
		if err != nil {
			return err
		}
		defer img.Close()
		found, err := engines.FindDocuments(img)
		if err != nil {
			return err
		}
		l := located{Found: len(found), Error: 1}
		for i := range found {
			if i == 0 {
				l.Class = string(found[i].Class)
				l.Error, l.Turned = cornerError(found[i].Quad.Scaled(1/img.Scale), truth)
			}
			found[i].Close()
		}
		return r.set("located", l)
	})
	if err != nil {
		return err
	}
	all := make([]located, len(rows))
	for i, r := range rows {
		r.get("located", &all[i])
	}
	printLocated(rows, all)
	if c.Plot != "" {
		return os.WriteFile(c.Plot, plotErrors(all), 0o644)
	}
	return nil
}

// cornerError is the mean distance between corners over the diagonal of the true
// quadrilateral, whatever corner either begins with, and whether they begin with
// different ones.
func cornerError(got, want photo.Quad) (least float64, turned bool) {
	diagonal := (want[0].Distance(want[2]) + want[1].Distance(want[3])) / 2
	least = math.MaxFloat64
	for k := range 4 {
		sum := 0.0
		for i := range 4 {
			sum += got[(i+k)%4].Distance(want[i]) / 4
		}
		if sum < least {
			least, turned = sum, k != 0
		}
	}
	return least / math.Max(1, diagonal), turned
}

// closeEnough is the corner error up to which a document counts as found where
// it is: a mean distance of 2 % of the diagonal.
const closeEnough = 0.02

func printLocated(rows []*row, all []located) {
	kinds := map[string][]located{}
	for i, r := range rows {
		k := firstNonEmpty(r.text("doc_type"), "document")
		kinds[k] = append(kinds[k], all[i])
	}
	names := make([]string, 0, len(kinds))
	for k := range kinds {
		names = append(names, k)
	}
	sort.Strings(names)
	fmt.Printf("Documents in %d photos, 95 %% Wilson intervals\n\n", len(all))
	var lines [][]string
	line := func(name string, ls []located) {
		var missed, off, turned calibrate.Rate
		var errs []float64
		for _, l := range ls {
			missed.Trials, off.Trials = missed.Trials+1, off.Trials+1
			if l.Found == 0 {
				missed.Errors++
			} else {
				turned.Trials++
				if errs = append(errs, l.Error); l.Turned {
					turned.Errors++
				}
			}
			if l.Error > closeEnough {
				off.Errors++
			}
		}
		sort.Float64s(errs)
		at := func(p float64) string {
			if len(errs) == 0 {
				return "–"
			}
			return fmt.Sprintf("%.2f %%", 100*errs[min(len(errs)-1, int(p*float64(len(errs))))])
		}
		lines = append(lines, []string{name, fmt.Sprint(len(ls)), missed.String(), off.String(), turned.String(), at(.5), at(.95), at(.99)})
	}
	for _, k := range names {
		line(k, kinds[k])
	}
	if len(names) > 1 {
		line("all", all)
	}
	table(os.Stdout, []string{"document", "photos", "not found", "corners off by more than 2 %", "found, but not upright", "median error", "95 %", "99 %"}, lines)
}
