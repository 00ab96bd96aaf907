package main

import (
	"context"
	"os"
	"time"

	"github.com/proofline/proofline/document"
	"github.com/proofline/proofline/ocr"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
)

type inspectQualityCmd struct {
	Kind  string   `help:"What the photos show: document_front, document_back or selfie." enum:"document_front,document_back,selfie" default:"document_front"`
	Files []string `arg:"" name:"file" help:"Image files." type:"path"`
	inspectFlags
}

type qualityInspected struct {
	inspected
	policy.GateAnswer
}

// Run judges each file as the server judges an upload.
func (c *inspectQualityCmd) Run(ctx context.Context) error {
	p, err := c.policy()
	if err != nil {
		return err
	}
	engines, err := c.openEngines(1)
	if err != nil {
		return err
	}
	defer engines.Close()
	for _, file := range c.Files {
		b, err := readBounded(file)
		if err != nil {
			return err
		}
		start := time.Now()
		a, err := pipeline.Gate(ctx, engines, p, c.Kind, b)
		if err != nil {
			return err
		}
		if err := c.print(file, qualityInspected{inspected{File: file}, a}, time.Since(start)); err != nil {
			return err
		}
	}
	return nil
}

type inspectDocumentCmd struct {
	Crop string `help:"Also write the first document found, rectified, as JPEG." placeholder:"FILE"`
	inspectFiles
}

func (c *inspectDocumentCmd) Run(ctx context.Context) error {
	engines, err := c.openEngines(1)
	if err != nil {
		return err
	}
	defer engines.Close()
	return c.each(ctx, func(img *photo.Image, head inspected) (any, error) {
		out := struct {
			inspected
			Documents []document.Found `json:"documents"`
		}{inspected: head, Documents: []document.Found{}}
		if img == nil {
			return out, nil
		}
		found, err := engines.FindDocuments(img)
		if err != nil {
			return nil, err
		}
		for i := range found {
			if i == 0 && c.Crop != "" {
				b, err := photo.Encode(found[i].Rectified, 92)
				if err != nil {
					return nil, err
				}
				if err := os.WriteFile(c.Crop, b, 0o600); err != nil {
					return nil, err
				}
			}
			found[i].Close()
			found[i].Quad = found[i].Quad.Scaled(1 / img.Scale)
			found[i].SourcePxPerMM /= img.Scale
			out.Documents = append(out.Documents, found[i])
		}
		return out, nil
	})
}

type inspectOCRCmd struct{ inspectFiles }

// Run reads the document in each photo, or the photo itself when no document
// was found in it.
func (c *inspectOCRCmd) Run(ctx context.Context) error {
	engines, err := c.openEngines(1)
	if err != nil {
		return err
	}
	defer engines.Close()
	if engines.OCR == nil {
		return engines.Missing["ocr"]
	}
	return c.each(ctx, func(img *photo.Image, head inspected) (any, error) {
		out := struct {
			inspected
			Rectified bool        `json:"rectified"`
			Template  string      `json:"template"`
			Rotation  int         `json:"rotation"`
			Legible   bool        `json:"legible"`
			Words     []ocr.Word  `json:"words"`
			Fields    []ocr.Field `json:"fields"`
		}{inspected: head, Words: []ocr.Word{}, Fields: []ocr.Field{}}
		if img == nil {
			return out, nil
		}
		found, err := engines.FindDocuments(img)
		if err != nil {
			return nil, err
		}
		sheet := ocr.Sheet{Image: img.Mat}
		for i := range found {
			defer found[i].Close()
		}
		if len(found) > 0 {
			sheet, out.Rectified = ocr.Sheet{Image: found[0].Rectified, Class: string(found[0].Class)}, true
		}
		res, err := engines.Text().Read(ctx, sheet, ocr.Options{})
		if err != nil {
			return nil, err
		}
		out.Template, out.Rotation, out.Legible = res.Template, res.Rotation, res.Legible()
		out.Words = append(out.Words, res.Words...)
		out.Fields = append(out.Fields, res.Fields...)
		return out, nil
	})
}
