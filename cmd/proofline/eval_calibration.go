package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/policy"
)

// calibrate writes what a policy's target_fmr is resolved through.
func (c *evalFaceCmd) calibrate(x crossedSet, engine *face.Engine) error {
	s := calibrate.Of(x.trials)
	pairs := calibrate.Pairs(x.trials)
	out := policy.Calibration{
		Format: policy.CalibrationFormat, Name: c.Name, Version: c.Version, Measure: "face.similarity",
		Model: policy.ModelRef(engine.EmbeddingModel()),
		Data: policy.CalibrationData{Source: c.Source, People: calibrate.People(x.trials), Images: x.images,
			Genuine: s.Genuine(), Impostor: s.Impostor(), Pairs: pairs},
	}
	var points []calibrate.Operating
	var at []float64
	for _, target := range faceTargets {
		o, ok := s.AtFMR(target)
		if !ok {
			return fmt.Errorf("calibrate: the data has no impostor comparisons")
		}
		// Four digits, rounded up: what is written is what is used.
		o = s.AtThreshold(math.Ceil(o.Threshold*1e4) / 1e4)
		o.Target = target
		points, at = append(points, o), append(at, o.Threshold)
	}
	for i, iv := range calibrate.RatesBySubject(x.trials, at, c.Rounds, 1) {
		o := points[i]
		out.Points = append(out.Points, policy.OperatingPoint{
			TargetFMR: o.Target, Threshold: o.Threshold, FalseMatches: o.FMR.Errors, FalseNonMatch: o.FNMR.Errors,
			FMR: digits(o.FMR.Value()), FMRInterval: range95(iv.FMR), FNMR: digits(o.FNMR.Value()), FNMRInterval: range95(iv.FNMR),
			ProvenFMRFloor: digits(3 / float64(pairs)),
		})
	}
	cuts := thirds(x.trials)
	for i := range max(0, len(cuts)-1) {
		band, cllr, ok := evidence(x.trials, cuts[i], cuts[i+1])
		if !ok {
			continue
		}
		out.Evidence = append(out.Evidence, band)
		fmt.Printf("\nevidence, strength %.2f to %.2f: %d genuine, %d impostor, Cllr %.3f bits\n", band.From, band.To, band.Genuine, band.Impostor, cllr)
	}
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return fmt.Errorf("write calibration: %w", err)
	}
	if _, err := policy.ParseCalibration(b); err != nil {
		return err
	}
	if err := writeFile(c.Calibration, func(w io.Writer) error { _, err := w.Write(append(b, '\n')); return err }); err != nil {
		return fmt.Errorf("write calibration: %w", err)
	}
	fmt.Printf("\nwrote %s (SHA-256 of its content %s)\n", c.Calibration, out.Digest())
	return nil
}

// evidence fits the weight of scores in one band. Beyond what the counts can
// show nothing is claimed: with n comparisons of a kind and no counter-example,
// a ratio above n is not observed.
func evidence(trials []calibrate.Trial, from, to float64) (band policy.EvidenceBand, cllr float64, ok bool) {
	part := inBand(trials, from, to)
	var g, i []float64
	for _, t := range part {
		if t.Same {
			g = append(g, t.Score)
		} else {
			i = append(i, t.Score)
		}
	}
	line, ok := calibrate.FitLogistic(g, i)
	if !ok {
		return band, 0, false
	}
	high, low := math.Log10(float64(calibrate.Pairs(part))), -math.Log10(float64(len(g)))
	bound := func(v float64) float64 { return math.Max(low, math.Min(high, v)) }
	weigh := func(scores []float64) []float64 {
		out := make([]float64, len(scores))
		for k, s := range scores {
			out[k] = bound(line.LLR(s))
		}
		return out
	}
	point := func(llr float64) policy.EvidencePoint {
		return policy.EvidencePoint{Score: digits(line.Score(llr)), LLR: digits(llr)}
	}
	return policy.EvidenceBand{Measure: "face.strength", From: from, To: to, Genuine: len(g), Impostor: len(i),
		Curve: []policy.EvidencePoint{point(low), point(0), point(high)}}, calibrate.Cllr(weigh(g), weigh(i)), true
}

func range95(i calibrate.Interval) policy.Range95 {
	if math.IsNaN(i.Low) {
		return policy.Range95{Low: 0, High: 1}
	}
	return policy.Range95{Low: digits(i.Low), High: digits(i.High)}
}

// digits keeps four significant digits.
func digits(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	k := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*k) / k
}
