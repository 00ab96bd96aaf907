package ocr

import (
	"context"
	"errors"
	"image"
	"image/color"
	"os"
	"strconv"
	"strings"
	"testing"

	"gocv.io/x/gocv"
)

// form draws captions and values in a plain typeface.
func form(rows ...string) gocv.Mat {
	m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(235, 240, 238, 0), 90+70*len(rows), 900, gocv.MatTypeCV8UC3)
	for i, r := range rows {
		gocv.PutText(&m, r, image.Pt(60, 80+70*i), gocv.FontHersheySimplex, 1.1, color.RGBA{R: 20, G: 20, B: 30, A: 255}, 2)
	}
	return m
}

func TestAPageThatStandsOnItsHeadIsTurned(t *testing.T) {
	rd := &Reader{Page: openPool(t, 1)}
	upright := form("Surname", "ERIKSSON", "Date of birth", "12 AUG 1974")
	defer upright.Close()
	m := gocv.NewMat()
	defer m.Close()
	if err := gocv.Rotate(upright, &m, gocv.Rotate180Clockwise); err != nil {
		t.Fatal(err)
	}
	res, err := rd.Read(t.Context(), Sheet{Image: m}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, f := range res.Fields {
		got[f.Name] = f.Value
	}
	if res.Rotation != 180 || got["surname"] != "ERIKSSON" || got["birth_date"] != "1974-08-12" {
		t.Errorf("rotation %d, fields %v", res.Rotation, got)
	}
}

func TestAPageWithoutLegibleTextHasNoFields(t *testing.T) {
	rd := &Reader{Page: openPool(t, 1)}
	plain := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(200, 200, 200, 0), 300, 500, gocv.MatTypeCV8UC3)
	defer plain.Close()
	tiny := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(200, 200, 200, 0), 3, 4, gocv.MatTypeCV8UC1)
	defer tiny.Close()
	noise := gocv.NewMatWithSize(200, 300, gocv.MatTypeCV8UC1)
	defer noise.Close()
	for i := range 200 * 300 {
		noise.SetUCharAt(i/300, i%300, uint8(i*7919>>3))
	}
	for name, m := range map[string]gocv.Mat{"plain": plain, "tiny": tiny, "noise": noise} {
		res, err := rd.Read(t.Context(), Sheet{Image: m}, Options{})
		if err != nil || len(res.Fields) > 0 || res.Legible() {
			t.Errorf("%s: %+v %v", name, res, err)
		}
	}
}

func TestReadingEndsWithTheContext(t *testing.T) {
	rd := &Reader{Page: openPool(t, 1)}
	m := form("Surname", "ERIKSSON")
	defer m.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := rd.Read(ctx, Sheet{Image: m}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyTheWantedFieldsAreReadAgain(t *testing.T) {
	rd := &Reader{Page: openPool(t, 1)}
	m := form("Surname", "ERIKSSON", "Date of birth", "12 AUG 1974")
	defer m.Close()
	res, err := rd.Read(t.Context(), Sheet{Image: m}, Options{Fields: []string{"surname"}, Doubt: func(f Field) bool { return f.Name == "surname" }})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range res.Fields {
		if n := len(f.Readings); f.Name == "surname" && n < 3 || f.Name != "surname" && n > 0 {
			t.Errorf("%s was read %d times", f.Name, n)
		}
	}
}

// Run with PROOFLINE_OCR_READS=3000: memory must be flat over thousands of reads.
func TestMemoryStaysFlatOverThousandsOfReads(t *testing.T) {
	reads, _ := strconv.Atoi(os.Getenv("PROOFLINE_OCR_READS"))
	if reads == 0 {
		t.Skip("set PROOFLINE_OCR_READS to the number of reads")
	}
	p := openPool(t, 1)
	m := printed("SURNAME ERIKSSON\nBORN 12 AUG 1974")
	defer m.Close()
	var first int
	for i := range reads {
		if _, err := p.Read(t.Context(), m, Request{PSM: 6}); err != nil {
			t.Fatal(err)
		}
		if i == reads/10 {
			first = resident(t)
		}
	}
	last := resident(t)
	t.Logf("%d reads: resident %d MiB after a tenth, %d MiB at the end", reads, first, last)
	if last > first+8 {
		t.Errorf("memory grew from %d to %d MiB", first, last)
	}
}

// resident is the process's resident memory in MiB, as Linux reports it.
func resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	pages, _ := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize() >> 20
}
