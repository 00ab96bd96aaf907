package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
)

type inspectCmd struct {
	MRZ      inspectMRZCmd      `cmd:"" name:"mrz" help:"Find and read the machine-readable zone."`
	Quality  inspectQualityCmd  `cmd:"" help:"Measure the capture quality and judge it by the policy."`
	Document inspectDocumentCmd `cmd:"" help:"Find the documents in the photo."`
	OCR      inspectOCRCmd      `cmd:"" name:"ocr" help:"Read the text of the visual zone."`
	Face     inspectFaceCmd     `cmd:"" help:"Find faces, or compare the faces of two images."`
	Liveness inspectLivenessCmd `cmd:"" help:"Look for signs of a presentation attack."`
}

// inspectFlags are common to all of inspect.
type inspectFlags struct {
	JSON bool `name:"json" help:"Write one JSON object per file and line; docs/cli.md describes the fields."`
	engineSettings
}

type inspectFiles struct {
	Files []string `arg:"" name:"file" help:"Image files." type:"path"`
	inspectFlags
}

// fileError is how a file that is no usable photo is reported: a result, not
// a failure of the command.
type fileError struct {
	Code   policy.Code `json:"code"`
	Detail string      `json:"detail"`
}

func newFileError(err error) *fileError {
	code, ok := pipeline.PhotoCode(err)
	if !ok {
		code = "system.stage_failed"
	}
	detail := err.Error()
	var pe *photo.Error
	if errors.As(err, &pe) {
		detail = pe.Detail
	}
	return &fileError{Code: code, Detail: detail}
}

// inspected is the part of a result that all stages share.
type inspected struct {
	File     string     `json:"file"`
	Error    *fileError `json:"error,omitempty"`
	Duration float64    `json:"duration_ms"`
}

// each decodes every file and hands it to one, which fills in and prints a
// result. A file that can not be read at all ends the command.
func (c inspectFiles) each(ctx context.Context, one func(*photo.Image, inspected) (any, error)) error {
	for _, file := range c.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := readBounded(file)
		if err != nil {
			return err
		}
		head := inspected{File: file}
		start := time.Now()
		img, err := photo.Decode(b, photo.DefaultLimits)
		if err != nil {
			var pe *photo.Error
			if !errors.As(err, &pe) {
				return fmt.Errorf("decode %s: %w", file, err)
			}
			head.Error = newFileError(err)
		}
		v, err := one(img, head)
		if img != nil {
			img.Close()
		}
		if err != nil {
			return fmt.Errorf("inspect %s: %w", file, err)
		}
		if err := c.print(file, v, time.Since(start)); err != nil {
			return err
		}
	}
	return nil
}

// print writes one result with its duration.
func (c inspectFlags) print(file string, v any, took time.Duration) error {
	b, err := plainJSON(v)
	if err != nil {
		return err
	}
	r, err := parseRow(b)
	if err != nil {
		return err
	}
	if err := r.set("duration_ms", milliseconds(took)); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, r)
	}
	fmt.Fprintf(os.Stdout, "%s\n", file)
	for _, k := range r.keys {
		if k != "file" {
			printValue(os.Stdout, k, r.values[k], 1)
		}
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// plainJSON is json.Marshal that leaves the fillers of zones ("<") as they are.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := writeJSON(&b, v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// printValue shows JSON as indented lines for people: objects and lists of
// objects nest, everything else stays on its line.
func printValue(w io.Writer, key string, raw json.RawMessage, depth int) {
	indent := strings.Repeat("  ", depth)
	s := strings.TrimSpace(string(raw))
	if strings.HasPrefix(s, "{") {
		if r, err := parseRow(raw); err == nil {
			if flat(r) {
				var parts []string
				for _, k := range r.keys {
					parts = append(parts, k+" "+unquote(r.values[k]))
				}
				fmt.Fprintf(w, "%s%s: %s\n", indent, key, strings.Join(parts, ", "))
				return
			}
			fmt.Fprintf(w, "%s%s:\n", indent, key)
			for _, k := range r.keys {
				printValue(w, k, r.values[k], depth+1)
			}
			return
		}
	}
	var list []json.RawMessage
	if strings.HasPrefix(s, "[") && json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		fmt.Fprintf(w, "%s%s:\n", indent, key)
		for _, v := range list {
			printValue(w, "-", v, depth+1)
		}
		return
	}
	fmt.Fprintf(w, "%s%s: %s\n", indent, key, unquote(raw))
}

func flat(r *row) bool {
	for _, v := range r.values {
		if s := strings.TrimSpace(string(v)); strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[") {
			return false
		}
	}
	return len(r.keys) <= 8
}

func unquote(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
