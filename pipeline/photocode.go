package pipeline

import (
	"errors"

	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
)

// PhotoCode is the reason code of an error of photo.Decode; ok is false when
// the error is not about the photo.
func PhotoCode(err error) (code policy.Code, ok bool) {
	var bad *photo.Error
	if !errors.As(err, &bad) {
		return "", false
	}
	if code, ok = photoCodes[bad.Code]; !ok {
		code = "capture.image_corrupt"
	}
	return code, true
}
