package face

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
)

// alone opens an engine without the second network.
func alone(t testing.TB) *Engine {
	t.Helper()
	set, err := models.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, role := range []string{roleNear, roleFar, roleEmbed} {
		path, err := set.Path(role)
		if err != nil {
			t.Skipf("models are not installed: %v", err)
		}
		if err := os.Symlink(path, filepath.Join(dir, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	if set, err = models.Open(dir, ""); err != nil {
		t.Fatal(err)
	}
	e, err := Open(set)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func both(t testing.TB) *Engine {
	t.Helper()
	e := engine(t, "", Options{})
	if e.second == nil {
		t.Skip("the second face network is not installed")
	}
	return e
}

func TestTheCosineOfJoinedEmbeddingsIsTheWeightedMeanOfBothNetworks(t *testing.T) {
	unit := func(v ...float32) Embedding { return normalised(v) }
	a1, b1 := unit(1, 2, 3), unit(2, -1, 0.5)
	a2, b2 := unit(4, 1), unit(3, 3)
	want := 0.25*Cosine(a1, b1) + 0.75*Cosine(a2, b2)
	if got := Cosine(joined(a1, a2), joined(b1, b2)); math.Abs(got-want) > 1e-6 {
		t.Errorf("cosine %v, want %v", got, want)
	}
	if l := joined(a1, a2).length(); math.Abs(l-1) > 1e-6 {
		t.Errorf("length %v", l)
	}
}

// The values are those of TensorFlow.js on the package's own weights for the
// same input: the converter's file computes what the published network does.
func TestTheConvertedNetworkComputesWhatThePublishedOneDoes(t *testing.T) {
	e := both(t)
	in := dnn.Tensor{Shape: []int{1, 3, 150, 150}, Data: make([]float32, 3*150*150)}
	mean := []float64{122.782, 117.001, 104.298}
	for i := range in.Data {
		c, y, x := float64(i/22500), float64(i/150%150), float64(i%150)
		in.Data[i] = float32((128 + 100*math.Sin(x/9+c)*math.Cos(y/11-c) - mean[i/22500]) / 256)
	}
	out, err := e.second.net.Run(in)
	if err != nil || len(out) != 1 || len(out[0].Data) != 128 {
		t.Fatal(out, err)
	}
	for i, want := range []float64{-0.06498, 0.14293, 0.08993, -0.02425, -0.06528, -0.02891, -0.10685, -0.03785} {
		if math.Abs(float64(out[0].Data[i])-want) > 1e-4 {
			t.Errorf("value %d is %.5f, want %.5f", i, out[0].Data[i], want)
		}
	}
}

func TestThePackagedPortraitHasItsDescriptionByBothNetworks(t *testing.T) {
	e, m := both(t), sample(t)
	v := embedOf(t, e, m, detectOne(t, e, m))
	if len(v) != 512+128 {
		t.Fatalf("%d values", len(v))
	}
	// The second network's part; decoders of JPEG differ a little.
	for i, want := range []float64{-0.0635, 0.0035, 0.0605, -0.0252, -0.0435, -0.0797, -0.0018, -0.0402} {
		if math.Abs(float64(v[512+i])-want) > 0.005 {
			t.Errorf("value %d is %.4f, want %.4f", 512+i, v[512+i], want)
		}
	}
	mirror := gocv.NewMat()
	defer mirror.Close()
	if err := gocv.Flip(m, &mirror, 1); err != nil {
		t.Fatal(err)
	}
	if s := e.Similarity(v, embedOf(t, e, mirror, detectOne(t, e, mirror))); s < 0.8 || s > 1 {
		t.Errorf("similarity to the mirror image %.3f", s)
	}
}

func TestWithoutTheSecondNetworkTheFirstIsUsedAndNamed(t *testing.T) {
	e, m := alone(t), sample(t)
	one := e.EmbeddingModel()
	if one.Role != roleEmbed || one.SHA256 != e.embedder.ref.SHA256 {
		t.Errorf("embedding model %+v", one)
	}
	if v := embedOf(t, e, m, detectOne(t, e, m)); len(v) != 512 || e.Scaled(0.3) != 0.3 {
		t.Errorf("%d values, a cosine of 0.3 is %v", len(v), e.Scaled(0.3))
	}
	two := both(t)
	if r := two.EmbeddingModel(); r.Role != roleJoined || r.SHA256 == one.SHA256 || r.SHA256 == two.second.ref.SHA256 {
		t.Errorf("joined embedding model %+v", r)
	}
	if refs := two.Models(); refs[len(refs)-1] != two.EmbeddingModel() {
		t.Errorf("the record names %+v", refs)
	}
	if s := two.Scaled(strangers); s != 0 || two.Scaled(1) != 1 || two.Scaled(-1) != -1 {
		t.Errorf("strangers are %v alike, a picture and itself %v", s, two.Scaled(1))
	}
}
