package document

import "math"

// guessSize picks the format whose proportion is nearest, for a first look.
func guessSize(aspect float64) format {
	best, dist := formats[0], math.MaxFloat64
	for _, f := range formats[:2] {
		if d := math.Abs(math.Log(aspect / (f.w / f.h))); d < dist {
			best, dist = f, d
		}
	}
	return best
}

// classify combines proportion, machine readable zone and face. ID-1 stands
// apart by its proportion (1.586); ID-2, ID-3 and MRV-B share 1.42 and are told
// apart by how many characters fit across: 10 characters per inch make 33.7 on
// ID-1, 41.3 on ID-2 and MRV-B, 47.2 on MRV-A, 49.2 on ID-3 (ICAO 9303-3, 4.2).
func classify(aspect float64, z zone, hasZone, hasFace, cut bool) (Class, format) {
	near := func(f format) float64 { return math.Abs(math.Log(aspect / (f.w / f.h))) }
	id1, td3, id2, visa := formats[0], formats[1], formats[2], formats[3]
	if hasZone {
		switch {
		case z.lines == 3 && (z.chars == 0 || math.Abs(z.chars-33.7) < 3.5):
			return ID1Back, id1
		case z.chars > 0 && math.Abs(z.chars-41.3) < 2.5:
			return ID2, id2
		case z.chars > 0 && math.Abs(z.chars-33.7) < 3:
			return ID1Back, id1
		case near(visa) < 0.6*near(td3) && near(visa) < near(id1):
			return Visa, visa
		case near(td3) < 0.12 || cut || z.chars > 44:
			return PassportPage, td3
		}
	}
	switch {
	case cut:
		return Unknown, id1
	case near(id1) < near(td3):
		switch {
		case near(id1) > 0.12:
			return Unknown, id1
		case hasFace:
			return ID1Front, id1
		}
		return ID1, id1
	case near(td3) < 0.12 && hasFace:
		return PassportPage, td3
	}
	return Unknown, td3
}
