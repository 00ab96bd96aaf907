package web_test

import (
	"encoding/json"
	"flag"
	"hash/fnv"
	"math"
	"os"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/quality"
)

var updateVectors = flag.Bool("update-vectors", false, "write the vectors that the page's measures are tested against")

const vectorsFile = "capture/test/vectors.json"

// vector is one picture, by the recipe that both languages follow, and what the
// gate measures on it.
type vector struct {
	Recipe   recipe             `json:"recipe"`
	Digest   uint32             `json:"digest"` // FNV-1a of the RGB bytes
	Measures map[string]float64 `json:"measures"`
}

// recipe says how a picture is made, in integers, so that Go and TypeScript make
// the same bytes: a page of marks, blurred by passes of a 3 × 3 mean, moved along
// x, darkened, with a reflection and noise.
type recipe struct {
	Name                string
	Seed, Paper, Ink    uint32
	Blur, Motion, Light int
	GlareX, GlareY, R   int
	Noise               uint32
}

const vectorW, vectorH = 400, 282

func recipes() []recipe {
	base := func(name string, change func(*recipe)) recipe {
		r := recipe{Name: name, Seed: 7, Paper: 200, Ink: 40, Light: 16}
		if change != nil {
			change(&r)
		}
		return r
	}
	return []recipe{
		base("good", nil),
		base("noisy", func(r *recipe) { r.Noise = 9 }),
		base("blurred a little", func(r *recipe) { r.Blur = 3 }),
		base("blurred", func(r *recipe) { r.Blur = 12 }),
		base("blurred and noisy", func(r *recipe) { r.Blur, r.Noise = 6, 9 }),
		base("moved", func(r *recipe) { r.Motion = 4 }),
		base("dark", func(r *recipe) { r.Light = 4 }),
		base("bright", func(r *recipe) { r.Paper, r.Light = 255, 18 }),
		base("reflection", func(r *recipe) { r.GlareX, r.GlareY, r.R = 250, 120, 90 }),
		base("small reflection", func(r *recipe) { r.GlareX, r.GlareY, r.R = 120, 200, 40 }),
		base("reflection and blur", func(r *recipe) { r.GlareX, r.GlareY, r.R, r.Blur = 200, 140, 70, 4 }),
		base("reflection on bright paper", func(r *recipe) { r.Paper, r.Light, r.GlareX, r.GlareY, r.R = 235, 17, 200, 140, 90 }),
		base("pale", func(r *recipe) { r.Paper, r.Ink = 150, 130 }),
		base("empty", func(r *recipe) { r.Ink = 200 }),
	}
}

func (c recipe) rgb() []byte {
	x := c.Seed
	next := func() uint32 {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		return x
	}
	luma := make([]int, vectorW*vectorH)
	for i := range luma {
		luma[i] = int(c.Paper)
	}
	for y := 12; y < vectorH-12; y += 12 {
		for x := 12; x < vectorW-12; x += 4 {
			if next()%5 < 2 {
				for dy := range 7 {
					for dx := range 3 {
						luma[(y+dy)*vectorW+x+dx] = int(c.Ink)
					}
				}
			}
		}
	}
	at := func(p []int, x, y int) int { return p[min(max(y, 0), vectorH-1)*vectorW+min(max(x, 0), vectorW-1)] }
	mean := func(rx, ry int) {
		out := make([]int, len(luma))
		for y := range vectorH {
			for x := range vectorW {
				sum := 0
				for dy := -ry; dy <= ry; dy++ {
					for dx := -rx; dx <= rx; dx++ {
						sum += at(luma, x+dx, y+dy)
					}
				}
				out[y*vectorW+x] = sum / ((2*rx + 1) * (2*ry + 1))
			}
		}
		luma = out
	}
	for range c.Blur {
		mean(1, 1)
	}
	if c.Motion > 0 {
		mean(c.Motion, 0)
	}
	out := make([]byte, 0, 3*len(luma))
	for i, v := range luma {
		v = v * c.Light / 16
		if c.Noise > 0 {
			v += int(next()%c.Noise) - int(c.Noise/2)
		}
		add := 0
		if c.R > 0 {
			dx, dy := i%vectorW-c.GlareX, i/vectorW-c.GlareY
			add = max(0, 400-(dx*dx+dy*dy)*400/(c.R*c.R))
		}
		for _, k := range []int{16, 15, 14} {
			out = append(out, byte(min(max(v*k/16+add, 0), 255)))
		}
	}
	return out
}

// measured are the gate's measures of a picture, taken as a document of 50 mm, a
// photo, and a face that fills it.
func (c recipe) measured(t *testing.T) map[string]float64 {
	rgb := c.rgb()
	m, err := gocv.NewMatFromBytes(vectorH, vectorW, gocv.MatTypeCV8UC3, rgb)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	bgr := gocv.NewMat()
	defer bgr.Close()
	if err := gocv.CvtColor(m, &bgr, gocv.ColorRGBToBGR); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	quad := photo.Quad{{X: 100, Y: 80}, {X: 900, Y: 120}, {X: 880, Y: 640}, {X: 90, Y: 600}}
	all := quality.Document(bgr, quality.DocumentInfo{PxPerMM: 8, SourcePxPerMM: 8, Quad: quad, FrameWidth: 1000, FrameHeight: 750})
	all = append(all, quality.Photo(bgr)...)
	eyes := []photo.Point{{X: 120, Y: 100}, {X: 280, Y: 100}}
	all = append(all, quality.Face(bgr, quality.FaceInfo{Box: photo.Rect{W: vectorW, H: vectorH}, Points: eyes})...)
	for _, v := range all {
		switch v.Name {
		case "document.sharpness", "document.motion", "document.exposure_dark", "document.exposure_bright", "document.contrast",
			"document.glare_area", "document.perspective_deg", "document.resolution_dpi", "photo.blank", "photo.exposure_dark",
			"photo.sharpness":
			out[v.Name] = v.Value
		}
	}
	return out
}

// The page measures with its own code what the gate measures with OpenCV. Both
// are held to the same pictures: here the gate's side, in test/vectors.test.mjs
// the page's.
func TestTheVectorsOfTheLiveMeasuresAreWhatTheGateMeasures(t *testing.T) {
	var now []vector
	for _, c := range recipes() {
		h := fnv.New32a()
		_, _ = h.Write(c.rgb())
		now = append(now, vector{c, h.Sum32(), c.measured(t)})
	}
	if *updateVectors {
		b, err := json.MarshalIndent(now, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var kept []vector
	if err := json.Unmarshal(b, &kept); err != nil {
		t.Fatal(err)
	}
	if len(kept) != len(now) {
		t.Fatalf("%d vectors, want %d", len(kept), len(now))
	}
	for i, v := range now {
		if kept[i].Recipe != v.Recipe || kept[i].Digest != v.Digest || len(kept[i].Measures) != len(v.Measures) {
			t.Errorf("%s is another picture or has other measures than kept", v.Recipe.Name)
		}
		for name, x := range v.Measures {
			// OpenCV's builds differ in the last bits of a blur.
			if y := kept[i].Measures[name]; math.Abs(x-y) > 0.01*math.Max(0.01, math.Abs(x)) {
				t.Errorf("%s: %s is %g, kept as %g; if the gate measures differently now, change the page's measures too, then: go test ./web -run Vectors -update-vectors", v.Recipe.Name, name, x, y)
			}
		}
	}
}
