package ocr

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

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
	// NoWords leaves out the word list of the trained data: right for names,
	// wrong for captions.
	NoWords bool
	// MaxPixels bounds one image, because a running recognition can not be
	// interrupted; 0 means 16 million.
	MaxPixels int
}

// Pool lends a fixed number of warm Tesseract engines. It is safe for
// concurrent use. Start the process with OMP_THREAD_LIMIT=1: one thread per
// engine measures faster than engines that share lines among threads.
type Pool struct {
	free      chan *engine
	all       []*engine
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
	p := &Pool{free: make(chan *engine, o.Clients), closed: make(chan struct{}), maxPixels: o.MaxPixels}
	for range o.Clients {
		e, err := startEngine(o.Tessdata, o.Language)
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("ocr: start Tesseract with %q: %w", o.Language, err)
		}
		p.all = append(p.all, e)
		p.free <- e
	}
	return p, nil
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
			(<-p.free).close()
		}
	})
}

// take waits for a free engine, the context's end or the pool's.
func (p *Pool) take(ctx context.Context) (*engine, error) {
	select {
	case <-p.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case e := <-p.free:
		return e, nil
	case <-p.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("ocr: wait for an engine: %w", ctx.Err())
	}
}

// maxAspect bounds how long a line may be for its height. Tesseract scales a
// line to 36 pixels of height: one of 2200×1 would keep an engine for minutes.
const maxAspect = 300

func within(m gocv.Mat, maxPixels int) error {
	switch {
	case m.Empty():
		return errors.New("ocr: empty image")
	case m.Type() != gocv.MatTypeCV8UC1 && m.Type() != gocv.MatTypeCV8UC3:
		return fmt.Errorf("ocr: image type %v; 8-bit grey or BGR expected", m.Type())
	case max(m.Rows(), m.Cols()) > maxAspect*min(m.Rows(), m.Cols()):
		return fmt.Errorf("ocr: %d×%d pixels are no text", m.Cols(), m.Rows())
	case m.Rows()*m.Cols() > maxPixels:
		return fmt.Errorf("ocr: %d pixels; at most %d are read at once", m.Rows()*m.Cols(), maxPixels)
	}
	return nil
}
