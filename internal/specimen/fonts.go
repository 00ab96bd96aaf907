package specimen

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
)

// FontError says that OCR-B, the typeface of the machine readable zone
// (9303-3 §4.2, ISO 1073-2), is not installed. All other text is set in the Go
// fonts, which are part of the program.
type FontError struct{ Tried []string }

func (e *FontError) Error() string {
	return fmt.Sprintf("the font OCR-B is not installed: install the Debian package fonts-ocr-b, or set PROOFLINE_OCRB_FONT to an OTF or TTF file (looked for %v)", e.Tried)
}

var ocrbPlaces = []string{
	"/usr/share/fonts/opentype/ocr-b/OCRB.otf",
	"/usr/share/fonts/truetype/ocr-b/OCRB.ttf",
	"/usr/local/share/fonts/OCRB.otf",
}

func loadOCRB() (*sfnt.Font, error) {
	places := ocrbPlaces
	if p := os.Getenv("PROOFLINE_OCRB_FONT"); p != "" {
		places = []string{p}
	} else if home, err := os.UserHomeDir(); err == nil {
		places = append(places[:len(places):len(places)], filepath.Join(home, ".local/share/fonts/OCRB.otf"))
	}
	for _, p := range places {
		b, err := os.ReadFile(p)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the font OCR-B: %w", err)
		}
		f, err := opentype.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("read the font OCR-B from %s: %w", p, err)
		}
		return f, nil
	}
	return nil, &FontError{Tried: places}
}

type typefaces struct{ regular, medium, bold, italic, ocrb *sfnt.Font }

// faces are parsed once; a font is safe for concurrent use, a font.Face is not.
var faces = sync.OnceValues(func() (*typefaces, error) {
	t := &typefaces{}
	for _, f := range []struct {
		to  **sfnt.Font
		ttf []byte
	}{{&t.regular, goregular.TTF}, {&t.medium, gomedium.TTF}, {&t.bold, gobold.TTF}, {&t.italic, goitalic.TTF}} {
		parsed, err := opentype.Parse(f.ttf)
		if err != nil {
			return nil, fmt.Errorf("read a built-in font: %w", err)
		}
		*f.to = parsed
	}
	var err error
	t.ocrb, err = loadOCRB()
	return t, err
})

func sized(f *sfnt.Font, px float64) (font.Face, error) {
	return opentype.NewFace(f, &opentype.FaceOptions{Size: px, DPI: 72, Hinting: font.HintingNone})
}
