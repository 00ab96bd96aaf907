package photo

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

func u16(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func u32(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }

func joined(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// gridFile is a HEIC whose primary item is a grid that declares w × h pixels,
// put together from refs times one tile, while its ispe property claims little.
func gridFile(w, h, refs int, tile []byte) []byte {
	full := func(kind string, version byte, p ...[]byte) []byte {
		return box(kind, append([]byte{version, 0, 0, 0}, joined(p...)...))
	}
	grid := joined([]byte{0, 1, 0, 0}, u32(w), u32(h))
	dimg := joined(u16(1), u16(refs), bytes.Repeat(u16(2), refs))
	meta := full("meta", 0,
		full("pitm", 0, u16(1)),
		full("iinf", 0, u16(2),
			full("infe", 2, u16(1), u16(0), []byte("grid\x00")),
			full("infe", 2, u16(2), u16(0), []byte("hvc1\x00"))),
		full("iloc", 1, []byte{0x44, 0x00}, u16(1),
			joined(u16(1), u16(1), u16(0), u16(1), u32(0), u32(len(grid)))),
		full("iref", 0, box("dimg", dimg)),
		box("iprp", joined(
			box("ipco", joined(full("ispe", 0, u32(16000), u32(64)), box("hvcC", tile))),
			full("ipma", 0, u32(2), u16(1), []byte{1, 1}, u16(2), []byte{1, 2}))),
		box("idat", grid))
	return append([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), meta...)
}

// hvcCOf is the decoder configuration of a file.
func hvcCOf(t testing.TB, file string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b, []byte("hvcC"))
	return b[i+4 : i-4+int(binary.BigEndian.Uint32(b[i-4:]))]
}

func TestAGridIsBoundedByWhatItDeclaresItself(t *testing.T) {
	tile := hvcCOf(t, "corners.heic")
	wantCode(t, gridFile(16000, 16000, 1, tile), Limits{}, CodeTooManyPixels)
	if _, err := readHeader(gridFile(4000, 3000, 1, tile)); err != nil {
		t.Errorf("an ordinary grid: %v", err)
	}
	// One tile of 64 × 64 that is used sixty thousand times is 245 megapixels of work.
	wantCode(t, gridFile(4000, 3000, 60000, tile), Limits{}, CodeTooManyPixels)
	cut := gridFile(4000, 3000, 1, tile)
	wantCode(t, cut[:len(cut)-4], Limits{}, CodeTruncated)
}

func TestACodedStreamIsBoundedByItsOwnHeaders(t *testing.T) {
	for file, want := range map[string]uint64{"corners.heic": 64 * 64, "corners.avif": 64 * 48} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		h, refused := readHeader(b)
		if refused != nil {
			t.Fatal(refused)
		}
		if uint64(h.coded) < want/2 || h.coded > 64*64 {
			t.Errorf("%s: %d coded pixels", file, h.coded)
		}
	}
	sps := hevcPixels(bitsOf(t,
		"0100001000000001",                           // the header of NAL unit 33
		"0000"+"000"+"1", zeros(88), "00000000", "1", // one layer, set 0
		golomb(1), golomb(16384), golomb(16000), "1111")) // 4:2:0
	if sps != 16384*16000 {
		t.Errorf("16384 × 16000 has %d pixels", sps)
	}
	if hevcPixels([]byte{66, 1, 1}) != 0 || hevcPixels([]byte{66, 1, 1, 96}) != 1<<63 {
		t.Error("a cut off parameter set passes")
	}
}

func zeros(n int) string { return string(bytes.Repeat([]byte("0"), n)) }

// golomb is the exponential Golomb code of v.
func golomb(v int) string {
	b := strconv.FormatInt(int64(v)+1, 2)
	return zeros(len(b)-1) + b
}

func bitsOf(t *testing.T, parts ...string) []byte {
	t.Helper()
	var out []byte
	n := 0
	for _, p := range parts {
		for _, c := range p {
			if n%8 == 0 {
				out = append(out, 0)
			}
			if c == '1' {
				out[n/8] |= 1 << (7 - n%8)
			}
			n++
		}
	}
	// Emulation prevention, as an encoder writes it.
	var esc []byte
	for i, b := range out {
		if k := len(esc); i > 2 && k >= 2 && esc[k-1] == 0 && esc[k-2] == 0 && b <= 3 {
			esc = append(esc, 3)
		}
		esc = append(esc, b)
	}
	return esc
}

func TestPhotosOfAnEncoderAreNotMistakenForBombs(t *testing.T) {
	enc, err := exec.LookPath("heif-enc")
	if err != nil || testing.Short() {
		t.Skip("needs heif-enc")
	}
	dir := t.TempDir()
	src := filepath.Join(dir, "a.jpg")
	if err := os.WriteFile(src, asJPEG(t, corners(1200, 900)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, o := range [][]string{{"a.heic"}, {"a.avif", "-A"}} {
		dst := filepath.Join(dir, o[0])
		if out, err := exec.Command(enc, append([]string{"-q", "60", "-o", dst, src}, o[1:]...)...).CombinedOutput(); err != nil {
			t.Logf("%s: %v %s", o[0], err, out)
			continue
		}
		b, err := os.ReadFile(dst)
		if err != nil {
			t.Fatal(err)
		}
		h, refused := readHeader(b)
		if refused != nil {
			t.Fatal(refused)
		}
		if h.coded < 1200*900 || h.coded > 1280*960*2 {
			t.Errorf("%s: %d coded pixels", o[0], h.coded)
		}
	}
}
