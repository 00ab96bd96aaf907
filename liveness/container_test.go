package liveness

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"
)

func packed(t testing.TB) []byte {
	t.Helper()
	b, err := BurstFile{Nonce: []byte("nonce"), Frames: []FrameFile{{File: []byte("first")}, {At: 125 * time.Millisecond, File: []byte("second")}}}.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABurstComesBackAsItWasPacked(t *testing.T) {
	got, err := ParseBurst(packed(t))
	want := BurstFile{Nonce: []byte("nonce"), Frames: []FrameFile{{File: []byte("first")}, {At: 125 * time.Millisecond, File: []byte("second")}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// packedLit is a burst whose frames say how they were lit: dark, not known, full.
func packedLit(t testing.TB) []byte {
	t.Helper()
	dark, full := 0.0, 1.0
	b, err := BurstFile{Lit: true, Frames: []FrameFile{
		{File: []byte("first"), Light: &dark}, {At: time.Second, File: []byte("second")}, {At: 2 * time.Second, File: []byte("x"), Light: &full},
	}}.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheLightOfFramesComesBackAndMoreThanFullIsRefused(t *testing.T) {
	b := packedLit(t)
	got, err := ParseBurst(b)
	if err != nil || !got.Lit || len(got.Frames) != 3 || *got.Frames[0].Light != 0 || got.Frames[1].Light != nil || *got.Frames[2].Light != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	for v := range 256 {
		c := bytes.Clone(b)
		c[len(litMagic)+2+8] = byte(v)
		if _, err := ParseBurst(c); (err == nil) != (v <= 100 || v == 255) {
			t.Errorf("light of %d: %v", v, err)
		}
	}
	for _, v := range []float64{-0.01, 1.01, math.NaN(), math.Inf(1)} {
		if _, err := (BurstFile{Lit: true, Frames: []FrameFile{{File: []byte("x"), Light: &v}}}).Pack(); err == nil {
			t.Errorf("packed a light of %v", v)
		}
	}
	some := 0.5
	if _, err := (BurstFile{Frames: []FrameFile{{File: []byte("x"), Light: &some}}}).Pack(); err == nil {
		t.Error("packed a light into a file without a place for it")
	}
}

func TestEveryCutAndEveryExtraByteIsRefused(t *testing.T) {
	for _, b := range [][]byte{packed(t), packedLit(t)} {
		for n := range b {
			if _, err := ParseBurst(b[:n]); !errors.Is(err, ErrNotBurst) {
				t.Fatalf("cut to %d bytes: %v", n, err)
			}
		}
		if _, err := ParseBurst(append(bytes.Clone(b), 0)); !errors.Is(err, ErrNotBurst) {
			t.Errorf("a byte too many: %v", err)
		}
	}
	for _, f := range []BurstFile{
		{}, {Frames: make([]FrameFile, MaxBurstFrames+1)}, {Nonce: make([]byte, 65), Frames: []FrameFile{{File: []byte("x")}}},
		{Frames: []FrameFile{{At: -time.Second, File: []byte("x")}}}, {Frames: []FrameFile{{}}}, {Frames: []FrameFile{{File: make([]byte, MaxFrameBytes+1)}}},
	} {
		if _, err := f.Pack(); err == nil {
			t.Errorf("packed %d frames, nonce of %d", len(f.Frames), len(f.Nonce))
		}
	}
}

func FuzzParseBurst(f *testing.F) {
	f.Add(packed(f))
	f.Add(packedLit(f))
	f.Add([]byte(litMagic + "\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x65x"))
	f.Add([]byte(burstMagic + "\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseBurst(b)
		if err != nil {
			return
		}
		for _, frame := range got.Frames {
			if l := frame.Light; l != nil && (!got.Lit || !(*l >= 0 && *l <= 1)) {
				t.Errorf("light %v", *l)
			}
		}
		again, err := got.Pack()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%d bytes come back as %d, %v", len(b), len(again), err)
		}
	})
}
