package photo

import (
	"gocv.io/x/gocv"
)

// Decode turns a file's bytes into an upright 8-bit BGR photo, or says in an
// *Error why that can not be done within l.
func Decode(b []byte, l Limits) (*Image, error) {
	m, err := gocv.IMDecode(b, gocv.IMReadColor)
	if err != nil || m.Empty() {
		m.Close()
		return nil, refuse(CodeNotAnImage, "the bytes are not a photo")
	}
	return FromMat(m), nil
}
