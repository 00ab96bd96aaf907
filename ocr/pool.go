package ocr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"sync"

	"github.com/otiai10/gosseract/v2"
	"gocv.io/x/gocv"
)

// ErrClosed is returned by a pool that has been closed.
var ErrClosed = errors.New("ocr: pool is closed")

// PoolOptions says which engines a pool holds.
type PoolOptions struct {
	// Tessdata is the directory of LANGUAGE.traineddata; empty means the one
	// that the system's Tesseract installs for English.
	Tessdata string
	// Language is the name of the trained data, of a language ("eng") or of a
	// script ("Latin"); empty means "eng".
	Language string
	// Clients is the number of engines, and with that of reads at a time;
	// 0 means 1.
	Clients int
	// NoWords leaves out the word list of the trained data, which Tesseract
	// loads for its own text lines whatever load_system_dawg says: right for
	// names, wrong for captions.
	NoWords bool
	// MaxPixels bounds one image, because a running recognition can not be
	// interrupted; 0 means 16 million.
	MaxPixels int
}

// Pool lends a fixed number of warm Tesseract engines. It is safe for
// concurrent use. Start the process with OMP_THREAD_LIMIT=1: one thread per
// engine measures faster than engines that share lines among threads.
type Pool struct {
	free      chan *gosseract.Client
	all       []*gosseract.Client
	closed    chan struct{}
	once      sync.Once
	maxPixels int
}

// NewPool starts all engines, so that wrong options fail here.
func NewPool(o PoolOptions) (*Pool, error) {
	if o.Language == "" {
		o.Language = "eng"
	}
	if o.Clients <= 0 {
		o.Clients = 1
	}
	if o.MaxPixels <= 0 {
		o.MaxPixels = 16e6
	}
	if o.Tessdata == "" {
		dir, err := SystemTessdata(o.Language)
		if err != nil {
			return nil, err
		}
		o.Tessdata = dir
	}
	file := filepath.Join(o.Tessdata, o.Language+trainedSuffix)
	if _, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("ocr: trained data of %q: %w", o.Language, err)
	}
	if o.NoWords {
		dir, err := withoutWords(o.Tessdata, o.Language)
		if err != nil {
			return nil, fmt.Errorf("ocr: trained data of %q: %w", o.Language, err)
		}
		defer os.RemoveAll(dir) // the engines have read it when they are started
		o.Tessdata = dir
	}
	p := &Pool{free: make(chan *gosseract.Client, o.Clients), closed: make(chan struct{}), maxPixels: o.MaxPixels}
	for range o.Clients {
		c, err := start(o)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("ocr: start Tesseract with %q: %w", o.Language, err)
		}
		p.all = append(p.all, c)
		p.free <- c
	}
	return p, nil
}

// start makes a client and reads a blank image, because gosseract loads the
// trained data at the first read.
func start(o PoolOptions) (*gosseract.Client, error) {
	c := gosseract.NewClient()
	blank := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(255, 0, 0, 0), 32, 64, gocv.MatTypeCV8UC1)
	defer blank.Close()
	err := errors.Join(
		c.SetTessdataPrefix(o.Tessdata),
		c.SetLanguage(o.Language),
		c.DisableOutput(),
		// Without the word lists of the older engine: names and numbers are no
		// dictionary words.
		c.SetVariable("load_system_dawg", "0"),
		c.SetVariable("load_freq_dawg", "0"),
		setImage(c, blank),
	)
	if err == nil {
		_, err = c.Text()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// SystemTessdata finds the directory where the system's packages put the
// trained data of a language.
func SystemTessdata(language string) (string, error) {
	var dirs []string
	if d := os.Getenv("TESSDATA_PREFIX"); d != "" {
		dirs = append(dirs, d, filepath.Join(d, "tessdata"))
	}
	for _, pattern := range []string{"/usr/share/tesseract-ocr/*/tessdata", "/usr/share/tessdata", "/usr/local/share/tessdata", "/opt/homebrew/share/tessdata"} {
		m, _ := filepath.Glob(pattern) // only a malformed pattern is an error
		for _, d := range m {
			dirs = append(dirs, d, filepath.Join(d, "script"))
		}
	}
	for _, d := range dirs {
		if _, err := os.Stat(filepath.Join(d, language+".traineddata")); err == nil {
			return d, nil
		}
	}
	return "", fmt.Errorf("ocr: no %s.traineddata in %v; install tesseract-ocr-%s or set TESSDATA_PREFIX", language, dirs, language)
}

// Close waits for reads under way and frees all engines.
func (p *Pool) Close() {
	p.once.Do(func() {
		close(p.closed)
		for range p.all {
			(<-p.free).Close()
		}
	})
}

// take waits for a free engine, the context's end or the pool's.
func (p *Pool) take(ctx context.Context) (*gosseract.Client, error) {
	select {
	case <-p.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case c := <-p.free:
		return c, nil
	case <-p.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("ocr: wait for an engine: %w", ctx.Err())
	}
}

// setImage hands m over without compression; Leptonica reads PNM and BMP.
func setImage(c *gosseract.Client, m gocv.Mat) error {
	ext := gocv.FileExt(".bmp")
	if m.Channels() == 1 {
		ext = ".pgm"
	}
	b, err := gocv.IMEncode(ext, m)
	if err != nil {
		return fmt.Errorf("encode image for Tesseract: %w", err)
	}
	defer b.Close()
	return c.SetImageFromBytes(b.GetBytes())
}

func within(m gocv.Mat, maxPixels int) error {
	switch {
	case m.Empty():
		return errors.New("ocr: empty image")
	case m.Type() != gocv.MatTypeCV8UC1 && m.Type() != gocv.MatTypeCV8UC3:
		return fmt.Errorf("ocr: image type %v; 8-bit grey or BGR expected", m.Type())
	case m.Rows()*m.Cols() > maxPixels:
		return fmt.Errorf("ocr: %d pixels; at most %d are read at once", m.Rows()*m.Cols(), maxPixels)
	}
	return nil
}

func bounds(r image.Rectangle) (x, y, w, h float64) {
	return float64(r.Min.X), float64(r.Min.Y), float64(r.Dx()), float64(r.Dy())
}
