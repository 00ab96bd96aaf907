//go:build noheif

package photo

import "gocv.io/x/gocv"

// LoadHEIF does nothing in this build.
func LoadHEIF() {}

// decodeHEIF refuses: this build was made without libheif (tag noheif).
func (h *header) decodeHEIF(int) (gocv.Mat, *Error) {
	return gocv.Mat{}, refuse(CodeUnsupportedFormat, "%s is not accepted by this installation: send JPEG, PNG or WebP", h.format)
}
