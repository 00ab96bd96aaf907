package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/mrz/reader"
	"github.com/proofline/proofline/photo"
)

type evalMRZCurvesCmd struct {
	Out   string `required:"" help:"Where to write the plot." type:"path" placeholder:"CURVES.svg"`
	Count int    `help:"Documents photographed at each level." default:"20"`
	Seed  int64  `help:"The same seed takes the same photos." default:"1"`
	Jobs  int    `help:"Photos worked on at once; 0: the number of cores." default:"0"`
}

func (evalMRZCurvesCmd) Help() string {
	return "Draws specimen documents, photographs them with one thing going wrong by degrees, and plots how many zones are read exactly, with 95 % Wilson intervals. Needs no data."
}

// basePitch is the width of a character in the photos of all curves but that
// of the pitch itself: a passport page fills half the width of 2 megapixels.
const basePitch = 16.0

// curve is one thing that goes wrong, from the first level, which is good, to
// the last.
type curve struct {
	name, unit string
	levels     []float64
	set        func(c *specimen.Camera, level float64)
	pitch      bool // the level is the pitch
}

var mrzCurves = []curve{
	{name: "Blur", unit: "standard deviation, parts of a character's width", levels: []float64{0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3},
		set: func(c *specimen.Camera, v float64) { c.Defocus = v * basePitch }},
	{name: "Rotation", unit: "degrees", levels: []float64{0, 15, 30, 45, 60, 90, 135, 180},
		set: func(c *specimen.Camera, v float64) { c.Rotation += v }},
	{name: "Perspective", unit: "tilt away from the camera, degrees", levels: []float64{0, 20, 30, 40, 45, 50, 55, 60},
		set: func(c *specimen.Camera, v float64) { c.Tilt = v }},
	{name: "Pixel pitch", unit: "pixels a character", levels: []float64{24, 16, 12, 10, 8, 6, 5, 4}, pitch: true,
		set: func(*specimen.Camera, float64) {}},
	{name: "Noise", unit: "standard deviation, levels of 255", levels: []float64{0, 10, 20, 30, 40, 50, 60, 80},
		set: func(c *specimen.Camera, v float64) { c.Noise = v }},
	{name: "Glare", unit: "strength of a spot on the lines; 1: white", levels: []float64{0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1},
		set: func(c *specimen.Camera, v float64) { c.Glare[0].Strength = v }},
}

// levelRates are the successes at one level. A Rate counts "errors"; here
// they are what is wanted.
type levelRates struct {
	exact, valid calibrate.Rate
	falseValid   int
}

func (c *evalMRZCurvesCmd) Run(ctx context.Context) error {
	if c.Count < 1 || c.Count > 10_000 {
		return exitError{code: 2, msg: "count is 1 to 10000"}
	}
	if c.Jobs <= 0 {
		c.Jobs = runtime.NumCPU()
	}
	rd, err := reader.New(reader.Options{Clients: c.Jobs})
	if err != nil {
		return err
	}
	defer rd.Close()
	rates, err := c.measure(ctx, rd)
	if err != nil {
		return err
	}
	falseValid, total := 0, 0
	var rows [][]string
	for i, k := range mrzCurves {
		for j, v := range k.levels {
			r := rates[i][j]
			falseValid, total = falseValid+r.falseValid, total+r.exact.Trials
			rows = append(rows, []string{k.name, fmt.Sprint(v), r.exact.String(), fmt.Sprintf("%d/%d", r.valid.Errors, r.valid.Trials), fmt.Sprint(r.falseValid)})
		}
	}
	fmt.Printf("MRZ reading of %d photos of specimens, seed %d, 95 %% Wilson intervals\n\n", total, c.Seed)
	table(os.Stdout, []string{"curve", "level", "read exactly", "and valid", "false-valid"}, rows)
	fmt.Printf("\nwrong zones called valid: %d of %d photos\n", falseValid, total)
	if err := os.WriteFile(c.Out, plotCurves(mrzCurves, rates), 0o644); err != nil {
		return fmt.Errorf("write plot: %w", err)
	}
	return nil
}

// measure takes and reads all photos. Documents are drawn once each.
func (c *evalMRZCurvesCmd) measure(ctx context.Context, rd *reader.Reader) ([][]levelRates, error) {
	rates := make([][]levelRates, len(mrzCurves))
	total := 0
	for i, k := range mrzCurves {
		rates[i] = make([]levelRates, len(k.levels))
		total += len(k.levels) * c.Count
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	bar := newProgress("eval mrz-curves", total)
	next := make(chan int64)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range c.Jobs {
		wg.Go(func() {
			for n := range next {
				err := c.document(ctx, rd, n, func(i, j int, exact, valid bool) {
					mu.Lock()
					defer mu.Unlock()
					r := &rates[i][j]
					r.exact.Trials++
					r.valid.Trials++
					switch {
					case exact && valid:
						r.exact.Errors++
						r.valid.Errors++
					case exact:
						r.exact.Errors++
					case valid:
						r.falseValid++
					}
					bar.add()
				})
				if err != nil {
					cancel(fmt.Errorf("document %d: %w", n, err))
				}
			}
		})
	}
	for n := range int64(c.Count) {
		next <- n
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return rates, nil
}

// document draws one document and reads it at every level of every curve.
func (c *evalMRZCurvesCmd) document(ctx context.Context, rd *reader.Reader, n int64, report func(i, j int, exact, valid bool)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s, err := specimen.New(c.Seed*1_000_003+n, specimen.Options{Format: specimen.Formats[n%int64(len(specimen.Formats))], State: "*"})
	if err != nil {
		return err
	}
	for i, k := range mrzCurves {
		for j, v := range k.levels {
			if err := ctx.Err(); err != nil {
				return err
			}
			p, err := specimen.Photograph(s.MRZSide(), curveCamera(s, k, v))
			if err != nil {
				return err
			}
			b, err := p.JPEG(90)
			if err != nil {
				return err
			}
			img, err := photo.Decode(b, photo.DefaultLimits)
			if err != nil {
				return err
			}
			res, err := rd.Read(ctx, img.Mat)
			img.Close()
			if err != nil {
				return err
			}
			report(i, j, slices.Equal(res.Lines, s.Truth.Lines), res.Valid)
		}
	}
	return nil
}

// curveCamera is a careful person's camera with one thing wrong.
func curveCamera(s *specimen.Specimen, k curve, level float64) specimen.Camera {
	c := specimen.GoodCamera(s.Seed)
	side := s.Truth.Side(s.Truth.MRZSide)
	zone := *side.MRZ
	along := 0.2 + 0.6*float64(s.Seed%7)/6 // where on the lines the spot lies
	c.Glare = []specimen.Glare{{X: (zone.X + along*zone.W) / float64(side.Width), Y: (zone.Y + zone.H/2) / float64(side.Height), Radius: 0.13}}
	k.set(&c, level)
	pitch := basePitch
	if k.pitch {
		pitch = level
	}
	// Fill is the part of the frame that the document's box takes; the tilt
	// is left out of the reckoning, so a tilted document is no smaller.
	w, h := s.Truth.Format.SizeMM()
	sin, cos := math.Sincos(c.Rotation * math.Pi / 180)
	sin, cos = math.Abs(sin), math.Abs(cos)
	px := pitch / 2.54 // per millimetre (9303-3 §4.4)
	c.Width, c.Height = 1632, 1224
	c.Fill = math.Max(px*(w*cos+h*sin)/float64(c.Width), px*(w*sin+h*cos)/float64(c.Height))
	return c
}
