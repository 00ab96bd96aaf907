package face

import (
	"image"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"gocv.io/x/gocv"
)

// residentKiB is the memory that the process holds, after what is free was given
// back.
func residentKiB(t testing.TB) int {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc here")
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize() >> 10
}

// The figures of docs/biometrics.md: images of 100 sizes, with and without a
// face.
//
//	PROOFLINE_LONG=1 go test ./face -run TenThousand -v -timeout 60m
func TestMemoryStaysFlatOverTenThousandImages(t *testing.T) {
	if os.Getenv("PROOFLINE_LONG") == "" {
		t.Skip("takes half an hour: set PROOFLINE_LONG")
	}
	const images, warm = 10_000, 500
	e, whole := engine(t, "", Options{Workers: 1}), sample(t)
	before, faces := 0, 0
	for i := range images {
		if i == warm {
			before = residentKiB(t)
		}
		if i%1000 == 0 {
			t.Logf("%d images: resident %d KiB", i, residentKiB(t))
		}
		w := whole.Cols() - 3*(i%100)
		m := whole.Region(image.Rect(whole.Cols()-w, 0, whole.Cols(), whole.Rows()-i%50))
		if i%20 == 19 { // no face
			m.Close()
			m = gocv.NewMatWithSize(100+i%77, 120, gocv.MatTypeCV8UC3)
		}
		d, err := e.DescribeSelfie(m)
		m.Close()
		if err != nil {
			t.Fatal(err)
		}
		if d.Embedding != nil {
			faces++
		}
	}
	after := residentKiB(t)
	t.Logf("%d faces described; resident %d KiB after %d images, %d KiB after %d", faces, before, warm, after, images)
	if after > before+8<<10 || faces < images/2 {
		t.Errorf("%d KiB more", after-before)
	}
}
