package face

import (
	"errors"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
)

// Printed portraits in photographed specimen documents, against the selfies of
// everybody. Portrait and selfie of a person come from one source picture, so
// this proves that print, guilloche and camera do not break the comparison; it
// is no error rate.
func TestPortraitsOnPhotographedSpecimensMatchTheirHoldersOnly(t *testing.T) {
	if testing.Short() {
		t.Skip("draws documents")
	}
	people, err := specimen.OpenPortraits("")
	var missing *specimen.MissingPortraitsError
	if errors.As(err, &missing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	e := engine(t, "", Options{})
	selfies := map[string]Embedding{}
	for _, id := range people.People() {
		p, err := people.Person(id)
		if err != nil {
			t.Fatal(err)
		}
		s, err := specimen.TakeSelfie(p, specimen.SelfieOptions{Seed: 11})
		if err != nil {
			t.Fatal(err)
		}
		m := gocv.NewMat()
		defer m.Close()
		b, err := s.JPEG(90)
		if err != nil {
			t.Fatal(err)
		}
		if err := gocv.IMDecodeIntoMat(b, gocv.IMReadColor, &m); err != nil {
			t.Fatal(err)
		}
		selfies[id] = embedOf(t, e, m, detectOne(t, e, m))
	}
	var trials []calibrate.Trial
	for i, id := range people.People() {
		for _, format := range []specimen.Format{specimen.TD3, specimen.TD1} {
			seed := int64(i + 1)
			doc, err := specimen.New(seed, specimen.Options{Format: format, Portraits: people, Person: id})
			if err != nil {
				t.Skip(err)
			}
			shot, err := specimen.Photograph(doc.Front(), specimen.GoodCamera(seed))
			if err != nil {
				t.Fatal(err)
			}
			whole, err := gocv.ImageToMatRGB(shot.Image)
			if err != nil {
				t.Fatal(err)
			}
			defer whole.Close()
			r := shot.Region(*doc.Truth.Side("front").Portrait).Bounds()
			crop := whole.Region(r.Bounds(whole.Cols(), whole.Rows()))
			defer crop.Close()
			sub, err := e.subject(crop)
			if err != nil {
				t.Fatal(err)
			}
			var em Embedding
			if sub.main != nil {
				if em, _, err = e.embedPortrait(crop, *sub.main); err != nil {
					t.Fatal(err)
				}
			}
			for who, selfie := range selfies {
				trials = append(trials, calibrate.Trial{Same: who == id, A: id, B: who, Failed: em == nil, Score: e.Similarity(em, selfie)})
			}
		}
	}
	s := calibrate.Of(trials)
	t.Logf("%d matching, %d other comparisons: AUC %.4f, failed %v, at 0.374 FMR %v, FNMR %v",
		s.Genuine(), s.Impostor(), s.AUC(), s.Failures(), s.FMR(0.374), s.FNMR(0.374))
	if s.Failures().Errors > 0 || s.FNMR(0.374).Errors > 0 || s.FMR(0.374).Errors > 1 {
		t.Errorf("failures %v, FNMR %v, FMR %v", s.Failures(), s.FNMR(0.374), s.FMR(0.374))
	}
}
