package photo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"image/png"
	"io"
	"math"
	"runtime/debug"

	"gocv.io/x/gocv"
	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
	"golang.org/x/sync/semaphore"
)

// decodeBudget is the memory, in bytes, that all decodes running in the
// process may hold together. A decode that alone would need more is refused;
// the others wait their turn. It is what keeps a worker's resident size bounded
// when several large photos arrive at once.
const decodeBudget = 320 << 20

var decoding = semaphore.NewWeighted(decodeBudget)

// Decode turns a file's bytes into an upright 8-bit BGR photo, or says in an
// *Error why that can not be done within l.
func Decode(b []byte, l Limits) (*Image, error) {
	l = l.orDefault()
	if int64(len(b)) > l.MaxBytes {
		return nil, refuse(CodeTooManyBytes, "%d bytes, %d are allowed", len(b), l.MaxBytes)
	}
	h, refused := readHeader(b)
	if refused != nil {
		return nil, refused
	}
	if max(h.width, h.height) > l.MaxSide || h.width*h.height > l.MaxPixels {
		return nil, refuse(CodeTooManyPixels, "%d × %d pixels, at most %d and %d on a side are allowed",
			h.width, h.height, l.MaxPixels, l.MaxSide)
	}
	// Coded pictures are whole blocks, and grids are larger than what they show.
	if most := l.MaxPixels + l.MaxPixels/8; h.coded > most || h.work > 2*most {
		return nil, refuse(CodeTooManyPixels, "the %s holds a picture of %d pixels in tiles of %d together, at most %d are allowed", h.format, h.coded, h.work, l.MaxPixels)
	}
	reduce := 1
	for h.pixels(reduce) > l.WorkPixels {
		reduce = h.coarser(reduce)
		if reduce > 8 && h.format == "jpeg" || reduce > l.MaxSide {
			return nil, refuse(CodeTooManyPixels, "%d × %d pixels can not be reduced enough", h.width, h.height)
		}
	}
	for k := h.coarser(reduce); l.Enough > 0 && h.pixels(k) >= l.Enough && (k <= 8 || h.format != "jpeg"); k = h.coarser(k) {
		reduce = k
	}
	cost := h.memory(reduce)
	if cost > decodeBudget {
		return nil, refuse(CodeTooManyPixels, "%d × %d pixels of this kind of %s need too much memory", h.width, h.height, h.format)
	}
	if err := decoding.Acquire(context.Background(), cost); err != nil {
		return nil, err // the context is never cancelled
	}
	defer decoding.Release(cost)

	if e := taker(h.format); e != nil {
		i, err := e.Decode(b, l)
		if err != nil {
			return nil, err
		}
		i.SHA256 = digest(b)
		return i, nil
	}
	m, refused := h.decode(reduce)
	if refused != nil {
		return nil, refused
	}
	if err := turn(&m, h.orientation); err != nil {
		m.Close()
		return nil, fmt.Errorf("turn the photo upright: %w", err)
	}
	if reduce > 1 {
		h.note(NoteReduced)
	}
	return &Image{
		Mat: m, Format: h.format, SourceWidth: h.width, SourceHeight: h.height,
		Scale: 1 / float64(reduce), Orientation: h.orientation, Notes: h.notes,
		SHA256: digest(b),
	}, nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func reduced(side, by int) int { return (side + by - 1) / by }

// pixels that are left of the photo after a reduction.
func (h *header) pixels(reduce int) int {
	return reduced(h.width, reduce) * reduced(h.height, reduce)
}

// coarser is the next reduction: libjpeg scales by powers of two while decoding.
func (h *header) coarser(reduce int) int {
	if h.format == "jpeg" {
		return 2 * reduce
	}
	return reduce + 1
}

// memory estimates what a decode holds at its peak: the decoder's own buffers,
// the pixels handed out and the copy that turning them upright makes.
func (h *header) memory(reduce int) int64 {
	px := int64(h.width) * int64(h.height)
	out := 6 * px / int64(reduce*reduce)
	switch {
	case h.format == "jpeg" && h.buffered: // coefficients of 16 bit
		return out + px*h.blocks/64*2
	case h.format == "jpeg":
		return out
	case h.format == "heic", h.format == "avif": // planes, their turned copy, RGB
		return out/2 + max(px, int64(h.coded))*6
	case h.bits == 16:
		return out + px*8
	}
	return out + px*4
}

// decode runs the format's decoder. JPEG, the format of nearly every capture,
// goes through OpenCV's libjpeg-turbo, which scales while decoding; the rest
// goes through Go's memory-safe decoders, HEIC and AVIF through libheif.
func (h *header) decode(reduce int) (gocv.Mat, *Error) {
	var src image.Image
	var err error
	switch h.format {
	case "jpeg":
		return h.decodeJPEG(reduce)
	case "heic", "avif":
		return h.decodeHEIF(reduce)
	case "png":
		src, err = png.Decode(bytes.NewReader(h.payload))
	case "webp":
		src, err = webp.Decode(bytes.NewReader(h.payload))
	case "gif":
		src, err = gif.Decode(bytes.NewReader(h.payload))
	case "bmp":
		src, err = bmp.Decode(bytes.NewReader(h.payload))
	}
	if px := h.width * h.height; px > 16<<20 {
		// The heap the decoder used is handed back at once: it would stay
		// resident until the next collections otherwise.
		defer debug.FreeOSMemory()
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return gocv.Mat{}, refuse(CodeTruncated, "the %s ends inside its picture data", h.format)
	case err != nil && h.format == "bmp":
		return gocv.Mat{}, refuse(CodeUnsupportedFormat, "this kind of BMP is not accepted: send JPEG, PNG, WebP or HEIC")
	case err != nil:
		return gocv.Mat{}, refuse(CodeCorrupt, "the %s can not be decoded", h.format)
	case src.Bounds().Dx() > h.width || src.Bounds().Dy() > h.height:
		return gocv.Mat{}, refuse(CodeCorrupt, "the %s contradicts its header", h.format)
	}
	return flatten(src, reduce)
}

var jpegFlags = map[int]gocv.IMReadFlag{
	1: gocv.IMReadColor, 2: gocv.IMReadReducedColor2, 4: gocv.IMReadReducedColor4, 8: gocv.IMReadReducedColor8,
}

func (h *header) decodeJPEG(reduce int) (gocv.Mat, *Error) {
	// Orientation is applied in one place, by turn. The error is not looked at:
	// gocv keeps the last exception of any thread there, the Mat is what tells.
	m, _ := gocv.IMDecode(h.payload, jpegFlags[reduce]|gocv.IMReadIgnoreOrientation)
	if m.Empty() {
		m.Close()
		return gocv.Mat{}, refuse(CodeCorrupt, "the JPEG can not be decoded")
	}
	if m.Cols() != reduced(h.width, reduce) || m.Rows() != reduced(h.height, reduce) || m.Type() != gocv.MatTypeCV8UC3 {
		m.Close()
		return gocv.Mat{}, refuse(CodeCorrupt, "the JPEG contradicts its header")
	}
	return m, nil
}

// flatten paints src on white and averages blocks of reduce × reduce pixels
// into BGR, strip by strip.
func flatten(src image.Image, reduce int) (gocv.Mat, *Error) {
	b := src.Bounds()
	w, h := reduced(b.Dx(), reduce), reduced(b.Dy(), reduce)
	m := gocv.NewMatWithSize(h, w, gocv.MatTypeCV8UC3)
	out, err := m.DataPtrUint8()
	if err != nil {
		m.Close()
		return gocv.Mat{}, refuse(CodeCorrupt, "no memory for the picture")
	}
	strip := image.NewRGBA(image.Rect(0, 0, b.Dx(), reduce))
	for y := 0; y < h; y++ {
		rows := min(reduce, b.Dy()-y*reduce)
		for i := range strip.Pix {
			strip.Pix[i] = 0xff
		}
		draw.Draw(strip, image.Rect(0, 0, b.Dx(), rows), src, image.Pt(b.Min.X, b.Min.Y+y*reduce), draw.Over)
		o := out[y*w*3 : (y+1)*w*3]
		if reduce == 1 {
			for x, p := 0, strip.Pix; x < w; x++ {
				o[3*x], o[3*x+1], o[3*x+2] = p[4*x+2], p[4*x+1], p[4*x]
			}
			continue
		}
		for x := 0; x < w; x++ {
			var sr, sg, sb, n uint32
			for j := 0; j < rows; j++ {
				for i := x * reduce; i < min((x+1)*reduce, b.Dx()); i++ {
					p := strip.Pix[j*strip.Stride+4*i:]
					sr, sg, sb, n = sr+uint32(p[0]), sg+uint32(p[1]), sb+uint32(p[2]), n+1
				}
			}
			o[3*x], o[3*x+1], o[3*x+2] = uint8((sb+n/2)/n), uint8((sg+n/2)/n), uint8((sr+n/2)/n)
		}
	}
	return m, nil
}

// turn applies an EXIF orientation (EXIF 2.32, tag 0x0112) in place.
func turn(m *gocv.Mat, orientation int) error {
	if orientation <= 1 {
		return nil
	}
	out := gocv.NewMat()
	var err error
	switch orientation {
	case 2:
		err = gocv.Flip(*m, &out, 1)
	case 3:
		err = gocv.Rotate(*m, &out, gocv.Rotate180Clockwise)
	case 4:
		err = gocv.Flip(*m, &out, 0)
	case 5:
		err = gocv.Transpose(*m, &out)
	case 6:
		err = gocv.Rotate(*m, &out, gocv.Rotate90Clockwise)
	case 7: // transposed along the other diagonal: both axes mirrored first
		if err = gocv.Flip(*m, m, -1); err == nil {
			err = gocv.Transpose(*m, &out)
		}
	case 8:
		err = gocv.Rotate(*m, &out, gocv.Rotate90CounterClockwise)
	}
	if err != nil {
		out.Close()
		return err
	}
	m.Close()
	*m = out
	return nil
}

// Encode writes m as a JPEG of the given quality, 1 to 100.
func Encode(m gocv.Mat, quality int) ([]byte, error) {
	if m.Empty() {
		return nil, errors.New("encode photo: no pixels")
	}
	q := int(math.Max(1, math.Min(100, float64(quality))))
	buf, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, m, []int{gocv.IMWriteJpegQuality, q})
	if err != nil {
		return nil, err
	}
	defer buf.Close()
	return bytes.Clone(buf.GetBytes()), nil
}
