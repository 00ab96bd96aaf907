package main

import (
	"context"

	"github.com/proofline/proofline/mrz/reader"
	"github.com/proofline/proofline/photo"
)

type inspectMRZCmd struct{ inspectFiles }

type mrzInspected struct {
	inspected
	Found      bool              `json:"found"`
	Format     string            `json:"format,omitempty"`
	Lines      []string          `json:"lines"`
	Valid      bool              `json:"valid"`
	Confidence float64           `json:"confidence"`
	Repairs    []reader.Repair   `json:"repairs"`
	Fields     map[string]string `json:"fields"`
	Region     *photo.Quad       `json:"region,omitempty"`
	Rotation   int               `json:"rotation"`
}

func (c *inspectMRZCmd) Run(ctx context.Context) error {
	rd, err := c.openReader(1)
	if err != nil {
		return err
	}
	defer rd.Close()
	return c.each(ctx, func(img *photo.Image, head inspected) (any, error) {
		out := mrzInspected{inspected: head, Lines: []string{}, Repairs: []reader.Repair{}, Fields: map[string]string{}}
		if img == nil {
			return out, nil
		}
		res, err := rd.Read(ctx, img.Mat)
		if err != nil {
			return nil, err
		}
		out.Found, out.Format, out.Valid, out.Confidence, out.Rotation = res.Found, res.Format, res.Valid, res.Confidence, res.Rotation
		if res.Found {
			out.Lines, out.Repairs = orEmpty(res.Lines), append(out.Repairs, res.Repairs...)
			// In pixels of the file, not of a reduced decoding.
			region := res.Region.Scaled(1 / img.Scale)
			out.Region = &region
		}
		if res.Document != nil {
			out.Fields = res.Document.FieldMap()
		}
		return out, nil
	})
}
