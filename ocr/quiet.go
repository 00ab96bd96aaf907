package ocr

/*
#cgo pkg-config: lept
#include <leptonica/allheaders.h>
*/
import "C"

// Leptonica writes to standard error about every empty box that Tesseract
// hands it. Nobody can act on it, and a library must not write there.
func init() { C.setMsgSeverity(C.L_SEVERITY_NONE) }
