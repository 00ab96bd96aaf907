package specimen

// ModerateCamera is somebody in a hurry with an ordinary phone: the document a
// little out of focus, turned and tilted, in uneven light with some noise, kept
// as a JPEG of quality 80. Reading is measured on such photos: worse ones are
// sent back by the gate.
func ModerateCamera(seed int64) Camera {
	c := GoodCamera(seed)
	r := stream(seed, "moderate")
	c.Rotation = between(r, -9, 9)
	c.Tilt = between(r, 3, 16)
	c.Defocus = between(r, 0.3, 1.1)
	c.Noise = between(r, 3, 6.5)
	c.Exposure = between(r, -0.45, 0.25)
	c.Falloff = between(r, 0.1, 0.3)
	c.Fill = between(r, 0.76, 0.9)
	return c
}

// ModerateQuality is the JPEG quality of such a photo.
const ModerateQuality = 80

// Files are moderate photos of all sides, by kind of evidence.
func (s *Specimen) Files(seed int64) (map[string][]byte, error) {
	out := map[string][]byte{}
	sides := map[string]bool{"document_front": true, "document_back": s.back != nil}
	for kind, there := range sides {
		if !there {
			continue
		}
		img, at := s.front, seed
		if kind == "document_back" {
			img, at = s.back, seed+1<<40
		}
		p, err := Photograph(img, ModerateCamera(at))
		if err != nil {
			return nil, err
		}
		if out[kind], err = p.JPEG(ModerateQuality); err != nil {
			return nil, err
		}
	}
	return out, nil
}
