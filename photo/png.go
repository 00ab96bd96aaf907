package photo

import (
	"encoding/binary"
	"hash/crc32"
)

// readPNGHeader walks the chunks of a PNG (W3C PNG 3rd edition, section 5)
// without inflating anything and keeps the ones a picture needs: ancillary
// chunks, whose compressed text and profiles are the classic zip bombs, never
// reach a decoder.
func readPNGHeader(b []byte) (*header, *Error) {
	h := &header{format: "png", orientation: 1}
	kept := make([]byte, 8, min(len(b), 64<<10))
	copy(kept, b[:8])
	pos, seenData := 8, false
	for {
		if pos+12 > len(b) {
			return nil, refuse(CodeTruncated, "the PNG ends before its last chunk")
		}
		n := uint64(binary.BigEndian.Uint32(b[pos:]))
		if uint64(pos)+12+n > uint64(len(b)) {
			return nil, refuse(CodeTruncated, "the PNG ends inside a chunk")
		}
		kind, data := string(b[pos+4:pos+8]), b[pos+8:pos+8+int(n)]
		whole := b[pos : pos+12+int(n)]
		pos += len(whole)
		if (kind == "IHDR") != (h.width == 0 && h.channels == 0) {
			return nil, refuse(CodeCorrupt, "the PNG header is missing or repeated")
		}
		switch kind {
		case "IHDR":
			if err := h.ihdr(data); err != nil {
				return nil, err
			}
		case "PLTE", "IDAT", "tRNS", "IEND":
			if crc32.ChecksumIEEE(whole[4:8+n]) != binary.BigEndian.Uint32(whole[8+n:]) {
				return nil, refuse(CodeCorrupt, "a PNG chunk fails its checksum")
			}
		case "eXIf":
			h.orientation = exifOrientation(data)
			continue
		case "acTL":
			h.note(NoteAnimated)
			continue
		default:
			continue
		}
		if kind == "tRNS" && h.channels != 4 {
			h.note(NoteAlpha)
		}
		seenData = seenData || kind == "IDAT"
		kept = append(kept, whole...)
		if kind == "IEND" {
			if !seenData {
				return nil, refuse(CodeCorrupt, "the PNG holds no picture data")
			}
			if pos < len(b) {
				h.note(NoteTrailing)
			}
			h.payload = kept
			return h, nil
		}
	}
}

func (h *header) ihdr(s []byte) *Error {
	if len(s) != 13 {
		return refuse(CodeCorrupt, "the PNG header has a wrong length")
	}
	w, ht := binary.BigEndian.Uint32(s), binary.BigEndian.Uint32(s[4:])
	if w == 0 || ht == 0 || w > 1<<31-1 || ht > 1<<31-1 {
		return refuse(CodeCorrupt, "the PNG header declares impossible dimensions")
	}
	h.width, h.height, h.bits = int(w), int(ht), int(s[8])
	switch s[9] {
	case 0, 4:
		h.note(NoteGrey)
		h.channels = 1
	case 2, 3:
		h.channels = 3
	case 6:
		h.channels = 4
	default:
		return refuse(CodeCorrupt, "the PNG header declares an unknown colour type")
	}
	if s[9] == 4 || s[9] == 6 {
		h.note(NoteAlpha)
		h.channels = 4
	}
	if h.bits == 16 {
		h.note(NoteSixteen)
	}
	return nil
}
