package photo

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// header is what a file says about itself before any pixel is decoded.
type header struct {
	format        string
	width, height int
	bits          int // per channel
	channels      int
	orientation   int // EXIF 1-8; 1 when absent
	notes         []string
	scans         int   // JPEG
	buffered      bool  // JPEG: the decoder keeps all coefficients until the last scan
	blocks        int64 // JPEG: coefficients per pixel × 64, for the memory estimate
	coded         int   // HEIF: the largest number of pixels that any part of the file declares
	work          int   // HEIF: the pixels of all tiles that are decoded
	payload       []byte
}

// note adds n once, however often the file gives cause.
func (h *header) note(n string) {
	if !slices.Contains(h.notes, n) {
		h.notes = append(h.notes, n)
	}
}

// maxDeclared is the largest side any of the formats may declare before the
// arithmetic on it is trusted.
const maxDeclared = 1 << 24

// readHeader sniffs b and reads its header. It only walks b: no allocation
// depends on what the file declares.
func readHeader(b []byte) (*header, *Error) {
	if len(b) < 12 {
		return nil, refuse(CodeNotAnImage, "%d bytes are too few for a photo", len(b))
	}
	var h *header
	var err *Error
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		h, err = readJPEGHeader(b)
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		h, err = readPNGHeader(b)
	case bytes.HasPrefix(b, []byte("RIFF")) && string(b[8:12]) == "WEBP":
		h, err = readWebPHeader(b)
	case bytes.HasPrefix(b, []byte("GIF87a")), bytes.HasPrefix(b, []byte("GIF89a")):
		h, err = readGIFHeader(b)
	case bytes.HasPrefix(b, []byte("BM")) && len(b) >= 26:
		h, err = readBMPHeader(b)
	case string(b[4:8]) == "ftyp":
		h, err = readBMFFHeader(b)
	case bytes.HasPrefix(b, []byte("II*\x00")), bytes.HasPrefix(b, []byte("MM\x00*")):
		return nil, refuse(CodeUnsupportedFormat, "TIFF is not accepted: send JPEG, PNG, WebP or HEIC")
	case bytes.HasPrefix(b, []byte("%PDF")):
		return nil, refuse(CodeUnsupportedFormat, "PDF is not accepted: send a photo as JPEG, PNG, WebP or HEIC")
	case bytes.HasPrefix(b, []byte("\xff\x0a")), bytes.HasPrefix(b, []byte("\x00\x00\x00\x0cJXL ")):
		return nil, refuse(CodeUnsupportedFormat, "JPEG XL is not accepted: send JPEG, PNG, WebP or HEIC")
	default:
		return nil, refuse(CodeNotAnImage, "the first bytes are those of no known photo format")
	}
	if err != nil {
		return nil, err
	}
	if h.width <= 0 || h.height <= 0 {
		return nil, refuse(CodeCorrupt, "%s header declares %d × %d pixels", h.format, h.width, h.height)
	}
	if h.width > maxDeclared || h.height > maxDeclared {
		return nil, refuse(CodeTooManyPixels, "%s header declares %d × %d pixels", h.format, h.width, h.height)
	}
	if h.orientation < 1 || h.orientation > 8 {
		h.orientation = 1
	}
	return h, nil
}

// readGIFHeader reads the logical screen (GIF89a specification, section 18)
// and counts image descriptors up to the second.
func readGIFHeader(b []byte) (*header, *Error) {
	h := &header{format: "gif", bits: 8, channels: 4, orientation: 1, payload: b}
	h.width = int(binary.LittleEndian.Uint16(b[6:]))
	h.height = int(binary.LittleEndian.Uint16(b[8:]))
	frames, whole := countGIFFrames(b, 2)
	if frames > 1 {
		h.note(NoteAnimated)
	}
	if frames == 0 || (frames == 1 && !whole) {
		return nil, refuse(CodeTruncated, "the GIF ends before its first picture does")
	}
	return h, nil
}

// countGIFFrames walks the blocks of a GIF until limit frames were seen. whole
// tells whether the last counted frame's data was complete.
func countGIFFrames(b []byte, limit int) (frames int, whole bool) {
	if len(b) < 13 {
		return 0, false
	}
	pos := 13
	if b[10]&0x80 != 0 {
		pos += 3 << (b[10]&7 + 1)
	}
	subBlocks := func() bool {
		for pos < len(b) {
			n := int(b[pos])
			pos += 1 + n
			if n == 0 {
				return true
			}
		}
		return false
	}
	for pos < len(b) && frames < limit {
		switch b[pos] {
		case 0x21: // extension: label, then sub-blocks
			pos += 2
			if !subBlocks() {
				return frames, whole
			}
		case 0x2c:
			frames, whole = frames+1, false
			if pos+10 > len(b) {
				return frames, whole
			}
			flags := b[pos+9]
			pos += 10
			if flags&0x80 != 0 {
				pos += 3 << (flags&7 + 1)
			}
			pos++ // LZW minimum code size
			if whole = subBlocks(); !whole {
				return frames, whole
			}
		default: // the trailer, or rubbish
			return frames, whole
		}
	}
	return frames, whole
}

// readBMPHeader reads BITMAPCOREHEADER or BITMAPINFOHEADER.
func readBMPHeader(b []byte) (*header, *Error) {
	h := &header{format: "bmp", bits: 8, channels: 3, orientation: 1, payload: b}
	switch size := binary.LittleEndian.Uint32(b[14:]); {
	case size == 12:
		h.width = int(binary.LittleEndian.Uint16(b[18:]))
		h.height = int(binary.LittleEndian.Uint16(b[20:]))
	case size >= 40 && len(b) >= 54:
		h.width = int(int32(binary.LittleEndian.Uint32(b[18:])))
		h.height = int(int32(binary.LittleEndian.Uint32(b[22:])))
		if h.height < 0 { // stored top-down
			h.height = -h.height
		}
	default:
		return nil, refuse(CodeNotAnImage, "the BMP header has an unknown length")
	}
	return h, nil
}
