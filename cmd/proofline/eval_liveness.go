package main

import (
	"context"
	"fmt"
	"os"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/liveness"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
)

type evalLivenessCmd struct{ evalFlags }

func (evalLivenessCmd) Help() string {
	return "Each row names a file, a label (real or spoof), for a spoof the attack, and optionally face_box [x, y, w, h]. Rates are over what got a score; inconclusive images are reported apart as non-responses (ISO/IEC 30107-3)."
}

func (c *evalLivenessCmd) Run(ctx context.Context) error {
	rows, err := c.rows("file", "label")
	if err != nil {
		return err
	}
	p, err := c.policy()
	if err != nil {
		return err
	}
	cell := p.Cell(policy.Context{})
	threshold, ok := cell.PassBound("liveness.score", "selfie")
	if !ok {
		return fmt.Errorf("policy %s has no threshold for liveness.score", p.Name)
	}
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
	err = c.each(ctx, "eval liveness", rows, func(_ context.Context, r *row) error {
		res, err := c.assess(faces, engine, r)
		if err != nil {
			return err
		}
		if err := r.set("live_score", res.Score); err != nil {
			return err
		}
		if err := r.set("verdict", livenessVerdict(cell, res)); err != nil {
			return err
		}
		if res.Inconclusive != "" {
			if err := r.set("inconclusive", res.Inconclusive); err != nil {
				return err
			}
		}
		if err := r.set("contributions", res.Contributions); err != nil {
			return err
		}
		return r.set("signals", res.Signals)
	})
	if err != nil {
		return err
	}
	var ps []calibrate.Presentation
	for _, r := range rows {
		pr := calibrate.Presentation{}
		if r.text("label") != "real" {
			pr.Species = firstNonEmpty(r.text("attack"), "unnamed")
		}
		var score *float64
		if r.get("live_score", &score); score == nil {
			pr.Inconclusive = true
		} else {
			pr.Score = *score
		}
		ps = append(ps, pr)
	}
	a := calibrate.AttacksOf(ps)
	fmt.Printf("Presentation attack detection, %d images, taken for live from %.3f on, 95 %% Wilson intervals\n\n", len(rows), threshold)
	lines := [][]string{{"bona fide", "BPCER " + a.BPCER(threshold).String(), a.NonResponse("").String(), ""}}
	for _, s := range a.Species() {
		lines = append(lines, []string{s, "APCER " + a.APCER(s, threshold).String(), a.NonResponse(s).String(), fmt.Sprintf("%.4f", a.AUC(s))})
	}
	table(os.Stdout, []string{"species", "error rate", "non-response", "AUC"}, lines)
	fmt.Printf("\nAUC over all species: %.4f\n", a.AUC(""))
	for _, target := range []float64{0.01, 0.05, 0.1} {
		if at, ok := a.AtBPCER(target); ok && float64(a.BPCER(at).Trials)*target >= 1 {
			s, worst := a.WorstAPCER(at)
			fmt.Printf("at BPCER %g %% (score %.3f): worst species %s, APCER %s\n", 100*target, at, s, worst)
		}
	}
	if s, worst := a.WorstAPCER(threshold); s != "" {
		fmt.Printf("\nworst species: %s, APCER %s\n", s, worst)
	}
	return nil
}

// livenessVerdict is what the policy makes of a result.
func livenessVerdict(cell policy.Cell, r liveness.Result) policy.Verdict {
	f := policy.Finding{Stage: "liveness", Subject: "selfie"}
	if r.Score == nil {
		f.Assert("biometric.liveness_inconclusive", "")
	} else {
		f.Measures = []policy.Measure{{Name: "liveness.score", Value: *r.Score}}
	}
	return cell.Judge(f).Verdict
}

func (c *evalLivenessCmd) assess(faces *face.Engine, engine *liveness.Engine, r *row) (liveness.Result, error) {
	b, err := c.read(r, "file")
	if err != nil {
		return liveness.Result{}, err
	}
	img, err := photo.Decode(b, photo.DefaultLimits)
	if err != nil {
		return liveness.Result{Inconclusive: string(newFileError(err).Code)}, nil
	}
	defer img.Close()
	f, ok, err := mainFace(faces, img.Mat, r)
	if err != nil || !ok {
		return liveness.Result{Inconclusive: "no_face"}, err
	}
	return engine.Assess(img.Mat, f)
}

// mainFace is the face that the row's box marks, or the largest one.
func mainFace(faces *face.Engine, m gocv.Mat, r *row) (face.Face, bool, error) {
	fs, err := faces.Detect(m)
	if err != nil {
		return face.Face{}, false, err
	}
	var box []float64
	r.get("face_box", &box)
	best, at := 0.0, -1
	for i, f := range fs {
		score := f.Box.W * f.Box.H
		if len(box) == 4 {
			score = overlap(f.Box, photo.Rect{X: box[0], Y: box[1], W: box[2], H: box[3]})
		}
		if score > best {
			best, at = score, i
		}
	}
	if at < 0 {
		return face.Face{}, false, nil
	}
	return fs[at], true, nil
}

func overlap(a, b photo.Rect) float64 {
	w := min(a.X+a.W, b.X+b.W) - max(a.X, b.X)
	h := min(a.Y+a.H, b.Y+b.H) - max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}
