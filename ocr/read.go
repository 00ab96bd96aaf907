package ocr

import (
	"context"
	"fmt"

	"github.com/otiai10/gosseract/v2"
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
	c, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { p.free <- c }()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("ocr: before reading: %w", err)
	}
	if r.PSM == 0 {
		r.PSM = int(gosseract.PSM_AUTO)
	}
	if err := c.SetPageSegMode(gosseract.PageSegMode(r.PSM)); err != nil {
		return nil, fmt.Errorf("ocr: page segmentation mode: %w", err)
	}
	if err := c.SetWhitelist(r.Whitelist); err != nil {
		return nil, fmt.Errorf("ocr: whitelist: %w", err)
	}
	if err := setImage(c, m); err != nil {
		return nil, fmt.Errorf("ocr: set image: %w", err)
	}
	words, err := c.GetBoundingBoxesVerbose()
	if err != nil {
		return nil, fmt.Errorf("ocr: recognise: %w", err)
	}
	page := &Page{Words: wordsOf(words)}
	if r.Symbols {
		symbols, err := c.GetBoundingBoxes(gosseract.RIL_SYMBOL)
		if err != nil {
			return nil, fmt.Errorf("ocr: symbols: %w", err)
		}
		page.Symbols = symbolsOf(symbols, page.Words)
	}
	return page, nil
}

// wordsOf numbers the lines over the page; Tesseract numbers them within
// paragraphs.
func wordsOf(boxes []gosseract.BoundingBox) []Word {
	type key struct{ block, par, line int }
	var last key
	line := -1
	var out []Word
	for _, b := range boxes {
		if b.Word == "" {
			continue
		}
		if k := (key{b.BlockNum, b.ParNum, b.LineNum}); line < 0 || k != last {
			line, last = line+1, k
		}
		x, y, w, h := bounds(b.Box)
		if b.Confidence <= 0 {
			// Tesseract has no confidence for words that it takes together or apart
			// in a second look: neither sure nor worthless.
			b.Confidence = 50
		}
		out = append(out, Word{Text: b.Word, Confidence: b.Confidence / 100, Box: photo.Rect{X: x, Y: y, W: w, H: h}, Line: line})
	}
	return out
}

// symbolsOf gives each symbol the line of the word that holds its middle.
func symbolsOf(boxes []gosseract.BoundingBox, words []Word) []Word {
	var out []Word
	at := 0
	for _, b := range boxes {
		if b.Word == "" {
			continue
		}
		x, y, w, h := bounds(b.Box)
		mx, my := x+w/2, y+h/2
		for i := range words {
			r := words[(at+i)%len(words)].Box
			if mx >= r.X && mx <= r.X+r.W && my >= r.Y && my <= r.Y+r.H {
				at = (at + i) % len(words)
				break
			}
		}
		s := Word{Text: b.Word, Confidence: b.Confidence / 100, Box: photo.Rect{X: x, Y: y, W: w, H: h}}
		if len(words) > 0 {
			s.Line = words[at].Line
		}
		out = append(out, s)
	}
	return out
}
