package document

import "math"

// guessSize picks the format whose proportion is nearest, for a first look.
func guessSize(s shape) format {
	best, dist := formats[0], math.MaxFloat64
	for _, f := range formats[:2] {
		if d := s.off(f); d < dist {
			best, dist = f, d
		}
	}
	return best
}

// pitch is what OCR-B size 1 takes per character (ICAO 9303-3, 4.2: 10 to the
// inch), so that the characters per width of the sheet give its width.
const pitch = 2.54

// classify combines proportion, machine readable zone and face. A zone says how
// wide the sheet is: 33.7 characters on ID-1, 41.3 on ID-2, 47.2 on MRV-A, 49.2
// on ID-3. MRV-B has the size and the zone of ID-2; only its first letter, which
// mrz/reader reads, tells them apart. Without a zone ID-1 stands out by its
// proportion, and a sheet of 1.42 with a face is taken for a data page.
func classify(s shape, z zone, hasZone, hasFace, cut bool) (Class, format) {
	id1, td3 := formats[0], formats[1]
	if hasZone {
		best, dist := formats[0], math.MaxFloat64
		for _, f := range formats[:4] {
			d := math.Abs(math.Log(z.chars * pitch / f.w))
			if !cut {
				d += 0.3 * s.off(f)
			}
			if d < dist {
				best, dist = f, d
			}
		}
		if dist < 0.12 {
			if best.class == ID1 {
				return ID1Back, best
			}
			return best.class, best
		}
	}
	near := s.off
	switch {
	case cut:
		return Unknown, id1
	case near(id1) < near(td3):
		switch {
		case near(id1) > 0.1:
			return Unknown, id1
		case hasFace:
			return ID1Front, id1
		}
		return ID1, id1
	case near(td3) < 0.1 && hasFace:
		return PassportPage, td3
	}
	return Unknown, td3
}
