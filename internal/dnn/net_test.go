package dnn

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

func open(t testing.TB, instances int) (*Net, models.Model) {
	t.Helper()
	set, err := models.Open("", "")
	if err != nil {
		t.Fatal(err)
	}
	path, err := set.Path("face-detect-near")
	if err != nil {
		t.Skip(err)
	}
	n, err := Open(path, instances)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	m, _ := set.Model("face-detect-near")
	return n, m
}

func input(m models.Model) Tensor {
	w, h := m.Input.Width, m.Input.Height
	return Tensor{Shape: []int{1, h, w, 3}, Data: make([]float32, w*h*3)}
}

func TestThePoolNeverGrowsBeyondItsBound(t *testing.T) {
	before := Live()
	n, m := open(t, 2)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 3 {
				if _, err := n.Run(input(m)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := Live() - before; got > 2 {
		t.Errorf("%d instances", got)
	}
	n.Close()
	if got := Live() - before; got != 0 {
		t.Errorf("%d instances after Close", got)
	}
	if _, err := n.Run(input(m)); !errors.Is(err, ErrClosed) {
		t.Errorf("run after Close: %v", err)
	}
}

func TestFilesThatAreNoModelAreRefusedWithTheReason(t *testing.T) {
	dir := t.TempDir()
	for name, b := range map[string][]byte{"empty": {}, "text": []byte("not a model"), "zeros": make([]byte, 4096)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := Open(path, 1); err == nil {
			n.Close()
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := Open(filepath.Join(dir, "absent"), 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestInputsOfTheWrongShapeAreErrorsAndTheNetworkGoesOn(t *testing.T) {
	n, m := open(t, 1)
	for _, in := range []Tensor{
		{}, {Shape: []int{1, 2}, Data: []float32{1}}, {Shape: []int{0}, Data: nil}, {Shape: []int{-1, -1}, Data: []float32{1}},
		{Shape: []int{1, 1, 1, 1, 1, 1, 1, 1, 1}, Data: []float32{1}}, {Shape: []int{1, 7, 5, 3}, Data: make([]float32, 105)},
	} {
		if _, err := n.Run(in); err == nil {
			t.Errorf("shape %v is accepted", in.Shape)
		}
	}
	outs, err := n.Run(input(m))
	if err != nil || len(outs) != 4 {
		t.Errorf("afterwards: %d outputs, %v", len(outs), err)
	}
}

func TestACutBeyondThePictureIsBlackThere(t *testing.T) {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(200, 200, 200, 0), 100, 100, gocv.MatTypeCV8UC3)
	defer m.Close()
	out, err := Cut(m, photo.Rect{X: -50, Y: 0, W: 100, H: 100}, 50, 50)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if l, r := out.GetVecbAt(25, 10)[0], out.GetVecbAt(25, 40)[0]; l != 0 || r != 200 {
		t.Errorf("left %d, right %d", l, r)
	}
	for _, r := range []photo.Rect{{}, {W: -1, H: 5}, {X: 1e9, W: 5, H: 5}} {
		if c, err := Cut(m, r, 8, 8); err == nil {
			c.Close()
			if r.W > 0 {
				continue // far outside: all black
			}
			t.Errorf("%v is cut", r)
		}
	}
}

func TestOnlyEightBitPicturesBecomeBGR(t *testing.T) {
	if _, ok := BGR(gocv.Mat{}); ok {
		t.Error("the zero Mat")
	}
	for typ, want := range map[gocv.MatType]bool{gocv.MatTypeCV8UC1: true, gocv.MatTypeCV8UC3: true, gocv.MatTypeCV8UC4: true, gocv.MatTypeCV16UC3: false, gocv.MatTypeCV32FC1: false} {
		m := gocv.NewMatWithSize(4, 4, typ)
		out, ok := BGR(m)
		if ok != want {
			t.Errorf("type %v: %v", typ, ok)
		}
		if ok {
			if out.Type() != gocv.MatTypeCV8UC3 {
				t.Errorf("type %v became %v", typ, out.Type())
			}
			out.Close()
		}
		m.Close()
	}
}
