package photo

import "encoding/binary"

// readWebPHeader walks the RIFF chunks of a WebP (RFC 9649). From an animation
// it takes the first frame and rebuilds a still file around it.
func readWebPHeader(b []byte) (*header, *Error) {
	h := &header{format: "webp", bits: 8, channels: 3, orientation: 1}
	size := uint64(binary.LittleEndian.Uint32(b[4:])) + 8
	if size < 12 { // the name of the format is part of the length
		return nil, refuse(CodeCorrupt, "the WebP declares an impossible length")
	}
	if size > uint64(len(b)) {
		return nil, refuse(CodeTruncated, "the WebP ends before the length it declares")
	}
	if size < uint64(len(b)) {
		h.note(NoteTrailing)
		b = b[:size]
	}
	h.payload = b
	var frame []byte
	found := false
	err := riffChunks(b[12:], func(kind string, data []byte) *Error {
		switch kind {
		case "VP8X":
			if len(data) < 10 {
				return refuse(CodeCorrupt, "the WebP header is too short")
			}
			h.width, h.height = 1+u24(data[4:]), 1+u24(data[7:])
			if data[0]&0x02 != 0 {
				h.note(NoteAnimated)
			}
			if data[0]&0x10 != 0 {
				h.channels = 4
				h.note(NoteAlpha)
			}
		case "ANMF":
			if frame == nil && len(data) >= 16 {
				frame = data
			}
		case "VP8 ", "VP8L":
			w, ht, ok := webpFrameSize(kind, data)
			if !ok {
				return refuse(CodeCorrupt, "the WebP picture header is not readable")
			}
			h.width, h.height, found = max(h.width, w), max(h.height, ht), true
		case "EXIF":
			if len(data) > 6 && string(data[:4]) == "Exif" {
				data = data[6:]
			}
			h.orientation = exifOrientation(data)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if frame != nil && !found {
		if err := h.firstFrame(frame); err != nil {
			return nil, err
		}
		found = true
	}
	if !found {
		return nil, refuse(CodeTruncated, "the WebP holds no picture data")
	}
	return h, nil
}

// firstFrame makes a still WebP of an ANMF chunk: 16 bytes of frame header,
// then the chunks of a still picture.
func (h *header) firstFrame(data []byte) *Error {
	h.width, h.height = 1+u24(data[6:]), 1+u24(data[9:])
	var vp8x [18]byte
	copy(vp8x[:], "VP8X")
	vp8x[4] = 10
	if h.channels == 4 {
		vp8x[8] = 0x10
	}
	putU24(vp8x[12:], h.width-1)
	putU24(vp8x[15:], h.height-1)
	body, still := data[16:], make([]byte, 12, len(data)+32)
	if err := riffChunks(body, func(kind string, d []byte) *Error {
		if kind == "VP8 " || kind == "VP8L" {
			if w, ht, ok := webpFrameSize(kind, d); !ok || w != h.width || ht != h.height {
				return refuse(CodeCorrupt, "the WebP frame contradicts its header")
			}
		}
		return nil
	}); err != nil {
		return err
	}
	copy(still, "RIFF")
	copy(still[8:], "WEBP")
	if len(body) >= 4 && string(body[:4]) == "ALPH" {
		still = append(still, vp8x[:]...)
	}
	still = append(still, body...)
	binary.LittleEndian.PutUint32(still[4:], uint32(len(still)-8))
	h.payload = still
	return nil
}

// riffChunks calls each for every chunk; chunks are padded to even length.
func riffChunks(b []byte, each func(kind string, data []byte) *Error) *Error {
	for len(b) >= 8 {
		n := uint64(binary.LittleEndian.Uint32(b[4:]))
		if n > uint64(len(b)-8) {
			return refuse(CodeTruncated, "the WebP ends inside a chunk")
		}
		if err := each(string(b[:4]), b[8:8+n]); err != nil {
			return err
		}
		b = b[min(uint64(len(b)), 8+n+n&1):]
	}
	return nil
}

// webpFrameSize reads the dimensions out of a VP8 key frame (RFC 6386 section
// 9.1) or a VP8L header (RFC 9649 section 3.4).
func webpFrameSize(kind string, d []byte) (w, h int, ok bool) {
	if kind == "VP8L" {
		if len(d) < 5 || d[0] != 0x2f {
			return 0, 0, false
		}
		v := binary.LittleEndian.Uint32(d[1:])
		return int(v&0x3fff) + 1, int(v>>14&0x3fff) + 1, true
	}
	if len(d) < 10 || d[3] != 0x9d || d[4] != 0x01 || d[5] != 0x2a {
		return 0, 0, false
	}
	return int(binary.LittleEndian.Uint16(d[6:])) & 0x3fff, int(binary.LittleEndian.Uint16(d[8:])) & 0x3fff, true
}

func u24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func putU24(b []byte, v int) { b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16) }
