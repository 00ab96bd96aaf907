package isolate

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"
	"time"

	"gocv.io/x/gocv"
	"golang.org/x/sys/unix"

	"github.com/proofline/proofline/photo"
)

// withOrientation puts an EXIF block (EXIF 2.32, 4.6.2) behind a JPEG's first
// marker.
func withOrientation(jpg []byte, o byte) []byte {
	tiff := "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00" + string(o) + "\x00\x00\x00\x00\x00\x00"
	body := "Exif\x00\x00" + tiff
	return bytes.Join([][]byte{jpg[:2], {0xff, 0xe1, 0, byte(len(body) + 2)}, []byte(body), jpg[2:]}, nil)
}

// files are one photo of every format and orientation, and some that are none.
func files(t testing.TB) map[string][]byte {
	all := map[string][]byte{
		"empty": {}, "text": []byte("hello, this is a text file"),
		"png":  encode(t, gocv.PNGFileExt, picture(120, 90)),
		"webp": encode(t, ".webp", picture(120, 90)),
		"bmp":  encode(t, ".bmp", picture(120, 90)),
		"jpeg": encode(t, gocv.JPEGFileExt, picture(1600, 1200)),
	}
	for o := byte(1); o <= 8; o++ {
		all[fmt.Sprintf("jpeg turned %d", o)] = withOrientation(encode(t, gocv.JPEGFileExt, picture(120, 90)), o)
	}
	all["jpeg cut"] = all["jpeg"][:len(all["jpeg"])/2]
	spoilt := bytes.Clone(all["png"])
	spoilt[len(spoilt)/2] ^= 0xff
	all["png spoilt"] = spoilt
	var g bytes.Buffer
	p := image.NewPaletted(image.Rect(0, 0, 60, 40), palette.Plan9)
	draw.Draw(p, image.Rect(0, 0, 20, 20), image.White, image.Point{}, draw.Src)
	if err := gif.Encode(&g, p, nil); err != nil {
		t.Fatal(err)
	}
	all["gif"] = g.Bytes()
	for _, name := range []string{"heic", "avif"} {
		b, err := os.ReadFile("../testdata/corners." + name)
		if err != nil {
			t.Fatal(err)
		}
		all[name], all[name+" cut"] = b, b[:len(b)-20]
		spoilt := bytes.Clone(b)
		spoilt[len(b)-30] ^= 0xff
		all[name+" spoilt"] = spoilt
	}
	return all
}

// same decodes b here and apart and compares everything.
func same(t *testing.T, p *Pool, name string, b []byte, l photo.Limits) {
	t.Helper()
	photo.DecodeBy(nil)
	here, errHere := photo.Decode(b, l)
	photo.DecodeBy(p)
	apart, errApart := photo.Decode(b, l)
	photo.DecodeBy(nil)
	defer here.Close()
	defer apart.Close()
	if errHere != nil || errApart != nil {
		var a, c *photo.Error
		if !errors.As(errHere, &a) || !errors.As(errApart, &c) || *a != *c {
			t.Errorf("%s: here %v, apart %v", name, errHere, errApart)
		}
		return
	}
	if !bytes.Equal(here.Mat.ToBytes(), apart.Mat.ToBytes()) || here.Mat.Cols() != apart.Mat.Cols() {
		t.Errorf("%s: other pixels", name)
	}
	x, y := *here, *apart
	x.Mat, y.Mat = gocv.Mat{}, gocv.Mat{}
	if !reflect.DeepEqual(x, y) {
		t.Errorf("%s: here %+v, apart %+v", name, x, y)
	}
}

func TestAPhotoDecodedApartIsTheSameInEveryFormatAndOrientation(t *testing.T) {
	p := open(t, Options{})
	for name, b := range files(t) {
		same(t, p, name, b, photo.Limits{})
		same(t, p, name+", reduced", b, photo.Limits{WorkPixels: 3000})
	}
	if n := p.Replaced(); n != 0 {
		t.Errorf("%d children died", n)
	}
}

func TestOnlyHEIFIsDecodedApartWhereThatIsTheScope(t *testing.T) {
	p := open(t, Options{Scope: HEIF, Processes: 1})
	for format, want := range map[string]bool{"heic": true, "avif": true, "jpeg": false, "png": false} {
		if p.Takes(format) != want {
			t.Errorf("%s: %v", format, !want)
		}
	}
}

// The files that fuzzing of the header found and kept go through a child as
// well, past the checks that would stop them here.
func TestTheFuzzCorpusEndsNoServer(t *testing.T) {
	p := open(t, Options{Processes: 1})
	n := 0
	feed := func(b []byte) {
		n++
		i, err := p.Decode(b, limits)
		i.Close()
		var bad *photo.Error
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("file %d: %v", n, err)
		}
	}
	for _, b := range files(t) {
		feed(b)
		// Bytes of the beginning wrong, one at a time, where formats keep their sizes.
		for at := 0; at < min(len(b), 400); at += 20 {
			c := bytes.Clone(b)
			c[at] ^= 0x55
			feed(c)
		}
	}
	found, _ := filepath.Glob("../testdata/fuzz/*/*")
	for _, f := range found {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := corpusBytes(string(text)); ok {
			feed(b)
		}
	}
	t.Logf("%d files, %d of them from the corpus, %d children replaced", n, len(found), p.Replaced())
	works(t, p)
}

// corpusBytes reads a file of `go test fuzz v1` with one []byte in it.
func corpusBytes(text string) ([]byte, bool) {
	var quoted string
	if _, err := fmt.Sscanf(text, "go test fuzz v1\n[]byte(%q)", &quoted); err != nil {
		return nil, false
	}
	return []byte(quoted), true
}

// BenchmarkDecode reports what holds on a busy machine as well: the fastest
// photo, and the processor time of parent and child together.
func BenchmarkDecode(b *testing.B) {
	for _, size := range []struct {
		name string
		w, h int
	}{{"2MP", 1632, 1224}, {"12MP", 4000, 3000}} {
		jpg := encode(b, gocv.JPEGFileExt, picture(size.w, size.h))
		for _, where := range []string{"here", "apart"} {
			b.Run(size.name+"/"+where, func(b *testing.B) {
				pid := 0
				if where == "apart" {
					p := open(b, Options{Processes: 1, Uses: 1 << 30})
					c := <-p.slots
					pid = c.cmd.Process.Pid
					p.slots <- c
					photo.DecodeBy(p)
					defer photo.DecodeBy(nil)
				}
				fastest, before := time.Hour, processorTime(b, pid)
				for b.Loop() {
					start := time.Now()
					i, err := photo.Decode(jpg, photo.Limits{})
					if err != nil {
						b.Fatal(err)
					}
					i.Close()
					fastest = min(fastest, time.Since(start))
				}
				b.ReportMetric(float64(fastest.Microseconds())/1000, "min-ms")
				b.ReportMetric(float64((processorTime(b, pid)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// processorTime is that of this process and, when pid is not 0, of its child.
func processorTime(b *testing.B, pid int) time.Duration {
	var own unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &own); err != nil {
		b.Fatal(err)
	}
	t := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	if pid != 0 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')'):]) // proc(5): utime is field 14, after the name's bracket 12
		for _, ticks := range f[12:14] {
			n, err := strconv.Atoi(string(ticks))
			if err != nil {
				b.Fatal(err)
			}
			t += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return t
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		c, err := start(Options{}.orDefault())
		if err != nil {
			b.Fatal(err)
		}
		c.end()
	}
}
