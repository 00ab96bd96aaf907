package reader

import (
	"context"
	"errors"
	"image"
	"slices"
	"sync"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
	"gocv.io/x/gocv"
)

func openReader(t testing.TB, clients int) *Reader {
	t.Helper()
	r, err := New(Options{Clients: clients})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// photoOf draws a specimen and photographs the side with the zone.
func photoOf(t testing.TB, seed int64, f specimen.Format, c specimen.Camera) (gocv.Mat, []string) {
	t.Helper()
	s, err := specimen.New(seed, specimen.Options{Format: f})
	var missing *specimen.FontError
	if errors.As(err, &missing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := specimen.Photograph(s.MRZSide(), c)
	if err != nil {
		t.Fatal(err)
	}
	return matOf(t, p.Image), s.Truth.Lines
}

func matOf(t testing.TB, im image.Image) gocv.Mat {
	t.Helper()
	m, err := gocv.ImageToMatRGB(im)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestEveryFormatIsReadFromAGoodPhoto(t *testing.T) {
	r := openReader(t, 1)
	for _, f := range specimen.Formats {
		for seed := range int64(2) {
			m, want := photoOf(t, seed, f, specimen.GoodCamera(seed))
			res, err := r.Read(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(res.Lines, want) || !res.Valid || res.Format != string(f) {
				t.Errorf("%s, seed %d: %s valid %v %q, want %q", f, seed, res.Format, res.Valid, res.Lines, want)
			}
		}
	}
}

func TestAnyOrientationIsRead(t *testing.T) {
	r := openReader(t, 1)
	for _, turn := range []float64{0, 33, 90, 135, 180, 225, 270, 318} {
		m, want := photoOf(t, 7, specimen.TD3, specimen.Camera{Seed: 7, Rotation: turn, Fill: 0.9})
		res, err := r.Read(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		upright := int(turn/90+0.5) % 4 * 90
		if !slices.Equal(res.Lines, want) || int(turn)%90 == 0 && res.Rotation != (360-upright)%360 {
			t.Errorf("turned by %v: rotation %d %q, want %q", turn, res.Rotation, res.Lines, want)
		}
	}
}

func TestAPhotoWithoutAZoneHasNone(t *testing.T) {
	r := openReader(t, 1)
	for seed := range int64(3) {
		s, err := specimen.New(seed, specimen.Options{Format: specimen.TD1})
		if err != nil {
			t.Skip(err)
		}
		p, err := specimen.Photograph(s.Front(), specimen.GoodCamera(seed))
		if err != nil {
			t.Fatal(err)
		}
		res, err := r.Read(t.Context(), matOf(t, p.Image))
		if err != nil {
			t.Fatal(err)
		}
		if res.Found || res.Valid || res.Lines == nil || res.Repairs == nil {
			t.Errorf("seed %d: %+v", seed, res)
		}
	}
	for _, m := range []gocv.Mat{gocv.Zeros(600, 800, gocv.MatTypeCV8UC3), gocv.Zeros(3, 4000, gocv.MatTypeCV8UC1)} {
		if res, err := r.Read(t.Context(), m); err != nil || res.Found {
			t.Errorf("blank: %+v %v", res, err)
		}
		m.Close()
	}
}

func TestTheRegionHoldsTheLines(t *testing.T) {
	r := openReader(t, 1)
	s, err := specimen.New(3, specimen.Options{Format: specimen.TD3})
	if err != nil {
		t.Skip(err)
	}
	p, err := specimen.Photograph(s.Front(), specimen.GoodCamera(3))
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Read(t.Context(), matOf(t, p.Image))
	if err != nil {
		t.Fatal(err)
	}
	want := p.Region(*s.Truth.Side("front").MRZ)
	for i := range want {
		if d := max(abs(want[i].X-res.Region[i].X), abs(want[i].Y-res.Region[i].Y)); d > 30 {
			t.Errorf("corner %d: %v, want %v", i, res.Region[i], want[i])
		}
	}
}

func abs(v float64) float64 { return max(v, -v) }

func TestReadersWorkSideBySideAndStopWithTheContext(t *testing.T) {
	r := openReader(t, 2)
	m, want := photoOf(t, 5, specimen.TD2, specimen.GoodCamera(5))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if res, err := r.Read(context.Background(), m); err != nil || !slices.Equal(res.Lines, want) {
				t.Errorf("%v %+v", err, res)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Read(ctx, m); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled read: %v", err)
	}
	r.Close()
	if _, err := r.Read(t.Context(), m); !errors.Is(err, ErrClosed) {
		t.Errorf("closed reader: %v", err)
	}
}

func BenchmarkReadTwoMegapixels(b *testing.B) {
	r := openReader(b, 1)
	with, _ := photoOf(b, 6, specimen.TD3, specimen.GoodCamera(6))
	card, err := specimen.New(6, specimen.Options{Format: specimen.TD1})
	if err != nil {
		b.Skip(err)
	}
	p, err := specimen.Photograph(card.Front(), specimen.GoodCamera(6))
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    gocv.Mat
	}{{"zone", with}, {"no-zone", matOf(b, p.Image)}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			cpu, n := processorTime(b), 0
			for b.Loop() {
				if _, err := r.Read(b.Context(), c.m); err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/1000/float64(n), "cpu-ms/op")
		})
	}
}
