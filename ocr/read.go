package ocr

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/proofline/proofline/photo"
	"gocv.io/x/gocv"
)

// Request says how to read one image.
type Request struct {
	// PSM is Tesseract's page segmentation mode: 3 automatic (the default, also
	// for 0), 4 column, 6 block, 7 line, 11 sparse text.
	PSM int
	// Whitelist restricts the characters; empty means all.
	Whitelist string
	// Symbols asks for single characters in Page.Symbols as well.
	Symbols bool
}

// Word is one word or symbol: its text, Tesseract's confidence from 0 to 1
// and its box in pixels of the image read.
type Word struct {
	Text       string     `json:"text"`
	Confidence float64    `json:"confidence"`
	Box        photo.Rect `json:"box"`
	Line       int        `json:"line"` // counts from 0 over the page, top to bottom
}

// Page is all text found in one image, in reading order.
type Page struct {
	Words   []Word `json:"words"`
	Symbols []Word `json:"symbols,omitempty"`
}

// maxSide is the longest side of a picture: Tesseract keeps boxes in 16-bit
// numbers (TBOX in ccstruct/rect.h) and crashes beyond them.
const maxSide = 1<<15 - 1

// Read recognises the text of an 8-bit grey or BGR image. It waits for a free
// engine until ctx ends; a recognition that has begun runs to its end, which
// PoolOptions.MaxPixels bounds.
func (p *Pool) Read(ctx context.Context, m gocv.Mat, r Request) (*Page, error) {
	if err := within(m, p.maxPixels); err != nil {
		return nil, err
	}
	if side := max(m.Rows(), m.Cols()); side > maxSide {
		return nil, fmt.Errorf("ocr: a side of %d pixels; at most %d", side, maxSide)
	}
	e, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { p.free <- e }()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ocr: before reading: %w", err)
	}
	if r.PSM == 0 {
		r.PSM = 3
	}
	err = errors.Join(e.set("tessedit_pageseg_mode", strconv.Itoa(r.PSM)), e.set("tessedit_char_whitelist", r.Whitelist))
	if err == nil {
		err = e.look(m)
	}
	if err != nil {
		return nil, fmt.Errorf("ocr: prepare an engine: %w", err)
	}
	page := &Page{}
	if page.Words, page.Symbols, err = e.read(r.Symbols); err != nil {
		return nil, fmt.Errorf("ocr: recognise: %w", err)
	}
	return page, nil
}
