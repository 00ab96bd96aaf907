package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/proofline/proofline/mrz"
)

type mrzCmd struct {
	Parse mrzParseCmd `cmd:"" help:"Parse and check machine-readable zones given as text."`
}

type mrzParseCmd struct {
	JSONL bool     `name:"jsonl" help:"Read one JSON object per line, {\"id\":…,\"lines\":[…]}, and write one result per line."`
	JSON  bool     `name:"json" help:"Write the result as one JSON object."`
	File  *os.File `arg:"" optional:"" help:"File to read; standard input when absent." default:"-"`
}

// Help is shown below the command's flags.
func (mrzParseCmd) Help() string {
	return "Without --jsonl the input is one zone, its lines as printed. Nothing is corrected: wrong lengths, lower case and foreign characters are errors with line and column.\n\nExit status: 0 when the zone is valid (or with --jsonl, when all lines could be processed), 3 when it is not."
}

// maxMRZInput bounds one record: a zone has at most 90 characters, so a record
// of this size is not one.
const maxMRZInput = 1 << 20

func (c *mrzParseCmd) Run() error {
	defer c.File.Close()
	if c.JSONL {
		return parseMRZRecords(c.File, os.Stdout)
	}
	b, err := io.ReadAll(io.LimitReader(c.File, maxMRZInput+1))
	if err != nil {
		return fmt.Errorf("read MRZ: %w", err)
	}
	if len(b) > maxMRZInput {
		return fmt.Errorf("input is larger than %d bytes and no MRZ", maxMRZInput)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return exitError{code: 2, msg: "the input is empty; give the lines of one zone in a file or on standard input"}
	}
	r := mrz.NewRecord("", strings.Split(strings.TrimRight(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n"), "\n"))
	if c.JSON {
		if err := writeJSON(os.Stdout, r); err != nil {
			return err
		}
	} else {
		printRecord(os.Stdout, r)
	}
	if !r.Valid {
		return exitError{code: 3}
	}
	return nil
}

// parseMRZRecords reads {"id","lines"} objects and writes one record each. A
// line that is no such object ends it with an error, after the records of the
// lines before; empty lines are skipped.
func parseMRZRecords(r io.Reader, w io.Writer) (err error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 64<<10), maxMRZInput)
	out := bufio.NewWriter(w)
	defer func() { err = errors.Join(err, out.Flush()) }()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for n := 1; sc.Scan(); n++ {
		if len(strings.TrimSpace(sc.Text())) == 0 {
			continue
		}
		var in struct {
			ID    string   `json:"id"`
			Lines []string `json:"lines"`
		}
		if err := json.Unmarshal(sc.Bytes(), &in); err != nil {
			return fmt.Errorf("line %d: want a JSON object with id and lines: %w", n, err)
		}
		if err := enc.Encode(mrz.NewRecord(in.ID, in.Lines)); err != nil {
			return err
		}
	}
	if err := sc.Err(); err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	return nil
}

func printRecord(w io.Writer, r mrz.Record) {
	if r.Format == nil {
		fmt.Fprintln(w, "not an MRZ")
	} else {
		fmt.Fprintf(w, "%s, %s\n", *r.Format, map[bool]string{true: "valid", false: "NOT valid"}[r.Valid])
		for _, k := range []string{"documentCode", "issuingState", "surname", "givenNames", "documentNumber", "nationality", "birthDate", "sex", "expirationDate", "optional1", "optional2", "administrativeCode"} {
			if v, ok := r.Fields[k]; ok {
				fmt.Fprintf(w, "  %-20s %s\n", k, v)
			}
		}
	}
	for _, e := range r.Errors {
		fmt.Fprintf(w, "  error: %v\n", e)
	}
}
