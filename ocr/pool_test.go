package ocr

import (
	"context"
	"errors"
	"image"
	"image/color"
	"strings"
	"sync"
	"testing"
	"time"

	"gocv.io/x/gocv"
)

func openPool(t *testing.T, clients int) *Pool {
	t.Helper()
	if _, err := SystemTessdata("eng"); err != nil {
		t.Skip(err)
	}
	p, err := NewPool(PoolOptions{Clients: clients, MaxPixels: 4e6})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func printed(text string) gocv.Mat {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(255, 255, 255, 0), 160, 700, gocv.MatTypeCV8UC3)
	for i, l := range strings.Split(text, "\n") {
		gocv.PutText(&m, l, image.Pt(20, 50+60*i), gocv.FontHersheySimplex, 1.4, color.RGBA{A: 255}, 3)
	}
	return m
}

func TestWordsHaveTextConfidenceBoxAndLine(t *testing.T) {
	p := openPool(t, 1)
	m := printed("SURNAME ERIKSSON\nBORN 12 AUG 1974")
	defer m.Close()
	page, err := p.Read(t.Context(), m, Request{PSM: 6, Symbols: true})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Word{}
	for _, w := range page.Words {
		found[w.Text] = w
	}
	w, ok := found["ERIKSSON"]
	if !ok || w.Confidence < 0.5 || w.Box.X < 200 || w.Line != 0 || found["1974"].Line != 1 {
		t.Errorf("%+v", page.Words)
	}
	if len(page.Symbols) < 20 || page.Symbols[len(page.Symbols)-1].Line != 1 {
		t.Errorf("symbols %+v", page.Symbols)
	}
}

func TestAPictureLongerThanTesseractsCoordinatesIsRefused(t *testing.T) {
	p := openPool(t, 1)
	for _, size := range []image.Point{{X: 40000, Y: 20}, {X: 20, Y: 40000}} { // ended the process
		m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(255, 0, 0, 0), size.Y, size.X, gocv.MatTypeCV8UC1)
		_, err := p.Read(t.Context(), m, Request{PSM: 11})
		m.Close()
		if err == nil {
			t.Errorf("%v: read", size)
		}
	}
}

func TestWaitingForAnEngineEndsWithTheContext(t *testing.T) {
	p := openPool(t, 1)
	c, err := p.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	m := printed("X")
	defer m.Close()
	if _, err := p.Read(ctx, m, Request{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	p.free <- c
}

func TestPoolReadsConcurrentlyAndKeepsItsEngines(t *testing.T) {
	p := openPool(t, 2)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			m := printed("AB 12")
			defer m.Close()
			if _, err := p.Read(context.Background(), m, Request{PSM: 7, Whitelist: "AB12"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(p.free) != 2 {
		t.Errorf("%d engines free, want 2", len(p.free))
	}
	p.Close()
	m := printed("X")
	defer m.Close()
	if _, err := p.Read(context.Background(), m, Request{}); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestImagesOutOfBoundsAreRefused(t *testing.T) {
	p := openPool(t, 1)
	empty, big, float, thread := gocv.NewMat(), gocv.NewMatWithSize(2100, 2000, gocv.MatTypeCV8UC1), gocv.NewMatWithSize(10, 10, gocv.MatTypeCV32F), gocv.NewMatWithSize(1, 2200, gocv.MatTypeCV8UC1)
	for _, m := range []gocv.Mat{empty, big, float, thread} {
		if _, err := p.Read(t.Context(), m, Request{}); err == nil {
			t.Error("accepted")
		}
		m.Close()
	}
}

func TestMissingTrainedDataFailsAtStart(t *testing.T) {
	if _, err := NewPool(PoolOptions{Tessdata: t.TempDir()}); err == nil {
		t.Error("started")
	}
}
