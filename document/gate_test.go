package document

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/quality"
)

// measured is a photo's label and what quality says about it.
type measured struct {
	name, label string
	values      map[string]float64
}

// measure runs what the gate runs: decode, find, measure.
func measure(t testing.TB, f *Finder, name, label string, b []byte) measured {
	t.Helper()
	i, err := photo.Decode(b, photo.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	defer i.Close()
	out := measured{name, label, map[string]float64{}}
	for _, m := range quality.Photo(i.Mat) {
		out.values[m.Name] = m.Value
	}
	fs, err := f.Find(i.Mat, Hints{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(fs)
	out.values["bright"] = out.values["photo.exposure_bright"]
	if len(fs) > 0 {
		d := &fs[0]
		for _, m := range quality.Document(d.Rectified, d.Info(i.Mat)) {
			out.values[m.Name] = m.Value
		}
		out.values["bright"] = out.values["document.exposure_bright"]
	}
	return out
}

// auc is the probability that a photo with the label is worse than a good one.
func auc(ms []measured, name, label string, lowIsWorse bool) (float64, int) {
	var worse, pairs float64
	n := 0
	for _, p := range ms {
		v, ok := p.values[name]
		if p.label != label || !ok {
			continue
		}
		n++
		for _, g := range ms {
			u, ok := g.values[name]
			if g.label != "good" || !ok {
				continue
			}
			pairs++
			switch {
			case u == v:
				worse += 0.5
			case (v < u) == lowIsWorse:
				worse++
			}
		}
	}
	return worse / max(1, pairs), n
}

// bounds are the thresholds that docs/quality.md proposes, with the label each
// is meant to catch.
var bounds = []struct {
	measure, label string
	low            bool // below is worse
	at             float64
}{
	{"document.sharpness", "blur", true, 1.5},
	{"document.motion", "blur_motion", false, 1.45},
	{"document.glare_area", "glare", false, 0.03},
	{"document.glare_mrz", "glare_mrz", false, 0.05},
	{"document.exposure_dark", "dark", false, 0.7},
	{"document.exposure_bright", "overexposed", false, 0.5},
	{"document.contrast", "blur", true, 0.25},
	{"document.shadow", "shadow", false, 0.45},
	{"document.resolution_dpi", "lowres", true, 110},
	{"document.perspective_deg", "tilt", false, 18},
	{"document.compression", "compressed", false, 2.5},
	{"document.saturation", "greyscale", true, 0.02},
	{"document.cut_off", "cropped", false, 0.5},
	{"photo.sharpness", "blur", true, 200},
	{"photo.exposure_dark", "dark", false, 0.7},
	{"photo.exposure_bright", "overexposed", false, 0.4},
	{"photo.screenshot", "compressed", false, 0.9},
}

// logRates says how often each bound refuses a good photo and passes a bad one.
func logRates(t *testing.T, ms []measured) {
	for _, b := range bounds {
		var alarms, good, missed, bad, blind int
		for _, m := range ms {
			v, ok := m.values[b.measure]
			refused := (v < b.at) == b.low && v != b.at
			switch {
			case m.label == "good" && ok:
				good++
				if refused {
					alarms++
				}
			case m.label == b.label || b.label == "blur" && strings.HasPrefix(m.label, "blur") || b.label == "glare" && strings.HasPrefix(m.label, "glare"):
				if bad++; !ok {
					blind++
				} else if !refused {
					missed++
				}
			}
		}
		t.Logf("%-26s at %-5g refuses %d of %d good, passes %d of %d %s, not measured on %d", b.measure, b.at, alarms, good, missed, bad, b.label, blind)
	}
}

func dataRoot() string {
	if d := os.Getenv("PROOFLINE_DATA"); d != "" {
		return d
	}
	return filepath.Join("..", "..", "shared", "data")
}

func TestBlurAndGlareAreToldFromGoodOnLabelledPhotos(t *testing.T) {
	root := dataRoot()
	file, err := os.Open(filepath.Join(root, "quality", "images.jsonl"))
	if err != nil || testing.Short() {
		t.Skip("the labelled data set is not there")
	}
	defer file.Close()
	f := NewFinder()
	var ms []measured
	for sc := bufio.NewScanner(file); sc.Scan(); {
		var row struct {
			File   string   `json:"file"`
			Labels []string `json:"labels"`
		}
		if err := json.Unmarshal(sc.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(root, row.File))
		if err != nil {
			t.Fatal(err)
		}
		ms = append(ms, measure(t, f, filepath.Base(row.File), row.Labels[0], b))
	}
	for _, c := range []struct {
		measure, label string
		low            bool
		least          float64
	}{
		{"photo.sharpness", "blur", true, 0.97}, // of all: a blurred document is not always found
		{"document.glare_area", "glare", false, 0.95},
		{"document.exposure_dark", "dark", false, 0.95},
		{"bright", "overexposed", false, 0.95},
		{"document.resolution_dpi", "lowres", true, 0.95},
	} {
		a, n := auc(ms, c.measure, c.label, c.low)
		t.Logf("%-26s %-12s AUC %.3f (%d photos)", c.measure, c.label, a, n)
		if a < c.least {
			t.Errorf("%s tells %s with AUC %.3f, want %.2f", c.measure, c.label, a, c.least)
		}
	}
	logRates(t, ms)
}

// PROOFLINE_DEGRADED sets how many seeds of every degradation are drawn; the
// distribution of every measure is logged.
func TestMeasuresFollowTheDegradation(t *testing.T) {
	n := 2
	kinds := []specimen.Degradation{specimen.Good, specimen.BlurDefocus, specimen.GlareMRZ, specimen.TooDark, specimen.LowResolution}
	if v, err := strconv.Atoi(os.Getenv("PROOFLINE_DEGRADED")); err == nil {
		n, kinds = v, specimen.Degradations
	}
	f := NewFinder()
	var ms []measured
	for seed := int64(1); seed <= int64(n); seed++ {
		doc, err := specimen.New(seed, specimen.Options{Format: specimen.Formats[int(seed)%len(specimen.Formats)], State: "*"})
		if err != nil {
			t.Skipf("draw specimen: %v", err)
		}
		side, img := &doc.Truth.Sides[0], doc.Front()
		for _, d := range kinds {
			p, err := specimen.Photograph(img, specimen.CameraFor(seed, d, side))
			if err != nil {
				t.Fatal(err)
			}
			b, err := p.JPEG(d.Quality())
			if err != nil {
				t.Fatal(err)
			}
			ms = append(ms, measure(t, f, fmt.Sprint(seed), string(d), b))
		}
	}
	good := median64(ms, "good")
	if v := median64(ms, "blur_defocus")["document.sharpness"]; v > 0.7*good["document.sharpness"] {
		t.Errorf("blurred: %.2f cycles/mm, sharp %.2f", v, good["document.sharpness"])
	}
	if v := median64(ms, "glare_mrz")["document.glare_area"]; v < 0.01 || good["document.glare_area"] > 0.002 {
		t.Errorf("glare covers %.4f of the document with it, %.4f without", v, good["document.glare_area"])
	}
	if v := median64(ms, "dark")["document.exposure_dark"]; v < good["document.exposure_dark"]+0.3 {
		t.Errorf("dark %.2f, good %.2f", v, good["document.exposure_dark"])
	}
	if v := median64(ms, "lowres")["document.resolution_dpi"]; v > 0.5*good["document.resolution_dpi"] {
		t.Errorf("low resolution %.0f dpi, good %.0f", v, good["document.resolution_dpi"])
	}
	if n > 2 {
		logDistribution(t, ms)
		logRates(t, ms)
	}
}

// PROOFLINE_DEGRADED sets how many documents are drawn.
func TestHologramsAreNoGlare(t *testing.T) {
	n := 5
	if v, err := strconv.Atoi(os.Getenv("PROOFLINE_DEGRADED")); err == nil {
		n = v
	}
	f, found, refused := NewFinder(), 0, 0
	for seed := int64(1); seed <= int64(n); seed++ {
		doc, err := specimen.New(seed, specimen.Options{Format: specimen.Formats[int(seed)%len(specimen.Formats)], State: "*"})
		if err != nil {
			t.Skipf("draw specimen: %v", err)
		}
		p, err := specimen.Photograph(doc.Front(), specimen.CameraFor(seed, specimen.Hologram, nil))
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.JPEG(90)
		if err != nil {
			t.Fatal(err)
		}
		v := measure(t, f, fmt.Sprint(seed), "good", b).values
		if _, ok := v["document.glare_area"]; !ok {
			continue
		}
		found++
		if v["document.glare_area"] > 0.03 || v["document.glare_mrz"] > 0.05 {
			refused++
			t.Errorf("seed %d: glare on %.3f of the document, %.3f of the zone", seed, v["document.glare_area"], v["document.glare_mrz"])
		}
	}
	t.Logf("%d of %d documents with holograms found, %d refused for glare", found, n, refused)
	if found*10 < n*9 {
		t.Errorf("%d of %d found", found, n)
	}
}

func median64(ms []measured, label string) map[string]float64 {
	vs := map[string][]float64{}
	for _, m := range ms {
		if m.label == label {
			for k, v := range m.values {
				vs[k] = append(vs[k], v)
			}
		}
	}
	out := map[string]float64{}
	for k, v := range vs {
		sort.Float64s(v)
		out[k] = v[len(v)/2]
	}
	return out
}

func logDistribution(t *testing.T, ms []measured) {
	vs := map[string]map[string][]float64{}
	for _, m := range ms {
		for k, v := range m.values {
			if vs[k] == nil {
				vs[k] = map[string][]float64{}
			}
			vs[k][m.label] = append(vs[k][m.label], v)
		}
	}
	var names []string
	for k := range vs {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		var b strings.Builder
		for _, d := range specimen.Degradations {
			v := vs[k][string(d)]
			if len(v) == 0 {
				continue
			}
			sort.Float64s(v)
			fmt.Fprintf(&b, "  %s %.3g/%.3g/%.3g", d, v[0], v[len(v)/2], v[len(v)-1])
		}
		t.Logf("%s (min/median/max):%s", k, b.String())
	}
}

func BenchmarkGateJPEG(b *testing.B) {
	for _, size := range [][2]int{{1632, 1224}, {4000, 3000}} {
		doc, err := specimen.New(1, specimen.Options{Format: specimen.TD3})
		if err != nil {
			b.Skip(err)
		}
		c := specimen.GoodCamera(1)
		c.Width, c.Height = size[0], size[1]
		p, err := specimen.Photograph(doc.Front(), c)
		if err != nil {
			b.Fatal(err)
		}
		data, err := p.JPEG(90)
		if err != nil {
			b.Fatal(err)
		}
		f := NewFinder()
		name := fmt.Sprintf("%dMP", size[0]*size[1]/1_000_000)
		run := func(what string, f func()) {
			b.Run(what+"/"+name, func(b *testing.B) {
				start := cpuTime()
				for b.Loop() {
					f()
				}
				b.ReportMetric(float64((cpuTime()-start).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
		run("decode", func() {
			i, _ := photo.Decode(data, photo.Limits{})
			i.Close()
		})
		i, err := photo.Decode(data, photo.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		run("find", func() {
			fs, _ := f.Find(i.Mat, Hints{})
			closeAll(fs)
		})
		fs, _ := f.Find(i.Mat, Hints{})
		run("measure", func() { quality.Document(fs[0].Rectified, fs[0].Info(i.Mat)) })
		run("measure-photo", func() { quality.Photo(i.Mat) })
		closeAll(fs)
		i.Close()
	}
}

// cpuTime is what the process has used so far: on a busy machine the wall clock
// measures the neighbours.
func cpuTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
