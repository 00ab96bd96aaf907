package ocr

/*
#cgo pkg-config: lept
#cgo LDFLAGS: -ltesseract
#include <stdlib.h>
#include <leptonica/allheaders.h>
#include <tesseract/capi.h>
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/proofline/proofline/photo"
	"gocv.io/x/gocv"
)

// Leptonica writes to standard error about every empty box that Tesseract
// hands it. Nobody can act on it, and a library must not write there.
func init() { C.setMsgSeverity(C.L_SEVERITY_NONE) }

// engine is one Tesseract, spoken to through its C interface. (The maintained
// binding, gosseract, frees neither the iterator nor the texts of a read: 10 KB
// a case, in a process that runs for months.) It is for one goroutine at a
// time.
type engine struct{ api *C.TessBaseAPI }

// startEngine loads the trained data of a language.
func startEngine(tessdata, language string) (*engine, error) {
	e := &engine{C.TessBaseAPICreate()}
	if err := e.set("debug_file", "/dev/null"); err != nil { // as for Leptonica
		e.close()
		return nil, err
	}
	dir, name := C.CString(tessdata), C.CString(language)
	defer C.free(unsafe.Pointer(dir))
	defer C.free(unsafe.Pointer(name))
	if C.TessBaseAPIInit3(e.api, dir, name) != 0 {
		e.close()
		return nil, errors.New("it does not take the trained data")
	}
	return e, nil
}

func (e *engine) set(name, value string) error {
	n, v := C.CString(name), C.CString(value)
	defer C.free(unsafe.Pointer(n))
	defer C.free(unsafe.Pointer(v))
	if C.TessBaseAPISetVariable(e.api, n, v) == 0 {
		return fmt.Errorf("it has no variable %s", name)
	}
	return nil
}

// look hands an 8-bit grey or BGR image over.
func (e *engine) look(m gocv.Mat) error {
	own := gocv.NewMat()
	defer own.Close()
	if m.Channels() == 3 {
		if err := gocv.CvtColor(m, &own, gocv.ColorBGRToRGB); err != nil {
			return err
		}
	} else if err := m.CopyTo(&own); err != nil {
		return err
	}
	b, err := own.DataPtrUint8()
	if err != nil {
		return err
	}
	C.TessBaseAPISetImage(e.api, (*C.uchar)(unsafe.Pointer(&b[0])), C.int(own.Cols()), C.int(own.Rows()), C.int(own.Channels()), C.int(own.Step()))
	C.TessBaseAPISetSourceResolution(e.api, 70) // as of a picture that names none; Tesseract guesses below that
	return nil
}

// read recognises what was handed over. With symbols, single characters are
// returned as well.
func (e *engine) read(symbols bool) (words, characters []Word, err error) {
	if C.TessBaseAPIRecognize(e.api, nil) != 0 {
		return nil, nil, errors.New("recognition failed")
	}
	words = e.found(C.RIL_WORD)
	if symbols {
		characters = e.found(C.RIL_SYMBOL)
	}
	C.TessBaseAPIClear(e.api) // the picture and what was found in it; the trained data stays
	return words, characters, nil
}

// found walks over the words or symbols. Lines are counted over the page;
// one without text does not count.
func (e *engine) found(level C.TessPageIteratorLevel) []Word {
	it := C.TessBaseAPIGetIterator(e.api)
	if it == nil {
		return nil // nothing was found
	}
	defer C.TessResultIteratorDelete(it)
	page := C.TessResultIteratorGetPageIteratorConst(it)
	var out []Word
	line, begins := -1, true
	for more := true; more; more = C.TessResultIteratorNext(it, level) != 0 {
		begins = begins || C.TessPageIteratorIsAtBeginningOf(page, C.RIL_TEXTLINE) != 0
		text := C.TessResultIteratorGetUTF8Text(it, level)
		if text == nil {
			continue
		}
		w := Word{Text: C.GoString(text), Confidence: float64(C.TessResultIteratorConfidence(it, level)) / 100}
		C.TessDeleteText(text)
		if w.Text == "" {
			continue
		}
		if begins {
			line, begins = line+1, false
		}
		if level == C.RIL_WORD && w.Confidence <= 0 {
			// Tesseract has no confidence for words that it takes together or apart
			// in a second look: neither sure nor worthless.
			w.Confidence = 0.5
		}
		var left, top, right, bottom C.int
		C.TessPageIteratorBoundingBox(page, level, &left, &top, &right, &bottom)
		w.Box = photo.Rect{X: float64(left), Y: float64(top), W: float64(right - left), H: float64(bottom - top)}
		w.Line = line
		out = append(out, w)
	}
	return out
}

func (e *engine) close() {
	C.TessBaseAPIEnd(e.api)
	C.TessBaseAPIDelete(e.api)
}
