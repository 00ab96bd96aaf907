package barcode

/*
#include "zxing.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"image"
	"unsafe"
)

// EncodePDF417 draws a symbol with the error correction of a level from 0 to 8
// (ISO/IEC 15438 §5.7: 2^(level+1) codewords), at module pixels per module. It
// is there for specimens and tests.
func EncodePDF417(content []byte, level, module int) (*image.Gray, error) {
	if len(content) == 0 || len(content) > maxBytes || level < 0 || level > 8 || module < 1 || module > 32 {
		return nil, errors.New("barcode: content, level or module size is out of range")
	}
	var w, h C.int
	// One rune per byte: ISO 8859-1, which is what cards use.
	p := C.proofline_pdf417((*C.uint8_t)(unsafe.Pointer(&content[0])), C.size_t(len(content)), C.int(level), &w, &h)
	if p == nil {
		return nil, fmt.Errorf("barcode: %d bytes do not fit into a symbol of level %d", len(content), level)
	}
	defer C.proofline_free(p)
	dots := unsafe.Slice((*byte)(unsafe.Pointer(p)), int(w)*int(h))
	img := image.NewGray(image.Rect(0, 0, int(w)*module, int(h)*module))
	for y := range img.Rect.Dy() {
		row := dots[y/module*int(w):]
		for x := range img.Rect.Dx() {
			img.Pix[y*img.Stride+x] = row[x/module]
		}
	}
	return img, nil
}
