package main

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/document"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

// A photo of more than 16 megapixels is reduced while it is decoded; what is said
// of it is in pixels of the file all the same.
func TestInspectSaysWhereFacesAreInPixelsOfTheFile(t *testing.T) {
	for _, role := range []string{"face-detect-near", "face-detect-far", "face-embed", "liveness"} {
		if !models.Has(models.DefaultDir(), role) {
			t.Skip("models are not installed")
		}
	}
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gocv.io/x/gocv").Output()
	if err != nil {
		t.Skip("module cache is not here")
	}
	face := gocv.IMRead(filepath.Join(strings.TrimSpace(string(dir)), "images", "face.jpg"), gocv.IMReadColor)
	defer face.Close()
	type seen struct {
		Faces []struct {
			Box     photo.Rect    `json:"box"`
			Points  []photo.Point `json:"points"`
			Quality []struct {
				Name    string
				Value   float64
				Regions []photo.Rect
			} `json:"quality"`
			Signals []struct{ Region *photo.Rect } `json:"signals"`
		} `json:"faces"`
	}
	inspect := func(what string, side int) seen {
		t.Helper()
		m := gocv.NewMat()
		defer m.Close()
		if err := gocv.Resize(face, &m, image.Pt(side, side), 0, 0, gocv.InterpolationLinear); err != nil {
			t.Fatal(err)
		}
		b, err := photo.Encode(m, 90)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), fmt.Sprintf("%d.jpg", side))
		if err := os.WriteFile(file, b, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := program("inspect", what, file, "--json").Output()
		if err != nil {
			t.Fatal(err)
		}
		var s seen
		if err := json.Unmarshal(out, &s); err != nil || len(s.Faces) == 0 {
			t.Fatalf("%v, %d faces", err, len(s.Faces))
		}
		return s
	}
	const small, large = 2100, 4200
	twice := func(what string, a, b float64) {
		t.Helper()
		if math.Abs(b/a-2) > 0.2 {
			t.Errorf("%s: %.0f px, and %.0f px in the file with twice the pixels", what, a, b)
		}
	}
	a, b := inspect("face", small).Faces[0], inspect("face", large).Faces[0]
	twice("box", a.Box.W, b.Box.W)
	twice("eyes", a.Points[0].Distance(a.Points[1]), b.Points[0].Distance(b.Points[1]))
	for i, q := range a.Quality {
		twice(q.Name+"'s region", q.Regions[0].W, b.Quality[i].Regions[0].W)
		if q.Name == "face.inter_eye_px" {
			twice(q.Name, q.Value, b.Quality[i].Value)
		}
	}
	a, b = inspect("liveness", small).Faces[0], inspect("liveness", large).Faces[0]
	twice("box for liveness", a.Box.W, b.Box.W)
	twice("region of the network", a.Signals[0].Region.W, b.Signals[0].Region.W)
}

func TestInspectSaysWhatThePhotoResolvesInPixelsOfTheFile(t *testing.T) {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(40, 60, 50, 0), 3600, 4800, gocv.MatTypeCV8UC3)
	defer m.Close()
	gocv.Rectangle(&m, image.Rect(688, 720, 688+3424, 720+2160), color.RGBA{225, 230, 220, 0}, -1) // ID-1 at 40 px/mm
	b, err := photo.Encode(m, 90)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "card.jpg")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := program("inspect", "document", file, "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Documents []document.Found }
	if err := json.Unmarshal(out, &s); err != nil || len(s.Documents) != 1 {
		t.Fatalf("%v, %d documents", err, len(s.Documents))
	}
	if r := s.Documents[0].SourcePxPerMM; math.Abs(r-40) > 1 {
		t.Errorf("%.1f px/mm, want 40", r)
	}
}
