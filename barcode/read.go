package barcode

/*
#cgo pkg-config: zxing
#cgo CXXFLAGS: -std=c++17
#include "zxing.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"image"
	"unsafe"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Format is a symbology.
type Format string

// The symbologies that are looked for.
const (
	PDF417     Format = "PDF417"
	QRCode     Format = "QR_CODE"
	DataMatrix Format = "DATA_MATRIX"
	Aztec      Format = "AZTEC"
)

var formats = [...]Format{1: PDF417, 2: QRCode, 3: DataMatrix, 4: Aztec}

// Symbol is one barcode.
type Symbol struct {
	Format Format     `json:"format"`
	Bytes  []byte     `json:"-"`    // as encoded; outside input
	Quad   photo.Quad `json:"quad"` // in pixels of the image, from the symbol's own top left
}

// Bounds. A PDF417 symbol holds at most 1108 bytes (ISO/IEC 15438), a QR code
// 2953 (ISO/IEC 18004).
const (
	maxSymbols = 8
	maxBytes   = 4096
	maxPixels  = 25_000_000
)

// widths are the image widths at which symbols are looked for, in this order,
// until one is found: the reader wants about two to four pixels per module,
// and neither a large photo nor a small scan has that by itself.
var widths = []int{0, 1600, 2600, 1000}

// Read finds the barcodes in an 8-bit grey or BGR image; none is an empty
// slice. ctx is heeded between scales.
func Read(ctx context.Context, m gocv.Mat) ([]Symbol, error) {
	if m.Empty() || m.Cols() < 16 || m.Rows() < 16 {
		return nil, nil
	}
	if m.Cols()*m.Rows() > maxPixels {
		return nil, fmt.Errorf("barcode: image has more than %d pixels", maxPixels)
	}
	grey := gocv.NewMat()
	defer grey.Close()
	switch m.Type() {
	case gocv.MatTypeCV8UC3:
		if err := gocv.CvtColor(m, &grey, gocv.ColorBGRToGray); err != nil {
			return nil, fmt.Errorf("barcode: to grey: %w", err)
		}
	case gocv.MatTypeCV8UC1:
		if err := m.CopyTo(&grey); err != nil {
			return nil, fmt.Errorf("barcode: copy the picture: %w", err)
		}
	default:
		return nil, errors.New("barcode: image is not 8-bit grey or BGR")
	}
	for _, w := range widths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		scale := 1.0
		if w != 0 {
			scale = float64(w) / float64(grey.Cols())
			// Close to a scale that was tried already.
			if scale > 0.8 && scale < 1.25 || scale > 4 {
				continue
			}
		}
		found, err := readAt(grey, scale)
		if err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}

func readAt(grey gocv.Mat, scale float64) ([]Symbol, error) {
	img := grey
	if scale != 1 {
		scaled := gocv.NewMat()
		defer scaled.Close()
		how := gocv.InterpolationArea
		if scale > 1 {
			how = gocv.InterpolationCubic
		}
		size := image.Pt(int(float64(grey.Cols())*scale), int(float64(grey.Rows())*scale))
		if size.X < 16 || size.Y < 16 || size.X*size.Y > maxPixels {
			return nil, nil
		}
		if err := gocv.Resize(grey, &scaled, size, 0, 0, how); err != nil {
			return nil, fmt.Errorf("barcode: resize: %w", err)
		}
		img = scaled
	}
	pixels, err := img.DataPtrUint8()
	if err != nil {
		return nil, fmt.Errorf("barcode: pixels: %w", err)
	}
	var out [maxSymbols]C.proofline_barcode
	n := int(C.proofline_barcodes((*C.uint8_t)(unsafe.Pointer(&pixels[0])), C.int(img.Cols()), C.int(img.Rows()),
		C.int(img.Step()), 1, &out[0], maxSymbols))
	if n < 0 {
		return nil, errors.New("barcode: the decoder failed")
	}
	defer C.proofline_barcodes_free(&out[0], C.int(n))
	var found []Symbol
	for _, b := range out[:n] {
		if b.size > maxBytes {
			continue
		}
		s := Symbol{Format: formats[b.format], Bytes: C.GoBytes(unsafe.Pointer(b.bytes), C.int(b.size))}
		for i := range s.Quad {
			s.Quad[i] = photo.Point{X: float64(b.corners[2*i]) / scale, Y: float64(b.corners[2*i+1]) / scale}
		}
		found = append(found, s)
	}
	return found, nil
}
