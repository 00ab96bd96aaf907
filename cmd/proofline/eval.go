package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

type evalCmd struct {
	MRZ      evalMRZCmd      `cmd:"" name:"mrz" help:"Read MRZs in images: exact-read rate, wrong MRZs called valid."`
	Face     evalFaceCmd     `cmd:"" help:"Compare pairs of faces: FMR, FNMR, AUC."`
	Liveness evalLivenessCmd `cmd:"" help:"Score live and attack images: APCER per species, BPCER."`
	Quality  evalQualityCmd  `cmd:"" help:"Measure image quality: AUC per measure and label."`
	Fields   evalFieldsCmd   `cmd:"" help:"Read printed fields: accuracy by layout and field, tampering noticed."`
	Document evalDocumentCmd `cmd:"" help:"Find documents in photos: corner errors, orientation."`

	MRZCurves evalMRZCurvesCmd `cmd:"" name:"mrz-curves" help:"Plot how MRZ reading holds up as photos get worse."`
}

// evalFlags are common to all evaluations.
type evalFlags struct {
	Manifest string `required:"" help:"Labelled manifest, one JSON object per line." type:"existingfile" placeholder:"M.jsonl"`
	Root     string `required:"" help:"Directory that the manifest's file names are relative to." type:"existingdir" placeholder:"DIR"`
	Out      string `required:"" help:"Where to write one row per item: the manifest's row and what was measured." placeholder:"SCORES.jsonl"`
	Split    string `help:"Only rows whose split has this name." placeholder:"NAME"`
	Jobs     int    `help:"Items worked on at once; 0: the number of cores." default:"0"`
	engineSettings
}

func (e evalFlags) jobs() int {
	if e.Jobs > 0 {
		return e.Jobs
	}
	return runtime.NumCPU()
}

// row is one line of a manifest with its keys in order.
type row struct {
	keys   []string
	values map[string]json.RawMessage
}

func parseRow(b []byte) (*row, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	t, err := d.Token()
	if err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("want a JSON object")
	}
	r := &row{values: map[string]json.RawMessage{}}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		key, _ := k.(string)
		if _, dup := r.values[key]; !dup {
			r.keys = append(r.keys, key)
		}
		r.values[key] = v
	}
	_, err = d.Token()
	return r, err
}

// set adds or replaces a key.
func (r *row) set(key string, v any) error {
	b, err := plainJSON(v)
	if err != nil {
		return fmt.Errorf("row key %s: %w", key, err)
	}
	if _, ok := r.values[key]; !ok {
		r.keys = append(r.keys, key)
	}
	r.values[key] = b
	return nil
}

// get decodes a key into v; a missing key or another type leaves v as it is.
func (r *row) get(key string, v any) {
	if b, ok := r.values[key]; ok {
		_ = json.Unmarshal(b, v)
	}
}

func (r *row) text(key string) string {
	var s string
	r.get(key, &s)
	return s
}

func (r *row) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range r.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(k)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(r.values[k])
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// maxRow bounds one manifest line.
const maxRow = 1 << 20

// rows reads the manifest. Every row needs the keys; null is a value.
func (e evalFlags) rows(needs ...string) ([]*row, error) {
	f, err := os.Open(e.Manifest)
	if err != nil {
		return nil, fmt.Errorf("open manifest: %w", err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 64<<10), maxRow)
	var out []*row
	for n := 1; sc.Scan(); n++ {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		r, err := parseRow(sc.Bytes())
		if err != nil {
			return nil, fmt.Errorf("manifest %s line %d: %w", e.Manifest, n, err)
		}
		if e.Split != "" && r.text("split") != e.Split {
			continue
		}
		var lacks []string
		for _, k := range needs {
			if _, ok := r.values[k]; !ok {
				lacks = append(lacks, k)
			}
		}
		if len(lacks) > 0 {
			return nil, exitError{code: 2, msg: fmt.Sprintf("manifest %s line %d lacks %s; every row needs %s (docs/cli.md)", e.Manifest, n, strings.Join(lacks, ", "), strings.Join(needs, ", "))}
		}
		out = append(out, r)
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("manifest %s has no rows%s", e.Manifest, map[bool]string{true: " of split " + e.Split}[e.Split != ""])
	}
	return out, nil
}

// read returns the bytes of the file that the row names under key.
func (e evalFlags) read(r *row, key string) ([]byte, error) {
	b, err := e.readFile(r.text(key))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return b, nil
}

// readFile returns the bytes of a file below the root.
func (e evalFlags) readFile(name string) ([]byte, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("%q is not a path below the root", name)
	}
	return readBounded(filepath.Join(e.Root, filepath.FromSlash(name)))
}

// each works on all rows with all cores and writes them in their order.
func (e evalFlags) each(ctx context.Context, name string, rows []*row, work func(context.Context, *row) error) error {
	if a, err := os.Stat(e.Manifest); err == nil {
		if b, err := os.Stat(e.Out); err == nil && os.SameFile(a, b) {
			return fmt.Errorf("--out is the manifest: it would be overwritten")
		}
	}
	out, err := os.Create(e.Out)
	if err != nil {
		return fmt.Errorf("create output: %w", err)
	}
	defer out.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bar := newProgress(name, len(rows))
	next := make(chan *row)
	var wg sync.WaitGroup
	for range e.jobs() {
		wg.Go(func() {
			for r := range next {
				if ctx.Err() != nil {
					continue
				}
				if err := work(ctx, r); err != nil {
					cancel(fmt.Errorf("row %s: %w", firstNonEmpty(r.text("file"), r.text("a")), err))
					continue
				}
				bar.add()
			}
		})
	}
	for _, r := range rows {
		next <- r
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, r := range rows {
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("write output: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return out.Close()
}

func firstNonEmpty(ss ...string) string {
	for _, s := range ss {
		if s != "" {
			return s
		}
	}
	return ""
}

// maxInputFile bounds a file given on the command line; photo.Decode has its
// own limits for images.
const maxInputFile = 64 << 20

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxInputFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxInputFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", path, maxInputFile>>20)
	}
	return b, nil
}

// leftAligned are the last columns that hold sentences rather than figures.
var leftAligned = map[string]bool{"why": true, "measured": true, "scopes": true}

// table prints aligned columns: names to the left, figures to the right.
func table(w io.Writer, header []string, rows [][]string) {
	width := make([]int, len(header))
	for _, r := range append([][]string{header}, rows...) {
		for i, c := range r {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	line := func(r []string) {
		var b strings.Builder
		for i, c := range r {
			switch {
			case i == 0:
				fmt.Fprintf(&b, "%-*s", width[i], c)
			case i == len(r)-1 && leftAligned[header[i]]:
				fmt.Fprintf(&b, "  %s", c)
			default:
				fmt.Fprintf(&b, "  %*s", width[i], c)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(header)
	total := 0
	for i, n := range width {
		if leftAligned[header[i]] {
			n = len(header[i])
		}
		total += n + 2
	}
	fmt.Fprintln(w, strings.Repeat("─", max(total-2, 1)))
	for _, r := range rows {
		line(r)
	}
}
