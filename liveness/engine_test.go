package liveness

import (
	"errors"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

func TestMain(m *testing.M) {
	dnn.SetThreads(1)
	os.Exit(m.Run())
}

func engines(t testing.TB, profile string) (*Engine, *face.Engine) {
	t.Helper()
	set, err := models.Open("", profile)
	if err != nil {
		t.Fatal(err)
	}
	f, err := face.OpenWith(set, face.Options{Workers: 1})
	if err != nil {
		t.Skipf("models are not installed: %v", err)
	}
	t.Cleanup(f.Close)
	e, err := OpenWith(set, Options{Workers: 2})
	if err != nil {
		t.Skipf("models are not installed: %v", err)
	}
	t.Cleanup(e.Close)
	return e, f
}

// sample is a picture of one face from the gocv module (Apache-2.0).
func sample(t testing.TB, f *face.Engine) (gocv.Mat, face.Face) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gocv.io/x/gocv").Output()
	if err != nil {
		t.Skip("module cache is not here")
	}
	m := gocv.IMRead(filepath.Join(strings.TrimSpace(string(dir)), "images", "face.jpg"), gocv.IMReadColor)
	t.Cleanup(func() { m.Close() })
	fs, err := f.Detect(m)
	if err != nil || len(fs) == 0 {
		t.Fatalf("%d faces, %v", len(fs), err)
	}
	return m, fs[0]
}

func TestACropWithoutSurroundingsIsInconclusiveNotGuessed(t *testing.T) {
	e, f := engines(t, models.Zoo)
	m, main := sample(t, f)
	for _, k := range []float64{1, 1.3, 1.6} {
		crop := m.Region(grow(main.Box, k).Bounds(m.Cols(), m.Rows()))
		fs, err := f.Detect(crop)
		if err != nil || len(fs) == 0 {
			crop.Close()
			continue // nothing to assess
		}
		got, err := e.Assess(crop, fs[0])
		if err != nil || got.Score != nil || got.Inconclusive != InconclusiveFraming {
			t.Errorf("crop of %v faces: score %v, %q, %v", k, got.Score, got.Inconclusive, err)
		}
		crop.Close()
	}
}

func TestASmallFaceIsInconclusive(t *testing.T) {
	e, f := engines(t, "")
	m, main := sample(t, f)
	k := 24 / main.Box.W
	small := gocv.NewMat()
	defer small.Close()
	if err := gocv.Resize(m, &small, image.Point{}, k, k, gocv.InterpolationArea); err != nil {
		t.Fatal(err)
	}
	b := main.Box
	got, err := e.Assess(small, face.Face{Box: photo.Rect{X: b.X * k, Y: b.Y * k, W: b.W * k, H: b.H * k}})
	if err != nil || got.Score != nil || got.Inconclusive == "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestBadInputIsAnAnswer(t *testing.T) {
	e, _ := engines(t, "")
	grey := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(90, 90, 90, 0), 200, 200, gocv.MatTypeCV8UC3)
	defer grey.Close()
	deep := gocv.NewMatWithSize(50, 50, gocv.MatTypeCV16UC3)
	defer deep.Close()
	one := gocv.NewMatWithSize(1, 1, gocv.MatTypeCV8UC3)
	defer one.Close()
	middle := photo.Rect{X: 60, Y: 60, W: 80, H: 80}
	for name, c := range map[string]struct {
		m gocv.Mat
		b photo.Rect
	}{
		"zero Mat": {gocv.Mat{}, middle}, "16 bit": {deep, middle}, "1×1": {one, photo.Rect{W: 1, H: 1}},
		"no box": {grey, photo.Rect{}}, "box outside": {grey, photo.Rect{X: 900, Y: 900, W: 50, H: 50}},
		"not a number": {grey, photo.Rect{X: math.NaN(), W: 50, H: 50}}, "endless": {grey, photo.Rect{W: math.Inf(1), H: 50}},
	} {
		got, err := e.Assess(c.m, face.Face{Box: c.b})
		if err != nil || got.Score != nil || got.Inconclusive == "" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := e.Assess(grey, face.Face{Box: middle}); err != nil {
		t.Errorf("a field without a face: %v", err)
	}
}

func TestEachInstalledNetworkGivesASignalAndTheScoreIsTheSumOfItsParts(t *testing.T) {
	e, f := engines(t, models.Zoo)
	m, main := sample(t, f)
	got, err := e.Assess(m, main)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	n := 0
	for _, s := range got.Signals {
		sum += got.Contributions[s.Name]
		if strings.HasPrefix(s.Name, "model.") && s.Skipped == "" {
			n++
			if got.Contributions[s.Name] == 0 {
				t.Errorf("%s was asked and weighs nothing", s.Name)
			}
		}
	}
	if got.Score == nil {
		if n != 0 || got.Inconclusive == "" {
			t.Errorf("no score: %+v", got)
		}
		return
	}
	if n != len(got.Models) || math.Abs(logit(*got.Score)-sum) > 1e-9 && math.Abs(sum) < mostOdds {
		t.Errorf("score %v of %d networks, log-odds %v", *got.Score, n, sum)
	}
}

func TestGoroutinesShareAnEngine(t *testing.T) {
	e, f := engines(t, "")
	m, main := sample(t, f)
	want, err := e.Assess(m, main)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			got, err := e.Assess(m, main)
			if err != nil || len(got.Signals) != len(want.Signals) {
				t.Errorf("%+v, %v", got, err)
				return
			}
			for i, s := range got.Signals {
				if math.Abs(s.Value-want.Signals[i].Value) > 1e-4 {
					t.Errorf("%s: %v, then %v", s.Name, want.Signals[i].Value, s.Value)
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseLeavesNoNetworkAndAMissingModelIsNamed(t *testing.T) {
	before := dnn.Live()
	set, err := models.Open("", models.Zoo)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := Open(set); err == nil {
		e.Close()
		e.Close()
	}
	if dnn.Live() != before {
		t.Errorf("%d networks left over", dnn.Live()-before)
	}
	if set, err = models.Open(t.TempDir(), ""); err != nil {
		t.Fatal(err)
	}
	_, err = Open(set)
	var missing *models.MissingError
	if !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}

func BenchmarkAssess(b *testing.B) {
	for _, profile := range []string{models.Default, models.Zoo} {
		b.Run(profile, func(b *testing.B) {
			e, f := engines(b, profile)
			m, main := sample(b, f)
			defer reportCPU(b)()
			for b.Loop() {
				if _, err := e.Assess(m, main); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestTheLabelledPhotosAreInTheRightOrder(t *testing.T) {
	dir := dataDir(t)
	for _, profile := range []string{models.Default, models.Zoo} {
		e, f := engines(t, profile)
		score := func(name string) float64 {
			m := gocv.IMRead(filepath.Join(dir, "files", "D_pad", name), gocv.IMReadColor)
			defer m.Close()
			fs, err := f.Detect(m)
			if err != nil || len(fs) == 0 {
				t.Fatalf("%s: %d faces, %v", name, len(fs), err)
			}
			r, err := e.Assess(m, fs[0])
			if err != nil || r.Score == nil {
				t.Fatalf("%s: %+v, %v", name, r, err)
			}
			return *r.Score
		}
		live, print, screen := score("minivision__T1.jpg"), score("minivision__F1.jpg"), score("minivision__F2.jpg")
		t.Logf("%s: live %.3f, print %.3f, screen %.3f", profile, live, print, screen)
		if live < 0.7 || print > 0.3 || screen > 0.3 {
			t.Errorf("%s: live %.3f, print %.3f, screen %.3f", profile, live, print, screen)
		}
	}
}

// dataDir is the folder of labelled development data, or the test is skipped.
func dataDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("PROOFLINE_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "liveness", "images.jsonl")); err != nil {
		t.Skip("labelled data is not here (PROOFLINE_DATA)")
	}
	return dir
}

// reportCPU adds the processor time of a loop to its benchmark, which a busy
// machine disturbs less than the time of day.
func reportCPU(b *testing.B) func() {
	used := func() float64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e6
	}
	start := used()
	return func() { b.ReportMetric((used()-start)/float64(b.N), "cpu-ms/op") }
}
