package reader

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/ocr"
	"gocv.io/x/gocv"
)

// The comparison of docs/mrz.md: our recogniser and Tesseract with OCR-B data
// (PROOFLINE_OCRB_TESSDATA names its directory) on the same cropped lines.
func TestLineCropsAreReadBetterThanByTesseract(t *testing.T) {
	root := dataRoot(t)
	tessdata := os.Getenv("PROOFLINE_OCRB_TESSDATA")
	if tessdata == "" {
		t.Skip("PROOFLINE_OCRB_TESSDATA is not set")
	}
	pool, err := ocr.NewPool(ocr.PoolOptions{Tessdata: tessdata, Language: "ocrb_int"})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	r := openReader(t, 1)
	f, err := os.Open(filepath.Join(root, "mrz", "lines.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var n, ours, theirs int
	var ourTime, theirTime time.Duration
	for s := bufio.NewScanner(f); s.Scan(); {
		var row struct{ File, Text string }
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		m := gocv.IMRead(filepath.Join(root, row.File), gocv.IMReadGrayScale)
		n++
		start := processorTime(t)
		got, err := readCrop(r, m, len(row.Text))
		if err != nil {
			t.Fatal(err)
		}
		ourTime += processorTime(t) - start
		if got == row.Text {
			ours++
		}
		start = processorTime(t)
		page, err := pool.Read(t.Context(), m, ocr.Request{PSM: 7, Whitelist: alphabet})
		if err != nil {
			t.Fatal(err)
		}
		theirTime += processorTime(t) - start
		var b strings.Builder
		for _, w := range page.Words {
			b.WriteString(w.Text)
		}
		if b.String() == row.Text {
			theirs++
		}
		if testing.Verbose() && got != row.Text {
			t.Logf("%s %dx%d\n want %s\n ours %s\n tess %s", filepath.Base(row.File), m.Cols(), m.Rows(), row.Text, got, b.String())
		}
		m.Close()
	}
	t.Logf("%d lines: ours %d exact, %v each; Tesseract %d exact, %v each", n, ours, ourTime/time.Duration(n), theirs, theirTime/time.Duration(n))
	if ours < theirs {
		t.Error("Tesseract reads more lines")
	}
}

// readCrop reads an image of one line of n characters, without grammar.
func readCrop(r *Reader, m gocv.Mat, n int) (string, error) {
	lv, err := newLevels(m)
	if err != nil {
		return "", err
	}
	defer lv.close()
	net := <-r.free
	defer func() { r.free <- net }()
	w := &worker{net: net, levels: lv}
	l := line{x: float64(m.Cols()) / 2, y: float64(m.Rows()) / 2, ux: 1, length: float64(m.Cols()), height: float64(m.Rows()) * 0.7,
		pitch: float64(m.Cols()) / (float64(n) + 0.5), aspect: 1}
	if l, err = lv.straighten(l); err != nil {
		return "", err
	}
	rd, err := w.read(l)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, c := range cells(rd.cols, fixed(rd.cols, n, 0, rd.cols.n)) {
		k, _ := c.best()
		b.WriteByte(alphabet[k])
	}
	return b.String(), nil
}

func TestACutThatFailsLeavesNothingOpen(t *testing.T) {
	l := &levels{m: []gocv.Mat{gocv.NewMat()}} // no pixels: OpenCV refuses
	defer l.close()
	m, err := l.cut(line{ux: 1, pitch: 16, aspect: 1}, 0, 1, 1, 64, 32)
	if err == nil || !m.Closed() {
		t.Errorf("error %v, picture closed %v", err, m.Closed())
	}
}
