package specimen

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// FontError says that OCR-B, the typeface of the machine readable zone
// (9303-3 §4.2, ISO 1073-2), is not installed. All other text is set in the Go
// fonts, which are part of the program.
type FontError struct{ Tried []string }

func (e *FontError) Error() string {
	return fmt.Sprintf("the font OCR-B is not installed: install the Debian package fonts-ocr-b, or set PROOFLINE_OCRB_FONT to an OTF or TTF file (looked for %v)", e.Tried)
}

// The second cut has sharp stroke ends. It stands in for the glyphs of the
// first that x/image can not read: 8 and < use the flex1 operator of CFF.
var ocrbCuts = []string{"OCRB.otf", "OCRBS.otf"}

func loadOCRB() ([]*sfnt.Font, error) {
	if p := os.Getenv("PROOFLINE_OCRB_FONT"); p != "" {
		f, err := readFont(p)
		return []*sfnt.Font{f}, err
	}
	dirs := []string{"/usr/share/fonts/opentype/ocr-b", "/usr/local/share/fonts"}
	if home, err := os.UserHomeDir(); err == nil {
		dirs = append(dirs, filepath.Join(home, ".local/share/fonts"))
	}
	var cuts []*sfnt.Font
	for _, cut := range ocrbCuts {
		f, err := readFont(filepath.Join(dirs[0], cut), filepath.Join(dirs[1], cut), filepath.Join(dirs[len(dirs)-1], cut))
		if err != nil {
			return nil, err
		}
		cuts = append(cuts, f)
	}
	return cuts, nil
}

func readFont(places ...string) (*sfnt.Font, error) {
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

type typefaces struct {
	regular, medium, bold *sfnt.Font
	ocrb                  []*sfnt.Font
}

// machineCut is the first cut of OCR-B with an outline for the character.
func (t *typefaces) machineCut(ch rune) (*sfnt.Font, error) {
	var buf sfnt.Buffer
	for _, f := range t.ocrb {
		i, err := f.GlyphIndex(&buf, ch)
		if err != nil || i == 0 {
			continue
		}
		if outline, err := f.LoadGlyph(&buf, i, fixed.I(100), nil); err == nil && len(outline) > 0 {
			return f, nil
		}
	}
	return nil, fmt.Errorf("the font OCR-B has no readable outline of %q", ch)
}

// faces are parsed once; a font is safe for concurrent use, a font.Face is not.
var faces = sync.OnceValues(func() (*typefaces, error) {
	t := &typefaces{}
	for _, f := range []struct {
		to  **sfnt.Font
		ttf []byte
	}{{&t.regular, goregular.TTF}, {&t.medium, gomedium.TTF}, {&t.bold, gobold.TTF}} {
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
