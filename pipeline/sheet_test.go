package pipeline

import (
	"bytes"
	"flag"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gocv.io/x/gocv"
	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
)

var update = flag.Bool("update", false, "write docs/img/quality-sheet.jpg")

// shot is one photo of the contact sheet and the code its hint must carry; ""
// is a photo that is accepted.
type shot struct {
	format specimen.Format
	what   specimen.Degradation
	code   policy.Code
	back   bool
	seed   int64
}

var shots = []shot{
	{specimen.TD3, specimen.Good, "", false, 0},
	{specimen.TD1, specimen.Good, "", true, 0},
	{specimen.TD1, specimen.Hologram, "", false, 0},
	{specimen.TD2, specimen.Hologram, "", false, 0},
	{specimen.MRVA, specimen.Turned, "", false, 0},
	{specimen.TD1, specimen.Noisy, "", false, 0},
	{specimen.TD3, specimen.BlurDefocus, "capture.blurred", false, 0},
	{specimen.TD1, specimen.Held, "", false, 0},
	{specimen.TD3, specimen.BlurMotion, "capture.motion_blur", false, 0},
	{specimen.TD2, specimen.Two, "", false, 0},
	{specimen.TD3, specimen.GlareMRZ, "capture.glare_on_mrz", false, 0},
	{specimen.TD1, specimen.GlareMRZ, "capture.glare_on_mrz", true, 0},
	{specimen.TD3, specimen.GlarePortrait, "capture.glare_on_portrait", false, 0},
	{specimen.TD2, specimen.GlarePortrait, "capture.glare_on_portrait", false, 0}, // nothing of the portrait is left to see
	{specimen.TD3, specimen.TooDark, "capture.too_dark", false, 0},
	{specimen.TD3, specimen.Overexposed, "capture.too_bright", false, 0},
	{specimen.TD3, specimen.Fingers, "capture.occluded", false, 0},
	{specimen.TD3, specimen.LowResolution, "capture.resolution_low", false, 0},
	{specimen.TD1, specimen.OnScreen, "", false, 0},
	{specimen.TD3, specimen.Cropped, "capture.document_cut_off", false, 0},
	{specimen.TD2, specimen.Tilted, "", false, 0},
	{specimen.TD3, specimen.ShadowEdge, "", false, 0},
	{specimen.TD2, specimen.Compressed, "", false, 0},
	{specimen.TD3, specimen.Greyscale, "", false, 0},
}

func TestTheGateSaysOfEveryPhotoWhatIsWrongWithIt(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a photo of 24 documents")
	}
	e := engines(t)
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		testserver.Missing(t, "portraits", "run `make setup`")
	}
	var tiles []image.Image
	for i, s := range shots {
		b := s.take(t, ps, int64(i+1)+s.seed)
		kind := "document_front"
		if s.back {
			kind = "document_back"
		}
		a, err := Gate(ctx, e, policy.Default(), kind, b)
		if err != nil {
			t.Fatal(err)
		}
		got := policy.Code("")
		if a.Hint != nil {
			got = a.Hint.Code
		}
		if got != s.code {
			t.Errorf("%d, %s of %s: hint %q, want %q (codes %v)", i+1, s.what, s.format, got, s.code, a.Codes)
		}
		if *update {
			tiles = append(tiles, tile(t, s, b, a))
		}
	}
	if *update {
		writeSheet(t, filepath.Join("..", "docs", "img", "quality-sheet.jpg"), tiles)
	}
}

func (s shot) take(t *testing.T, ps *specimen.Portraits, seed int64) []byte {
	t.Helper()
	doc, err := specimen.New(seed, specimen.Options{Format: s.format, State: "*", Portraits: ps})
	if err != nil {
		t.Fatal(err)
	}
	img, side := doc.Front(), &doc.Truth.Sides[0]
	if s.back {
		img, side = doc.Back(), doc.Truth.Side("back")
	}
	c := specimen.CameraFor(seed, s.what, side)
	if s.what == specimen.Two {
		c.Beside = img
	}
	p, err := specimen.Photograph(img, c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.JPEG(s.what.Quality())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	tileW, tileH, caption = 340, 255, 62
	sheetColumns          = 4
)

var (
	refusedColour  = color.RGBA{200, 30, 30, 255}
	acceptedColour = color.RGBA{20, 120, 50, 255}
	notedColour    = color.RGBA{190, 110, 0, 255}
)

// tile draws one photo with what the gate answered: the document's outline, the
// regions of every measure that is not passed, and the hint.
func tile(t *testing.T, s shot, b []byte, a policy.GateAnswer) image.Image {
	p, err := photo.Decode(b, photo.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	k := float64(tileW) / float64(p.Mat.Cols())
	small := gocv.NewMat()
	defer small.Close()
	if err := gocv.Resize(p.Mat, &small, image.Pt(tileW, tileH), 0, 0, gocv.InterpolationArea); err != nil {
		t.Fatal(err)
	}
	src, err := small.ToImage()
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewRGBA(image.Rect(0, 0, tileW, tileH+caption))
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(out, src.Bounds(), src, image.Point{}, draw.Src)
	var notes []string
	for _, f := range a.Findings {
		for _, m := range f.Measures {
			col := acceptedColour
			switch {
			case m.Name == "document.confidence":
			case m.Code == "":
				continue
			case slices.Contains(a.Codes, m.Code):
				col = refusedColour
			default:
				col, notes = notedColour, append(notes, string(m.Code))
			}
			for _, g := range m.Regions {
				frame(out, image.Rect(int(g.X*k), int(g.Y*k), int((g.X+g.W)*k), int((g.Y+g.H)*k)).Intersect(src.Bounds()), col)
			}
		}
	}
	head, text, col := "accepted", strings.Join(notes, ", "), acceptedColour
	if text != "" {
		text = "noted: " + text
	}
	if a.Hint != nil {
		head, text, col = string(a.Hint.Code), a.Hint.Text, refusedColour
	}
	write(t, out, gobold.TTF, 13, 4, tileH+15, col, head)
	write(t, out, goregular.TTF, 11, tileW-100, tileH+15, color.RGBA{90, 90, 90, 255}, string(s.format)+" "+string(s.what))
	for i, l := range wrap(text, 54) {
		write(t, out, goregular.TTF, 12, 4, tileH+31+14*i, color.RGBA{20, 20, 20, 255}, l)
	}
	return out
}

func frame(img *image.RGBA, r image.Rectangle, col color.RGBA) {
	const w = 2
	for _, s := range []image.Rectangle{
		{r.Min, image.Pt(r.Max.X, r.Min.Y+w)}, {image.Pt(r.Min.X, r.Max.Y-w), r.Max},
		{r.Min, image.Pt(r.Min.X+w, r.Max.Y)}, {image.Pt(r.Max.X-w, r.Min.Y), r.Max},
	} {
		draw.Draw(img, s.Intersect(r), image.NewUniform(col), image.Point{}, draw.Src)
	}
}

func write(t *testing.T, img *image.RGBA, ttf []byte, size float64, x, y int, col color.RGBA, s string) {
	f, err := opentype.Parse(ttf)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		t.Fatal(err)
	}
	defer face.Close()
	d := font.Drawer{Dst: img, Src: image.NewUniform(col), Face: face, Dot: fixed.P(x, y)}
	d.DrawString(s)
}

// wrap breaks s into lines of at most n characters.
func wrap(s string, n int) []string {
	var out []string
	line := ""
	for _, word := range strings.Fields(s) {
		if line != "" && len(line)+1+len(word) > n {
			out, line = append(out, line), ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	return append(out, line)
}

func writeSheet(t *testing.T, file string, tiles []image.Image) {
	const gap = 6
	rows := (len(tiles) + sheetColumns - 1) / sheetColumns
	out := image.NewRGBA(image.Rect(0, 0, sheetColumns*(tileW+gap)+gap, rows*(tileH+caption+gap)+gap))
	draw.Draw(out, out.Rect, image.NewUniform(color.RGBA{215, 218, 222, 255}), image.Point{}, draw.Src)
	for i, m := range tiles {
		at := image.Pt(gap+i%sheetColumns*(tileW+gap), gap+i/sheetColumns*(tileH+caption+gap))
		draw.Draw(out, image.Rectangle{at, at.Add(m.Bounds().Size())}, m, image.Point{}, draw.Src)
	}
	m, err := gocv.ImageToMatRGB(out)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b, err := photo.Encode(m, 65)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 400_000 {
		t.Errorf("the contact sheet has %d bytes", len(b))
	}
	old, err := os.ReadFile(file)
	if err == nil && bytes.Equal(old, b) {
		return
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
