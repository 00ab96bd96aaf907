// Package ocr reads printed text with Tesseract through a bounded pool of warm
// engines.
//
// Pool is the type to know: a Tesseract engine costs tens of milliseconds to
// start and is used by one goroutine at a time, so the pool keeps a fixed
// number of them and lets callers wait, cancellably, for a free one. Read
// returns words with confidences and boxes; what the words mean is for the
// caller.
package ocr
