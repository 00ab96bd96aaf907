package photo

import "sync/atomic"

// Elsewhere decodes photos outside of this process. Package isolate has one.
type Elsewhere interface {
	// Takes tells whether it wants photos of a format, as Image.Format spells it.
	Takes(format string) bool
	// Decode does what the function Decode does, but for Image.SHA256.
	Decode(b []byte, l Limits) (*Image, error)
}

var elsewhere atomic.Pointer[Elsewhere]

// DecodeBy makes Decode hand over the photos that e takes, in the whole process:
// no caller can forget it. Nil takes that back. What the header tells is
// refused here all the same, and the memory budget holds for both together.
func DecodeBy(e Elsewhere) {
	if e == nil {
		elsewhere.Store(nil)
		return
	}
	elsewhere.Store(&e)
}

// taker is who decodes a format, nil for this process.
func taker(format string) Elsewhere {
	if e := elsewhere.Load(); e != nil && (*e).Takes(format) {
		return *e
	}
	return nil
}
