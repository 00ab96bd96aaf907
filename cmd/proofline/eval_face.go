package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
)

type evalFaceCmd struct{ evalFlags }

func (evalFaceCmd) Help() string {
	return "Each row names two files, a (the document's portrait, where there is one) and b, and same (1 or 0). A pair in which no face was found has similarity null: it counts as a non-match and is also reported as failure."
}

func (c *evalFaceCmd) Run(ctx context.Context) error {
	rows, err := c.rows()
	if err != nil {
		return err
	}
	threshold, err := c.matchThreshold()
	if err != nil {
		return err
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
	err = c.each(ctx, "eval face", rows, func(_ context.Context, r *row) error {
		m, err := c.compare(engine, r)
		if err != nil {
			return err
		}
		if err := r.set("similarity", m.Similarity); err != nil {
			return err
		}
		if err := r.set("reason", m.Reason); err != nil {
			return err
		}
		return r.set("match", m.Similarity != nil && *m.Similarity >= threshold)
	})
	if err != nil {
		return err
	}
	bySet := map[string][]calibrate.Trial{}
	for _, r := range rows {
		var same int
		var similarity *float64
		r.get("same", &same)
		r.get("similarity", &similarity)
		t := calibrate.Trial{Same: same == 1, A: firstNonEmpty(r.text("ida"), r.text("a")), B: firstNonEmpty(r.text("idb"), r.text("b"))}
		if similarity == nil {
			t.Failed = true
		} else {
			t.Score = *similarity
		}
		bySet[r.text("set")] = append(bySet[r.text("set")], t)
		bySet["all"] = append(bySet["all"], t)
	}
	fmt.Printf("Face comparison, %d pairs, policy threshold %.3f, 95 %% intervals by subject bootstrap (AUC) and Wilson (rates)\n\n", len(rows), threshold)
	var lines [][]string
	for _, name := range setNames(bySet) {
		s := calibrate.Of(bySet[name])
		ci := calibrate.BySubject(bySet[name], 200, 1, (*calibrate.Scores).AUC)
		line := []string{name, fmt.Sprint(len(bySet[name])), fmt.Sprintf("%.4f [%.4f, %.4f]", s.AUC(), ci.Low, ci.High),
			s.FMR(threshold).String(), s.FNMR(threshold).String(), s.Failures().String()}
		at := "–"
		if o, ok := s.AtFMR(1e-3); ok {
			at = fmt.Sprintf("%.3f: FNMR %.2f %%", o.Threshold, 100*o.FNMR.Value())
			if !o.Supported {
				at += " (too few pairs to prove)"
			}
		}
		lines = append(lines, append(line, at))
	}
	table(os.Stdout, []string{"set", "pairs", "AUC", "FMR", "FNMR", "no face", "at FMR 1e-3"}, lines)
	return nil
}

// matchThreshold is the similarity from which the policy takes two faces for
// the same person.
func (e engineSettings) matchThreshold() (float64, error) {
	p, err := e.policy()
	if err != nil {
		return 0, err
	}
	t, ok := p.Cell(policy.Context{}).PassBound("face.similarity", "case")
	if !ok {
		return 0, fmt.Errorf("policy %s has no threshold for face.similarity", p.Name)
	}
	return t, nil
}

// compare matches the row's two files. A file that is no usable photo is a
// pair without a similarity.
func (c *evalFaceCmd) compare(engine *face.Engine, r *row) (face.Match, error) {
	var imgs [2]*photo.Image
	for i, key := range []string{"a", "b"} {
		b, err := c.read(r, key)
		if err != nil {
			return face.Match{}, err
		}
		img, err := photo.Decode(b, photo.DefaultLimits)
		if err != nil {
			return face.Match{Reason: face.Reason(newFileError(err).Code)}, nil
		}
		defer img.Close()
		imgs[i] = img
	}
	return engine.MatchPortrait(imgs[0].Mat, imgs[1].Mat)
}

// setNames sorts sets by name with "all" last.
func setNames[T any](m map[string]T) []string {
	var names []string
	for k := range m {
		if k != "all" {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	if _, ok := m["all"]; ok && len(names) != 1 {
		names = append(names, "all")
	}
	return names
}
