package photo

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"testing"

	"gocv.io/x/gocv"
)

// corners draws a picture whose four corners have four colours: red top left,
// green top right, blue bottom right, white bottom left.
func corners(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := 0; y < h; y++ {
		for x := 0; x < w; x++ {
			c := color.RGBA{255, 0, 0, 255}
			switch {
			case x >= w/2 && y < h/2:
				c = color.RGBA{0, 255, 0, 255}
			case x >= w/2:
				c = color.RGBA{0, 0, 255, 255}
			case y >= h/2:
				c = color.RGBA{255, 255, 255, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func asJPEG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tiff is a TIFF block whose only tag is the orientation.
func tiff(order binary.ByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00\x08\x00\x00\x00")
	if order == binary.ByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*\x00\x00\x00\x08")
	}
	e := make([]byte, 18)
	order.PutUint16(e, 1)
	order.PutUint16(e[2:], 0x0112)
	order.PutUint16(e[4:], 3)
	order.PutUint32(e[6:], 1)
	order.PutUint16(e[10:], orientation)
	return append(b, e...)
}

func withEXIF(jpg []byte, orientation uint16) []byte {
	body := append([]byte("Exif\x00\x00"), tiff(binary.BigEndian, orientation)...)
	seg := []byte{0xff, 0xe1, 0, byte(len(body) + 2)}
	return append(append(append([]byte{}, jpg[:2]...), append(seg, body...)...), jpg[2:]...)
}

func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func mustDecode(t *testing.T, b []byte, l Limits) *Image {
	t.Helper()
	i, err := Decode(b, l)
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	t.Cleanup(i.Close)
	return i
}

func wantCode(t *testing.T, b []byte, l Limits, code string) {
	t.Helper()
	i, err := Decode(b, l)
	i.Close()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
}

// at names the colour near a relative position.
func at(i *Image, fx, fy float64) string {
	v := i.Mat.GetVecbAt(int(fy*float64(i.Mat.Rows())), int(fx*float64(i.Mat.Cols())))
	s := ""
	for c, n := range map[int]string{0: "b", 1: "g", 2: "r"} {
		if v[c] > 128 {
			s += n
		}
	}
	switch {
	case len(s) == 3:
		return "white"
	case len(s) == 0:
		return "black"
	}
	return s
}

func TestEveryOrientationComesOutUpright(t *testing.T) {
	// What the file stores when the scene is red, green / white, blue.
	for o := uint16(1); o <= 8; o++ {
		up := gocv.NewMat()
		src, err := gocv.ImageToMatRGB(corners(64, 32))
		if err != nil {
			t.Fatal(err)
		}
		inverse := map[uint16]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}[o]
		turn(&src, inverse)
		b, err := Encode(src, 95)
		src.Close()
		up.Close()
		if err != nil {
			t.Fatal(err)
		}
		i := mustDecode(t, withEXIF(b, o), Limits{})
		got := [4]string{at(i, .25, .25), at(i, .75, .25), at(i, .75, .75), at(i, .25, .75)}
		if got != [4]string{"r", "g", "b", "white"} || i.Mat.Cols() != 64 || i.Orientation != int(o) {
			t.Errorf("orientation %d: corners %v, %d × %d", o, got, i.Mat.Cols(), i.Mat.Rows())
		}
	}
}

func TestAPNGWithEXIFIsTurnedOnceOnly(t *testing.T) {
	b := asPNG(t, corners(64, 32))
	b = append(append(append([]byte{}, b[:33]...), chunk("eXIf", tiff(binary.LittleEndian, 3))...), b[33:]...)
	i := mustDecode(t, b, Limits{})
	if got := at(i, .25, .25); got != "b" {
		t.Errorf("top left is %s, want the blue of the bottom right", got)
	}
}

func TestAHeaderOfFiftyThousandSquaredIsRefusedUnread(t *testing.T) {
	jpg := asJPEG(t, corners(16, 16))
	at := bytes.Index(jpg, []byte{0xff, 0xc0})
	binary.BigEndian.PutUint16(jpg[at+5:], 50000)
	binary.BigEndian.PutUint16(jpg[at+7:], 50000)
	wantCode(t, jpg, Limits{}, CodeTooManyPixels)

	p := asPNG(t, corners(16, 16))
	binary.BigEndian.PutUint32(p[16:], 50000)
	binary.BigEndian.PutUint32(p[20:], 50000)
	binary.BigEndian.PutUint32(p[29:], crc32.ChecksumIEEE(p[12:29]))
	wantCode(t, p, Limits{}, CodeTooManyPixels)

	heic := append([]byte("\x00\x00\x00\x14ftypheic\x00\x00\x00\x00mif1"), box("meta",
		append(make([]byte, 4), box("iprp", box("ipco", box("ispe", []byte("\x00\x00\x00\x00\x00\x00\xc3\x50\x00\x00\xc3\x50"))))...))...)
	wantCode(t, heic, Limits{}, CodeTooManyPixels)

	webp := []byte("RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x4f\xc3\x00\x4f\xc3\x00")
	webp[4] = byte(len(webp) - 8)
	wantCode(t, webp, Limits{}, CodeTruncated) // no picture follows
	still := []byte{0x2f, 0xff, 0xff, 0xff, 0x0f}
	webp = append(append(webp, "VP8L\x05\x00\x00\x00"...), append(still, 0)...)
	webp[4] = byte(len(webp) - 8)
	wantCode(t, webp, Limits{}, CodeTooManyPixels)

	g := []byte("GIF89a\x50\xc3\x50\xc3\x00\x00\x00,\x00\x00\x00\x00\x50\xc3\x50\xc3\x00\x02\x01\x00\x00;")
	wantCode(t, g, Limits{}, CodeTooManyPixels)
}

func box(kind string, data []byte) []byte {
	return append(append(binary.BigEndian.AppendUint32(nil, uint32(len(data)+8)), kind...), data...)
}

func TestATruncatedFileIsCalledTruncated(t *testing.T) {
	jpg := asJPEG(t, corners(200, 200))
	for _, n := range []int{len(jpg) - 2, len(jpg) - 1, len(jpg) / 2, 30, 14} {
		wantCode(t, jpg[:n], Limits{}, CodeTruncated)
	}
	p := asPNG(t, corners(200, 200))
	wantCode(t, p[:len(p)-4], Limits{}, CodeTruncated)
	wantCode(t, p[:len(p)/2], Limits{}, CodeTruncated)
	var g bytes.Buffer
	pal := image.NewPaletted(image.Rect(0, 0, 50, 50), palette.Plan9)
	if err := gif.Encode(&g, pal, nil); err != nil {
		t.Fatal(err)
	}
	wantCode(t, g.Bytes()[:g.Len()-8], Limits{}, CodeTruncated)
}

func TestWhatIsNoPhotoIsCalledSo(t *testing.T) {
	for _, s := range []string{"", "hello", "hello, this is a text file", "\x00\x00\x00\x14ftypmp42\x00\x00\x00\x00mp42"} {
		wantCode(t, []byte(s), Limits{}, CodeNotAnImage)
	}
	wantCode(t, []byte("%PDF-1.7 and so on"), Limits{}, CodeUnsupportedFormat)
	wantCode(t, []byte("II*\x00 and so on and on"), Limits{}, CodeUnsupportedFormat)
	wantCode(t, make([]byte, 100), Limits{MaxBytes: 99}, CodeTooManyBytes)
}

func TestAPNGThatLiesAboutItsDataIsCorrupt(t *testing.T) {
	p := asPNG(t, corners(64, 64))
	p[60] ^= 0xff // inside IDAT
	wantCode(t, p, Limits{}, CodeCorrupt)
}

func TestCompressedTextInAPNGNeverReachesADecoder(t *testing.T) {
	p := asPNG(t, corners(64, 64))
	bomb := chunk("zTXt", bytes.Repeat([]byte("x"), 1<<16))
	p = append(append(append([]byte{}, p[:33]...), bomb...), p[33:]...)
	h, err := readHeader(p)
	if err != nil || bytes.Contains(h.payload, []byte("zTXt")) {
		t.Fatalf("text kept, or %v", err)
	}
	mustDecode(t, p, Limits{})
}

func TestChangesAreNoted(t *testing.T) {
	grey := image.NewGray(image.Rect(0, 0, 20, 20))
	deep := image.NewRGBA64(image.Rect(0, 0, 20, 20))
	clear := image.NewNRGBA(image.Rect(0, 0, 20, 20)) // transparent everywhere
	two := &gif.GIF{Delay: []int{1, 1}, Image: []*image.Paletted{
		image.NewPaletted(image.Rect(0, 0, 20, 20), palette.Plan9), image.NewPaletted(image.Rect(0, 0, 20, 20), palette.Plan9)}}
	var g bytes.Buffer
	if err := gif.EncodeAll(&g, two); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		b    []byte
		note string
	}{
		"grey":     {asJPEG(t, grey), NoteGrey},
		"deep":     {asPNG(t, deep), NoteSixteen},
		"clear":    {asPNG(t, clear), NoteAlpha},
		"animated": {g.Bytes(), NoteAnimated},
		"trailing": {append(asJPEG(t, grey), "more"...), NoteTrailing},
	} {
		i := mustDecode(t, c.b, Limits{})
		if !i.Noted(c.note) || i.Mat.Type() != gocv.MatTypeCV8UC3 {
			t.Errorf("%s: notes %v, type %v", name, i.Notes, i.Mat.Type())
		}
		if name == "clear" && at(i, .5, .5) != "white" {
			t.Errorf("transparent became %s, want white", at(i, .5, .5))
		}
	}
}

func TestALargePhotoIsReducedWhileDecoding(t *testing.T) {
	for name, b := range map[string][]byte{"jpeg": asJPEG(t, corners(1000, 600)), "png": asPNG(t, corners(1000, 600))} {
		i := mustDecode(t, b, Limits{WorkPixels: 200_000})
		if i.Scale != 0.5 || i.Mat.Cols() != 500 || i.Mat.Rows() != 300 || i.SourceWidth != 1000 || at(i, .25, .25) != "r" {
			t.Errorf("%s: scale %g, %d × %d", name, i.Scale, i.Mat.Cols(), i.Mat.Rows())
		}
	}
	i := mustDecode(t, asJPEG(t, corners(1000, 600)), Limits{WorkPixels: 50_000})
	if i.Scale != 0.25 {
		t.Errorf("scale %g, want the next step of libjpeg, 0.25", i.Scale)
	}
}

func TestHEICAndAVIFAreDecodedWhereTheBuildCan(t *testing.T) {
	for _, name := range []string{"heic", "avif"} {
		b, err := os.ReadFile("testdata/corners." + name)
		if err != nil {
			t.Fatal(err)
		}
		i, err := Decode(b, Limits{})
		var e *Error
		if errors.As(err, &e) && e.Code == CodeUnsupportedFormat {
			t.Logf("%s: %v", name, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if i.Format != name || i.Mat.Cols() != 64 || at(i, .25, .25) != "r" || at(i, .75, .75) != "b" {
			t.Errorf("%s: format %s, %d × %d, top left %s", name, i.Format, i.Mat.Cols(), i.Mat.Rows(), at(i, .25, .25))
		}
		i.Close()
		wantCode(t, b[:len(b)-20], Limits{}, CodeTruncated)
	}
}

func TestEncodeWritesWhatDecodeReads(t *testing.T) {
	i := mustDecode(t, asPNG(t, corners(80, 40)), Limits{})
	b, err := Encode(i.Mat, 90)
	if err != nil {
		t.Fatal(err)
	}
	if j := mustDecode(t, b, Limits{}); at(j, .75, .75) != "b" || len(j.SHA256) != 64 {
		t.Errorf("bottom right is %s", at(j, .75, .75))
	}
	empty := gocv.NewMat()
	defer empty.Close()
	if _, err := Encode(empty, 90); err == nil {
		t.Error("an empty picture was encoded")
	}
}

func FuzzHeader(f *testing.F) {
	f.Add(asJPEG(f, corners(20, 20)))
	f.Add(withEXIF(asJPEG(f, corners(20, 20)), 6))
	f.Add(asPNG(f, corners(20, 20)))
	f.Add([]byte("RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\x4f\xc3\x00\x4f\xc3\x00"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WEBP"))
	f.Add([]byte("GIF89a\x02\x00\x02\x00\x00\x00\x00,\x00\x00\x00\x00\x02\x00\x02\x00\x00\x02\x01\x00\x00;"))
	for _, name := range []string{"heic", "avif"} {
		if b, err := os.ReadFile("testdata/corners." + name); err == nil {
			f.Add(b)
		}
	}
	f.Add(gridFile(4000, 3000, 3, hvcCOf(f, "corners.heic")))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(b)
		if err == nil && (h.width <= 0 || h.height <= 0 || len(h.payload) == 0) {
			t.Fatalf("accepted a header without a picture: %+v", h)
		}
	})
}

func FuzzEXIF(f *testing.F) {
	f.Add(tiff(binary.LittleEndian, 6))
	f.Add(tiff(binary.BigEndian, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := exifOrientation(b); o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
	})
}

func BenchmarkDecodeJPEG12MP(b *testing.B) {
	data := asJPEG(b, corners(4000, 3000))
	for b.Loop() {
		i, err := Decode(data, Limits{})
		if err != nil {
			b.Fatal(err)
		}
		i.Close()
	}
}
