package photo

import "encoding/binary"

// maxEntries bounds how many tags of the first directory are looked at.
const maxEntries = 256

// exifOrientation returns tag 0x0112 of the first directory of a TIFF block
// (EXIF 2.32, section 4.6.4), or 1 when it is absent or unreadable. No other
// tag is read: position, device and time stay where they are.
func exifOrientation(t []byte) int {
	if len(t) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(t[:2]) {
	case "II":
		order = binary.LittleEndian
	case "MM":
		order = binary.BigEndian
	default:
		return 1
	}
	if order.Uint16(t[2:]) != 42 {
		return 1
	}
	at := uint64(order.Uint32(t[4:]))
	if at+2 > uint64(len(t)) {
		return 1
	}
	count := int(order.Uint16(t[at:]))
	if count > maxEntries {
		count = maxEntries
	}
	for i := 0; i < count; i++ {
		p := at + 2 + uint64(12*i)
		if p+12 > uint64(len(t)) {
			return 1
		}
		e := t[p : p+12]
		const short = 3
		if order.Uint16(e) == 0x0112 && order.Uint16(e[2:]) == short && order.Uint32(e[4:]) == 1 {
			if v := int(order.Uint16(e[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 1
		}
	}
	return 1
}
