package photo

import (
	"bytes"
	"encoding/binary"
)

// maxScans bounds the scans of a progressive JPEG: each costs a pass over all
// coefficients, and cameras write about ten (libjpeg-turbo's advice on
// "progressive bombs" is to limit them).
const maxScans = 64

// readJPEGHeader walks the marker segments of ITU-T T.81 annex B from SOI to
// EOI. A file that ends before EOI is truncated: decoders fill the missing rows
// with grey and report success, so it has to be noticed here.
func readJPEGHeader(b []byte) (*header, *Error) {
	h := &header{format: "jpeg", orientation: 1, payload: b}
	truncated := func(where string) (*header, *Error) {
		return nil, refuse(CodeTruncated, "the JPEG ends %s", where)
	}
	pos := 2
	for {
		if pos+1 >= len(b) {
			return truncated("between segments")
		}
		if b[pos] != 0xff {
			return nil, refuse(CodeCorrupt, "the JPEG has no marker where one is due")
		}
		for pos < len(b) && b[pos] == 0xff { // fill bytes
			pos++
		}
		if pos >= len(b) {
			return truncated("between segments")
		}
		marker := b[pos]
		pos++
		switch {
		case marker == 0xd9: // EOI
			if h.scans == 0 {
				return nil, refuse(CodeCorrupt, "the JPEG holds no picture data")
			}
			if pos < len(b) {
				h.note(NoteTrailing) // thumbnails, motion photos: harmless, not decoded
			}
			return h, nil
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd8:
			continue // stand-alone markers
		}
		if pos+2 > len(b) {
			return truncated("inside a segment")
		}
		n := int(binary.BigEndian.Uint16(b[pos:]))
		if n < 2 {
			return nil, refuse(CodeCorrupt, "a JPEG segment declares an impossible length")
		}
		if pos+n > len(b) {
			return truncated("inside a segment")
		}
		body := b[pos+2 : pos+n]
		pos += n
		switch marker {
		case 0xe1:
			if bytes.HasPrefix(body, []byte("Exif\x00\x00")) {
				h.orientation = exifOrientation(body[6:])
			}
		case 0xc0, 0xc1, 0xc2:
			if err := h.frame(marker, body); err != nil {
				return nil, err
			}
		case 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf:
			return nil, refuse(CodeUnsupportedFormat, "lossless, hierarchical and arithmetic-coded JPEG are not accepted")
		case 0xda: // SOS: entropy-coded data follows
			if h.width == 0 {
				return nil, refuse(CodeCorrupt, "the JPEG has picture data before its frame header")
			}
			// T.81 B.2.3: the first byte counts the components of the scan. libjpeg
			// keeps the coefficients of a picture whose scans do not hold all.
			if len(body) < 1 || int(body[0]) < h.channels {
				h.buffered = true
			}
			if h.scans++; h.scans > maxScans {
				return nil, refuse(CodeTooManyPixels, "the JPEG has more than %d scans", maxScans)
			}
			if pos = entropyEnd(b, pos); pos < 0 {
				return truncated("inside the picture data")
			}
		}
	}
}

// frame reads a frame header (T.81 B.2.2).
func (h *header) frame(marker byte, s []byte) *Error {
	if h.width != 0 {
		return refuse(CodeCorrupt, "the JPEG has two frame headers")
	}
	if len(s) < 6 || len(s) < 6+3*int(s[5]) {
		return refuse(CodeCorrupt, "the JPEG frame header is too short")
	}
	h.bits, h.height, h.width, h.channels = int(s[0]), int(binary.BigEndian.Uint16(s[1:])), int(binary.BigEndian.Uint16(s[3:])), int(s[5])
	if h.bits != 8 {
		return refuse(CodeUnsupportedFormat, "a JPEG of %d bits per sample is not accepted", h.bits)
	}
	if h.width == 0 || h.height == 0 {
		return refuse(CodeCorrupt, "the JPEG header declares %d × %d pixels", h.width, h.height)
	}
	h.buffered = marker == 0xc2
	var most, sum int64
	for i := 0; i < h.channels; i++ {
		hv := int64(s[6+3*i+1]>>4) * int64(s[6+3*i+1]&15)
		sum += hv
		if hv > most {
			most = hv
		}
	}
	if most == 0 {
		return refuse(CodeCorrupt, "the JPEG declares a sampling factor of zero")
	}
	h.blocks = 64 * sum / most
	switch h.channels {
	case 1:
		h.note(NoteGrey)
	case 3:
	case 4:
		h.note(NoteCMYK)
	default:
		return refuse(CodeUnsupportedFormat, "a JPEG of %d colour components is not accepted", h.channels)
	}
	return nil
}

// entropyEnd returns the position of the marker that ends the entropy-coded
// segment starting at pos, or -1. Inside, 0xff is followed by a zero byte or
// belongs to a restart marker.
func entropyEnd(b []byte, pos int) int {
	for {
		i := bytes.IndexByte(b[pos:], 0xff)
		if i < 0 || pos+i+1 >= len(b) {
			return -1
		}
		pos += i
		switch c := b[pos+1]; {
		case c == 0 || c >= 0xd0 && c <= 0xd7:
			pos += 2
		case c == 0xff:
			pos++
		default:
			return pos
		}
	}
}
