package main

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
)

// pngChunk makes one chunk of a PNG file.
func pngChunk(kind string, data []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	out = append(append(out, kind...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(append([]byte(kind), data...)))
}

// pngOf makes a PNG whose header claims a size, with the given pixel stream.
func pngOf(width, height uint32, pixels []byte) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	head = append(head, 8, 2, 0, 0, 0) // 8-bit RGB
	out := []byte("\x89PNG\r\n\x1a\n")
	out = append(out, pngChunk("IHDR", head)...)
	out = append(out, pngChunk("IDAT", pixels)...)
	return append(out, pngChunk("IEND", nil)...)
}

func deflated(n int) []byte {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = w.Write(make([]byte, n))
	_ = w.Close()
	return b.Bytes()
}

func encoded(t *testing.T, encode func(*bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A bad file is a finding with a reason code and a hint; the command succeeds.
func TestBadFilesAreFindings(t *testing.T) {
	ps := needVision(t)
	good := stageCase(t, ps, specimen.CaseGood, 1).Files
	grey := image.NewGray(image.Rect(0, 0, 640, 480))
	deep := image.NewRGBA64(image.Rect(0, 0, 640, 480))
	for i := range deep.Pix {
		deep.Pix[i] = uint8(i * 31)
	}
	frames := &gif.GIF{}
	for range 3 {
		frames.Image = append(frames.Image, image.NewPaletted(image.Rect(0, 0, 320, 240), color.Palette{color.Black, color.White}))
		frames.Delay = append(frames.Delay, 10)
	}
	for name, tt := range map[string]struct {
		kind string
		file []byte
		want string // one of the codes; "" means only that there is an answer
	}{
		"an empty file":              {"document_front", nil, "capture.not_an_image"},
		"text":                       {"document_front", []byte("hello, I am no image"), "capture.not_an_image"},
		"a truncated JPEG":           {"document_front", good["document_front"][:len(good["document_front"])/2], "capture.image_truncated"},
		"a header of 50000 × 50000":  {"document_front", pngOf(50000, 50000, deflated(1000)), "capture.too_large"},
		"a PNG bomb":                 {"document_front", pngOf(30000, 30000, deflated(64<<20)), "capture.too_large"},
		"a PNG with too few pixels":  {"document_front", pngOf(2000, 2000, deflated(1000)), ""},
		"an animated GIF":            {"document_front", encoded(t, func(b *bytes.Buffer) error { return gif.EncodeAll(b, frames) }), ""},
		"a 16-bit PNG":               {"document_front", encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, deep) }), ""},
		"an all-black grey JPEG":     {"document_front", encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, grey, nil) }), "capture.document_not_found"},
		"one pixel":                  {"document_front", encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 1, 1))) }), ""},
		"an extreme aspect ratio":    {"document_front", encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 9000, 3))) }), ""},
		"HEIC that is none":          {"document_front", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), ""},
		"a selfie as the document":   {"document_front", good["selfie"], "capture.face_instead_of_document"},
		"a selfie without a face":    {"selfie", encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, grey, nil) }), "capture.face_not_found"},
		"a photo turned upside down": {"document_front", withOrientation(good["document_front"], 3), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := program("inspect", "quality", "--json", "--kind", tt.kind, write(t, "file", tt.file))
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v: %s", err, &stderr)
			}
			var a struct {
				Accepted bool     `json:"accepted"`
				Codes    []string `json:"codes"`
				Hint     *struct {
					Text string `json:"text"`
				} `json:"hint"`
			}
			if err := json.Unmarshal(out, &a); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if tt.want != "" && !slices.Contains(a.Codes, tt.want) {
				t.Errorf("codes %v, want %s", a.Codes, tt.want)
			}
			if a.Accepted == (a.Hint != nil && a.Hint.Text != "") {
				t.Errorf("accepted %v with hint %+v", a.Accepted, a.Hint)
			}
			if strings.Contains(stderr.String(), "panic") {
				t.Errorf("%s", &stderr)
			}
		})
	}
}

// withOrientation puts an EXIF orientation into a JPEG.
func withOrientation(b []byte, o byte) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	tiff[19] = o
	app1 := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{}, b[:2]...)
	out = append(out, 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(app1)+2))
	out = append(out, app1...)
	return append(out, b[2:]...)
}
