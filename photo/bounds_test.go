package photo

import (
	"bytes"
	"image"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// cmykJPEG is an 8 × 8 picture of four components, each one block of mid grey,
// spelled with the Huffman tables of another file.
func cmykJPEG(t *testing.T) []byte {
	grey := asJPEG(t, image.NewGray(image.Rect(0, 0, 8, 8)))
	sof := bytes.Index(grey, []byte{0xff, 0xc0})
	sos := bytes.Index(grey, []byte{0xff, 0xda})
	b := append([]byte{}, grey[:sof]...)
	b = append(b, 0xff, 0xc0, 0, 20, 8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0)
	b = append(b, grey[sof+13:sos]...)
	b = append(b, 0xff, 0xda, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0)
	// Four times "no change, end of block": 00 1010.
	return append(b, 0x28, 0xa2, 0x8a, 0xff, 0xd9)
}

func TestACMYKPhotoIsConverted(t *testing.T) {
	i := mustDecode(t, cmykJPEG(t), Limits{})
	if !i.Noted(NoteCMYK) || i.Mat.Channels() != 3 {
		t.Errorf("notes %v, %d channels", i.Notes, i.Mat.Channels())
	}
}

func TestAProgressiveBombIsRefused(t *testing.T) {
	jpg := asJPEG(t, corners(16, 16))
	sos := bytes.Index(jpg, []byte{0xff, 0xda})
	scan := jpg[sos : len(jpg)-2]
	b := append([]byte{}, jpg[:sos]...)
	for i := 0; i <= maxScans; i++ {
		b = append(b, scan...)
	}
	wantCode(t, append(b, 0xff, 0xd9), Limits{}, CodeTooManyPixels)
}

func TestAWebPThatDeclaresToEndBeforeItBeginsIsCorrupt(t *testing.T) {
	for size := byte(0); size < 4; size++ { // the format's own name takes four bytes
		b := append([]byte("RIFF"), size, 0, 0, 0)
		wantCode(t, append(b, "WEBPVP8L\x05\x00\x00\x00\x2f\x00\x00\x00\x00\x00"...), Limits{}, CodeCorrupt)
	}
}

// libjpeg keeps all coefficients of a picture whose components come in scans of
// their own, progressive or not.
func TestAPhotoInSeparateScansIsEstimatedLikeAProgressiveOne(t *testing.T) {
	file := func(frame byte) []byte {
		b := []byte{0xff, 0xd8, 0xff, frame, 0, 17, 8, 0x1f, 0x40, 0x1d, 0x4c, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0}
		for c := byte(1); c <= 3; c++ {
			b = append(b, 0xff, 0xda, 0, 8, 1, c, 0, 0, 63, 0, 0x28)
		}
		return append(b, 0xff, 0xd9)
	}
	var memory []int64
	for _, frame := range []byte{0xc2, 0xc0} {
		h, err := readHeader(file(frame))
		if err != nil {
			t.Fatal(err)
		}
		memory = append(memory, h.memory(2))
	}
	if memory[0] != memory[1] {
		t.Errorf("%d bytes progressive, %d in separate scans", memory[0], memory[1])
	}
	wantCode(t, file(0xc0), Limits{}, CodeTooManyPixels)
}

// A note is made of what happened to a photo, however often the file gives cause:
// notes are kept with the case, and 25 MB hold two million empty chunks.
func TestANoteIsMadeOnce(t *testing.T) {
	p := asPNG(t, corners(20, 20))
	again := bytes.Repeat(chunk("acTL", make([]byte, 8)), 500)
	i := mustDecode(t, append(append(append([]byte{}, p[:33]...), again...), p[33:]...), Limits{})
	if len(i.Notes) != 1 || !i.Noted(NoteAnimated) {
		t.Errorf("%d notes", len(i.Notes))
	}
}

// resident returns a line of /proc/self/status in MiB, or 0 where there is none.
func resident(name string) int {
	b, _ := os.ReadFile("/proc/self/status")
	for _, l := range strings.Split(string(b), "\n") {
		if f := strings.Fields(l); len(f) > 1 && f[0] == name+":" {
			kb, _ := strconv.Atoi(f[1])
			return kb >> 10
		}
	}
	return 0
}

func TestZipBombsTogetherStayWithinTheMemoryBudget(t *testing.T) {
	if testing.Short() || resident("VmHWM") == 0 {
		t.Skip("takes seconds, needs /proc")
	}
	before := resident("VmRSS")
	bomb := asPNG(t, image.NewNRGBA(image.Rect(0, 0, 7500, 7500))) // 225 MB once inflated
	if len(bomb) > 1<<20 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		before = resident("VmHWM") // the peak can not be reset: that of earlier tests stands
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			i, err := Decode(bomb, Limits{})
			if err != nil {
				t.Error(err)
			}
			i.Close()
		})
	}
	wg.Wait()
	if peak := resident("VmHWM"); peak > before+2*decodeBudget>>20 {
		t.Errorf("peak %d MiB resident, started from %d", peak, before)
	} else {
		t.Logf("peak %d MiB resident, started from %d", peak, before)
	}
}

func TestDecodingAgainAndAgainKeepsMemoryFlat(t *testing.T) {
	if resident("VmRSS") == 0 {
		t.Skip("needs /proc")
	}
	b := withEXIF(asJPEG(t, corners(1200, 900)), 6)
	var start int
	for n := range 120 {
		i, err := Decode(b, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		i.Close()
		if n == 20 {
			start = resident("VmRSS")
		}
	}
	// One leaked picture is 3 MB: a hundred would be 300.
	if end := resident("VmRSS"); end > start+60 {
		t.Errorf("resident size grew from %d to %d MiB", start, end)
	}
}
