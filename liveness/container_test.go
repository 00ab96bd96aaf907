package liveness

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"
)

func packed(t testing.TB) []byte {
	t.Helper()
	b, err := BurstFile{Nonce: []byte("nonce"), Frames: []FrameFile{{0, []byte("first")}, {125 * time.Millisecond, []byte("second")}}}.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABurstComesBackAsItWasPacked(t *testing.T) {
	got, err := ParseBurst(packed(t))
	want := BurstFile{Nonce: []byte("nonce"), Frames: []FrameFile{{0, []byte("first")}, {125 * time.Millisecond, []byte("second")}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestEveryCutAndEveryExtraByteIsRefused(t *testing.T) {
	b := packed(t)
	for n := range b {
		if _, err := ParseBurst(b[:n]); !errors.Is(err, ErrNotBurst) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := ParseBurst(append(bytes.Clone(b), 0)); !errors.Is(err, ErrNotBurst) {
		t.Errorf("a byte too many: %v", err)
	}
	for _, f := range []BurstFile{
		{}, {Frames: make([]FrameFile, MaxBurstFrames+1)}, {Nonce: make([]byte, 65), Frames: []FrameFile{{0, []byte("x")}}},
		{Frames: []FrameFile{{-time.Second, []byte("x")}}}, {Frames: []FrameFile{{0, nil}}}, {Frames: []FrameFile{{0, make([]byte, MaxFrameBytes+1)}}},
	} {
		if _, err := f.Pack(); err == nil {
			t.Errorf("packed %d frames, nonce of %d", len(f.Frames), len(f.Nonce))
		}
	}
}

func FuzzParseBurst(f *testing.F) {
	f.Add(packed(f))
	f.Add([]byte(burstMagic + "\x00\x01\x00\x00\x00\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseBurst(b)
		if err != nil {
			return
		}
		again, err := got.Pack()
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%d bytes come back as %d, %v", len(b), len(again), err)
		}
	})
}
