package web

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/proofline/proofline/liveness"
)

func TestTheBurstThatThePagePacksIsWhatTheServerReads(t *testing.T) {
	node := toolchain(t)
	file := filepath.Join(t.TempDir(), "burst")
	node("test/pack.mjs", file)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := liveness.ParseBurst(b)
	if err != nil || len(got.Frames) != 3 || len(got.Nonce) != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	for i, at := range []time.Duration{0, 150500 * time.Microsecond, 1500 * time.Millisecond} {
		if f := got.Frames[i]; f.At != at || !bytes.Equal(f.File, bytes.Repeat([]byte{byte(i + 7)}, i+1)) {
			t.Errorf("frame %d at %v: %v", i, f.At, f.File)
		}
	}
	if b, err = os.ReadFile(file + ".lit"); err != nil {
		t.Fatal(err)
	}
	lit, err := liveness.ParseBurst(b)
	if err != nil || !lit.Lit || len(lit.Frames) != 3 || *lit.Frames[0].Light != 0 || lit.Frames[1].Light != nil || *lit.Frames[2].Light != 1 {
		t.Errorf("%+v, %v", lit, err)
	}
}
