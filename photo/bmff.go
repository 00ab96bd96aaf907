package photo

import (
	"encoding/binary"
	"strings"
)

// readBMFFHeader recognises HEIC and AVIF (ISO/IEC 23008-12) and takes the
// dimensions from the largest ispe property, so that the limit holds before a
// decoder is started. Orientation is part of the format (irot, imir) and is
// applied by the decoder; EXIF must not turn the picture a second time.
func readBMFFHeader(b []byte) (*header, *Error) {
	h := &header{bits: 8, channels: 3, orientation: 1, payload: b}
	var meta []byte
	box := 0
	err := bmffBoxes(b, true, func(kind string, data []byte) {
		if box++; box == 1 && len(data) >= 8 {
			h.format = brandFormat(data)
		}
		if kind == "meta" && meta == nil && len(data) > 4 {
			meta = data[4:] // a full box: version and flags first
		}
		if kind == "moov" {
			h.note(NoteAnimated)
		}
	})
	if h.format == "" {
		return nil, refuse(CodeNotAnImage, "the file is an ISO media file but not a photo")
	}
	if err != nil {
		return nil, err
	}
	_ = bmffBoxes(meta, false, func(kind string, iprp []byte) {
		if kind != "iprp" {
			return
		}
		_ = bmffBoxes(iprp, false, func(kind string, ipco []byte) {
			if kind != "ipco" {
				return
			}
			_ = bmffBoxes(ipco, false, func(kind string, p []byte) {
				if kind != "ispe" || len(p) < 12 {
					return
				}
				w, ht := binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint32(p[8:])
				h.width = max(h.width, int(min(w, maxDeclared+1)))
				h.height = max(h.height, int(min(ht, maxDeclared+1)))
			})
		})
	})
	if h.width == 0 {
		return nil, refuse(CodeCorrupt, "the %s file declares no picture size", strings.ToUpper(h.format))
	}
	coded, work, ok := codedPixels(b, meta)
	if !ok {
		return nil, refuse(CodeCorrupt, "the %s file is put together in a way that can not be read", strings.ToUpper(h.format))
	}
	h.coded, h.work = int(min(coded, 1<<40)), int(min(work, 1<<40))
	return h, nil
}

func brandFormat(ftyp []byte) string {
	for i := 0; i+4 <= len(ftyp) && i < 64; i += 4 {
		if i == 4 {
			continue // minor version
		}
		switch string(ftyp[i : i+4]) {
		case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1":
			if strings.Contains(string(ftyp[:min(len(ftyp), 64)]), "avif") {
				return "avif"
			}
			return "heic"
		case "avif", "avis":
			return "avif"
		}
	}
	return ""
}

// maxBoxes bounds the children of one box.
const maxBoxes = 4096

// bmffBoxes calls each for every box in b. At the top level a box that reaches
// past the end means a truncated file.
func bmffBoxes(b []byte, top bool, each func(kind string, data []byte)) *Error {
	for i := 0; len(b) >= 8 && i < maxBoxes; i++ {
		n, head := uint64(binary.BigEndian.Uint32(b)), uint64(8)
		if n == 1 && len(b) >= 16 {
			n, head = binary.BigEndian.Uint64(b[8:]), 16
		}
		if n == 0 {
			n = uint64(len(b))
		}
		if n < head {
			return refuse(CodeCorrupt, "a box declares an impossible length")
		}
		if n > uint64(len(b)) {
			if top {
				return refuse(CodeTruncated, "the file ends inside a box")
			}
			return nil
		}
		each(string(b[4:8]), b[head:n])
		b = b[n:]
	}
	return nil
}
