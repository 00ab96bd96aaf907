package photo

import "encoding/binary"

// bitReader reads bits, most significant first; past the end it gives zeros and
// notes it.
type bitReader struct {
	b   []byte
	at  int // in bits
	bad bool
}

func (r *bitReader) bits(n int) uint64 {
	v := uint64(0)
	for range n {
		v <<= 1
		if r.at>>3 >= len(r.b) {
			r.bad = true
			continue
		}
		v |= uint64(r.b[r.at>>3]>>(7-r.at&7)) & 1
		r.at++
	}
	return v
}

// ue is an exponential Golomb code (ITU-T H.265, 9.2).
func (r *bitReader) ue() uint64 {
	zeros := 0
	for r.bits(1) == 0 {
		if zeros++; zeros > 32 || r.bad {
			r.bad = true
			return 0
		}
	}
	return 1<<zeros - 1 + r.bits(zeros)
}

// maxUnits bounds the NAL units and OBUs that are looked at.
const maxUnits = 65536

// hevcConfig is the largest picture that the parameter sets of an hvcC property
// declare (ISO/IEC 14496-15, 8.3.3.1).
func hevcConfig(p []byte) uint64 {
	most := uint64(0)
	f := fields{b: p[23:]}
	for range int(p[22]) {
		f.next(1)
		for n := f.next(2); n > 0 && !f.bad; n-- {
			size := int(f.next(2))
			if f.bad || size > len(f.b) {
				return most
			}
			most = max(most, hevcPixels(f.b[:size]))
			f.b = f.b[size:]
		}
	}
	return most
}

// hevcUnits looks for parameter sets among the length-prefixed units of an item.
func hevcUnits(d []byte, lengths int) uint64 {
	most := uint64(0)
	f := fields{b: d}
	for i := 0; i < maxUnits && len(f.b) > lengths; i++ {
		n := f.next(lengths)
		if n > uint64(len(f.b)) {
			n = uint64(len(f.b))
		}
		most = max(most, hevcPixels(f.b[:n]))
		f.b = f.b[n:]
	}
	return most
}

// hevcPixels is the size of the pictures of a sequence parameter set (ITU-T
// H.265, 7.3.2.2), 0 for other units.
func hevcPixels(nal []byte) uint64 {
	if len(nal) < 4 || nal[0]>>1&0x3f != 33 {
		return 0
	}
	// What follows is in the first bytes; emulation prevention is taken out.
	raw := make([]byte, 0, 256)
	for i := 2; i < len(nal) && len(raw) < 256; i++ {
		if i+1 < len(nal) && i >= 4 && nal[i] == 3 && nal[i-1] == 0 && nal[i-2] == 0 {
			continue
		}
		raw = append(raw, nal[i])
	}
	r := bitReader{b: raw}
	r.bits(4)
	layers := int(r.bits(3))
	r.bits(1 + 88 + 8)
	var profile, level [8]bool
	for i := range layers {
		profile[i], level[i] = r.bits(1) == 1, r.bits(1) == 1
	}
	if layers > 0 {
		r.bits(2 * (8 - layers))
	}
	for i := range layers {
		if profile[i] {
			r.bits(88)
		}
		if level[i] {
			r.bits(8)
		}
	}
	r.ue()
	if r.ue() == 3 {
		r.bits(1)
	}
	w, h := r.ue(), r.ue()
	if r.bad {
		return 1 << 63 // unreadable: not to be trusted to a decoder
	}
	return area(w, h)
}

// av1Pixels is the largest picture that the sequence headers among OBUs allow
// (AV1 bitstream specification, 5.5.1). A frame may override the size within
// the number of bits that the header sets aside, except in a still picture with
// the reduced header.
func av1Pixels(d []byte) uint64 {
	most := uint64(0)
	for i := 0; i < maxUnits && len(d) > 0; i++ {
		head := d[0]
		kind, extended, sized := head>>3&15, head&4 != 0, head&2 != 0
		d = d[1:]
		if extended {
			if len(d) == 0 {
				return most
			}
			d = d[1:]
		}
		n := uint64(len(d))
		if sized {
			v, used := binary.Uvarint(d)
			if used <= 0 {
				return most
			}
			d = d[used:]
			n = min(v, uint64(len(d)))
		}
		if kind == 1 {
			most = max(most, av1Sequence(d[:n]))
		}
		d = d[n:]
	}
	return most
}

func av1Sequence(b []byte) uint64 {
	r := bitReader{b: b}
	r.bits(4)
	reduced := r.bits(1) == 1
	if reduced {
		r.bits(5)
	} else {
		r.operatingPoints()
	}
	wb, hb := int(r.bits(4))+1, int(r.bits(4))+1
	w, h := r.bits(wb)+1, r.bits(hb)+1
	if r.bad {
		return 1 << 63
	}
	if !reduced && area(1<<wb, 1<<hb) > 4*area(w, h) {
		return area(1<<wb, 1<<hb)
	}
	return area(w, h)
}

// operatingPoints skips what lies before the size in a full header.
func (r *bitReader) operatingPoints() {
	delay, model := 0, false
	if r.bits(1) == 1 { // timing
		r.bits(64)
		if r.bits(1) == 1 { // equal picture interval: uvlc
			r.ue()
		}
		if model = r.bits(1) == 1; model {
			delay = int(r.bits(5)) + 1
			r.bits(32 + 5 + 5)
		}
	}
	display := r.bits(1) == 1
	for n := r.bits(5) + 1; n > 0 && !r.bad; n-- {
		r.bits(12)
		if r.bits(5) > 7 {
			r.bits(1)
		}
		if model && r.bits(1) == 1 {
			r.bits(2*delay + 1)
		}
		if display && r.bits(1) == 1 {
			r.bits(4)
		}
	}
}
