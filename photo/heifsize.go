package photo

import (
	"encoding/binary"
	"math/bits"
)

// A HEIF file says how large its picture is in up to five places: the ispe
// property, the derivation of a grid or an overlay, and the headers of the
// coded stream, in the configuration and again among the data. Decoders believe
// different ones, and libheif before 1.19 bounds each side but not their product.
// coded takes the largest of all, before any decoder is started.

// area saturates: declared sizes are outside numbers.
func area(w, h uint64) uint64 {
	if hi, lo := bits.Mul64(w, h); hi == 0 {
		return lo
	}
	return 1 << 63
}

// heifItem is one entry of the item table (ISO/IEC 14496-12, 8.11.6).
type heifItem struct {
	kind  string
	data  []byte   // the first extent; nil when it lies outside of the file
	more  bool     // there are further extents
	tiles []uint32 // that it is derived from
	size  uint64   // in pixels, the largest that its properties or data declare
}

// maxItems bounds the item table: a photo of a phone has about sixty.
const maxItems = 4096

// codedPixels returns the number of pixels of the largest picture that decoding
// may hold, and of all tiles that the largest grid is put together from. ok is
// false where a derived picture can not be read.
func codedPixels(file, meta []byte) (most, work uint64, ok bool) {
	items := heifItems(file, meta)
	var props []uint64
	lengths := 4 // bytes of the length before a NAL unit
	_ = bmffBoxes(child(meta, "iprp"), false, func(kind string, ipco []byte) {
		if kind != "ipco" || props != nil {
			return
		}
		_ = bmffBoxes(ipco, false, func(kind string, p []byte) {
			size := uint64(0)
			switch {
			case kind == "ispe" && len(p) >= 12:
				size = area(uint64(binary.BigEndian.Uint32(p[4:])), uint64(binary.BigEndian.Uint32(p[8:])))
			case kind == "hvcC" && len(p) >= 23:
				lengths = int(p[21]&3) + 1
				size = hevcConfig(p)
			case kind == "av1C" && len(p) > 4:
				size = av1Pixels(p[4:])
			}
			props = append(props, size)
			most = max(most, size)
		})
	})
	associate(child(child(meta, "iprp"), "ipma"), props, items)
	for _, it := range items {
		switch it.kind {
		case "hvc1", "hev1":
			it.size = max(it.size, hevcUnits(it.data, lengths))
		case "av01":
			it.size = max(it.size, av1Pixels(it.data))
		case "grid", "iovl":
			size, ok := derived(*it)
			if !ok {
				return 0, 0, false
			}
			it.size = max(it.size, size)
		}
		most = max(most, it.size)
	}
	for _, it := range items {
		sum := uint64(0)
		for _, t := range it.tiles {
			if tile := items[t]; tile != nil {
				sum = min(1<<62, sum+min(tile.size, 1<<62))
			}
		}
		work = max(work, sum)
	}
	return most, work, true
}

// child is the content of the first box of a kind.
func child(b []byte, want string) (out []byte) {
	_ = bmffBoxes(b, false, func(kind string, p []byte) {
		if kind == want && out == nil {
			out = p
		}
	})
	return out
}

// associate gives items the size of their properties (ISO/IEC 23008-12, 9.3).
func associate(ipma []byte, props []uint64, items map[uint32]*heifItem) {
	if len(ipma) < 8 {
		return
	}
	f, id, wide := fields{b: ipma[4:]}, 2, 1
	if ipma[0] > 0 {
		id = 4
	}
	if ipma[3]&1 != 0 {
		wide = 2
	}
	for n := f.next(4); n > 0 && !f.bad; n-- {
		it := items[uint32(f.next(id))]
		for k := f.next(1); k > 0 && !f.bad; k-- {
			p := f.next(wide) & (1<<(8*wide-1) - 1) // the first bit says essential
			if it != nil && p > 0 && p <= uint64(len(props)) {
				it.size = max(it.size, props[p-1])
			}
		}
	}
}

// refer notes which items a derived one is put together from (ISO/IEC 14496-12,
// 8.11.12).
func refer(iref []byte, items map[uint32]*heifItem) {
	if len(iref) < 4 {
		return
	}
	id := 2
	if iref[0] > 0 {
		id = 4
	}
	_ = bmffBoxes(iref[4:], false, func(kind string, p []byte) {
		f := fields{b: p}
		it := items[uint32(f.next(id))]
		for n := f.next(2); n > 0 && kind == "dimg" && it != nil; n-- {
			t := uint32(f.next(id))
			if f.bad {
				return
			}
			it.tiles = append(it.tiles, t)
		}
	})
}

// derived reads the size of an image grid (ISO/IEC 23008-12, 6.6.2.3) or overlay
// (6.6.2.2). The tiles of a grid cover what it declares, so that a grid of tiny
// tiles is bounded by its own size as well.
func derived(it heifItem) (uint64, bool) {
	d := it.data
	if len(d) < 8 || it.more {
		return 0, false
	}
	at, wide := 4, d[1]&1 != 0
	if it.kind == "iovl" {
		at = 10 // after the canvas' fill
	}
	if wide {
		if len(d) < at+8 {
			return 0, false
		}
		return area(uint64(binary.BigEndian.Uint32(d[at:])), uint64(binary.BigEndian.Uint32(d[at+4:]))), true
	}
	if len(d) < at+4 {
		return 0, false
	}
	return area(uint64(binary.BigEndian.Uint16(d[at:])), uint64(binary.BigEndian.Uint16(d[at+2:]))), true
}

// heifItems joins the item types (iinf) with where their data is (iloc).
func heifItems(file, meta []byte) map[uint32]*heifItem {
	items := map[uint32]*heifItem{}
	var idat, iloc []byte
	_ = bmffBoxes(meta, false, func(kind string, p []byte) {
		switch kind {
		case "idat":
			idat = p
		case "iloc":
			iloc = p
		case "iinf":
			if len(p) < 6 {
				return
			}
			head := 6
			if p[0] != 0 {
				head = 8
			}
			if len(p) < head {
				return
			}
			_ = bmffBoxes(p[head:], false, func(kind string, e []byte) {
				if kind != "infe" || len(items) >= maxItems {
					return
				}
				switch {
				case len(e) >= 12 && e[0] == 2:
					items[uint32(binary.BigEndian.Uint16(e[4:]))] = &heifItem{kind: string(e[8:12])}
				case len(e) >= 14 && e[0] == 3:
					items[binary.BigEndian.Uint32(e[4:])] = &heifItem{kind: string(e[10:14])}
				}
			})
		}
	})
	locate(file, idat, iloc, items)
	refer(child(meta, "iref"), items)
	return items
}

// fields reads big-endian numbers of given lengths off a slice; bad stays set
// once it ran out.
type fields struct {
	b   []byte
	bad bool
}

func (f *fields) next(n int) uint64 {
	if n > len(f.b) || n > 8 {
		f.bad = true
		return 0
	}
	v := uint64(0)
	for _, c := range f.b[:n] {
		v = v<<8 | uint64(c)
	}
	f.b = f.b[n:]
	return v
}

// locate reads the item locations (ISO/IEC 14496-12, 8.11.3).
func locate(file, idat, iloc []byte, items map[uint32]*heifItem) {
	if len(iloc) < 8 {
		return
	}
	version := iloc[0]
	f := fields{b: iloc[4:]}
	sizes := f.next(2)
	ofs, length, base, index := int(sizes>>12), int(sizes>>8&15), int(sizes>>4&15), int(sizes&15)
	if version == 0 {
		index = 0
	}
	wide := 2
	if version == 2 {
		wide = 4
	}
	for n := f.next(wide); n > 0 && !f.bad; n-- {
		id := uint32(f.next(wide))
		method := uint64(0)
		if version > 0 {
			method = f.next(2) & 15
		}
		f.next(2) // data reference: only this file is looked into
		from := f.next(base)
		extents := f.next(2)
		for i := uint64(0); i < extents && !f.bad; i++ {
			f.next(index)
			at, size := from+f.next(ofs), f.next(length)
			switch it := items[id]; {
			case it == nil || f.bad:
			case i > 0:
				it.more = true
			default:
				it.data = extent(file, idat, method, at, size)
			}
		}
	}
}

// extent is the part of the file, or of the meta box's own data, that an item
// lies in. A length of zero means all the rest.
func extent(file, idat []byte, method, at, size uint64) []byte {
	src := file
	switch method {
	case 0:
	case 1:
		src = idat
	default:
		return nil
	}
	if at >= uint64(len(src)) {
		return nil
	}
	src = src[at:]
	if size > 0 && size < uint64(len(src)) {
		src = src[:size]
	}
	return src
}
