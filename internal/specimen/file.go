package specimen

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"
)

// JPEG encodes the photo. When Orientation is not 1, the pixels are stored the
// way such a sensor lies and an EXIF tag says so: a reader that ignores the
// tag sees the photo turned.
func (p *Photo) JPEG(quality int) ([]byte, error) {
	return encodeJPEG(p.Image, quality, p.Orientation)
}

func encodeJPEG(img *image.RGBA, quality, orientation int) ([]byte, error) {
	if orientation > 1 {
		img = stored(img, orientation)
	}
	m := matOf(img)
	defer m.Close()
	bgr := gocv.NewMat()
	defer bgr.Close()
	_ = gocv.CvtColor(m, &bgr, gocv.ColorRGBAToBGR)
	buf, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, bgr, []int{gocv.IMWriteJpegQuality, quality})
	if err != nil {
		return nil, fmt.Errorf("encode jpeg: %w", err)
	}
	defer buf.Close()
	b := append([]byte(nil), buf.GetBytes()...)
	if orientation > 1 {
		b = withOrientation(b, orientation)
	}
	return b, nil
}

// stored is the inverse of what a viewer does for an EXIF orientation (EXIF
// 2.32 §4.6.4, tag 0x0112).
func stored(img *image.RGBA, orientation int) *image.RGBA {
	w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	m, turned := identity(), false
	switch orientation {
	case 2:
		m = stretch(-1, 1).then(translate(w, 0))
	case 3:
		m = stretch(-1, -1).then(translate(w, h))
	case 4:
		m = stretch(1, -1).then(translate(0, h))
	case 5:
		m, turned = matrix{0, 1, 0, 1, 0, 0, 0, 0, 1}, true
	case 6: // the viewer turns it clockwise, so it is stored anticlockwise
		m, turned = rotate(-math.Pi/2).then(translate(0, w)), true
	case 7:
		m, turned = matrix{0, -1, h, -1, 0, w, 0, 0, 1}, true
	case 8:
		m, turned = rotate(math.Pi/2).then(translate(h, 0)), true
	}
	ow, oh := img.Rect.Dx(), img.Rect.Dy()
	if turned {
		ow, oh = oh, ow
	}
	in := matOf(img)
	defer in.Close()
	t := m.mat()
	defer t.Close()
	out := gocv.NewMat()
	defer out.Close()
	_ = gocv.WarpPerspectiveWithParams(in, &out, t, image.Pt(ow, oh), gocv.InterpolationNearestNeighbor, gocv.BorderReplicate, color.RGBA{})
	return imageOf(out)
}

// withOrientation puts an APP1 segment with one IFD entry behind the SOI.
func withOrientation(jpeg []byte, orientation int) []byte {
	tiff := []byte("MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	binary.BigEndian.PutUint16(tiff[18:], uint16(orientation))
	segment := append([]byte("Exif\x00\x00"), tiff...)
	out := append([]byte{}, jpeg[:2]...)
	out = append(out, 0xff, 0xe1, byte((len(segment)+2)>>8), byte(len(segment)+2))
	out = append(out, segment...)
	return append(out, jpeg[2:]...)
}
