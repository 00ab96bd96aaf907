package main

import (
	"context"
	"slices"
	"time"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/quality"
)

type inspectFaceCmd struct {
	Files []string `arg:"" optional:"" name:"file" help:"Image files." type:"path"`
	Pair  bool     `help:"Compare the faces of exactly two files: the document's portrait first, then the selfie."`
	inspectFlags
}

type faceInspected struct {
	face.Face
	Quality []quality.Measure `json:"quality"`
}

func (c *inspectFaceCmd) Run(ctx context.Context) error {
	if len(c.Files) == 0 || c.Pair && len(c.Files) != 2 {
		return exitError{code: 2, msg: "inspect face wants image files; with --pair exactly two of them"}
	}
	set, err := c.openModels()
	if err != nil {
		return err
	}
	engine, err := face.Open(set)
	if err != nil {
		return err
	}
	defer engine.Close()
	if c.Pair {
		return c.pair(engine)
	}
	return inspectFiles{Files: c.Files, inspectFlags: c.inspectFlags}.each(ctx, func(img *photo.Image, head inspected) (any, error) {
		out := struct {
			inspected
			Faces        []faceInspected       `json:"faces"`
			NotEvaluated []quality.NotMeasured `json:"not_evaluated"`
		}{inspected: head, Faces: []faceInspected{}, NotEvaluated: quality.FaceNotMeasured}
		if img == nil {
			return out, nil
		}
		faces, err := engine.Detect(img.Mat)
		if err != nil {
			return nil, err
		}
		for _, f := range faces {
			ms := quality.Face(img.Mat, quality.FaceInfo{Box: f.Box, Points: f.Points, Count: len(faces), Scale: img.Scale})
			for i := range ms {
				for k := range ms[i].Regions {
					ms[i].Regions[k] = inFile(img, ms[i].Regions[k])
				}
			}
			out.Faces = append(out.Faces, faceInspected{faceInFile(img, f), ms})
		}
		return out, nil
	})
}

func (c *inspectFaceCmd) pair(engine *face.Engine) error {
	threshold, err := c.matchThreshold()
	if err != nil {
		return err
	}
	start := time.Now()
	var imgs [2]*photo.Image
	for i, file := range c.Files {
		b, err := readBounded(file)
		if err != nil {
			return err
		}
		imgs[i], err = photo.Decode(b, photo.DefaultLimits)
		if err != nil {
			// As for single files: a result, not a failure of the command.
			return c.print(c.Files[0]+" and "+c.Files[1], struct {
				A          string     `json:"a"`
				B          string     `json:"b"`
				Similarity *float64   `json:"similarity"`
				Match      bool       `json:"match"`
				Threshold  float64    `json:"threshold"`
				File       string     `json:"file"`
				Error      *fileError `json:"error"`
			}{c.Files[0], c.Files[1], nil, false, threshold, file, newFileError(err)}, time.Since(start))
		}
		defer imgs[i].Close()
	}
	m, err := engine.MatchPortrait(imgs[0].Mat, imgs[1].Mat)
	if err != nil {
		return err
	}
	for i, f := range []*face.Face{m.PortraitFace, m.SelfieFace} {
		if f != nil {
			*f = faceInFile(imgs[i], *f)
		}
	}
	return c.print(c.Files[0]+" and "+c.Files[1], struct {
		A          string      `json:"a"`
		B          string      `json:"b"`
		Similarity *float64    `json:"similarity"`
		Match      bool        `json:"match"`
		Threshold  float64     `json:"threshold"`
		Reason     face.Reason `json:"reason,omitempty"`
		FaceA      *face.Face  `json:"face_a,omitempty"`
		FaceB      *face.Face  `json:"face_b,omitempty"`
	}{c.Files[0], c.Files[1], m.Similarity, m.Similarity != nil && *m.Similarity >= threshold, threshold, m.Reason, m.PortraitFace, m.SelfieFace}, time.Since(start))
}

// inFile moves a rectangle from pixels of a photo, which may have been reduced
// while it was decoded, to those of its file.
func inFile(img *photo.Image, r photo.Rect) photo.Rect {
	return r.Quad().Scaled(1 / img.Scale).Bounds()
}

// faceInFile is inFile for a face.
func faceInFile(img *photo.Image, f face.Face) face.Face {
	f.Box = inFile(img, f.Box)
	for _, ps := range []*[]photo.Point{&f.Points, &f.MouthCorners} {
		*ps = slices.Clone(*ps)
		for i := range *ps {
			(*ps)[i].X /= img.Scale
			(*ps)[i].Y /= img.Scale
		}
	}
	return f
}

type inspectLivenessCmd struct{ inspectFiles }

type livenessInspected struct {
	Box photo.Rect `json:"box"`
	liveness.Result
	Verdict policy.Verdict `json:"verdict"`
}

func (c *inspectLivenessCmd) Run(ctx context.Context) error {
	p, err := c.policy()
	if err != nil {
		return err
	}
	cell := p.Cell(policy.Context{})
	set, err := c.openModels()
	if err != nil {
		return err
	}
	faces, err := face.Open(set)
	if err != nil {
		return err
	}
	defer faces.Close()
	engine, err := liveness.Open(set)
	if err != nil {
		return err
	}
	defer engine.Close()
	return c.each(ctx, func(img *photo.Image, head inspected) (any, error) {
		out := struct {
			inspected
			Faces []livenessInspected `json:"faces"`
		}{inspected: head, Faces: []livenessInspected{}}
		if img == nil {
			return out, nil
		}
		fs, err := faces.Detect(img.Mat)
		if err != nil {
			return nil, err
		}
		for _, f := range fs {
			res, err := engine.Assess(img.Mat, f)
			if err != nil {
				return nil, err
			}
			for i, x := range res.Signals {
				if x.Region != nil {
					region := inFile(img, *x.Region)
					res.Signals[i].Region = &region
				}
			}
			out.Faces = append(out.Faces, livenessInspected{inFile(img, f.Box), res, livenessVerdict(cell, res)})
		}
		return out, nil
	})
}
