package reader

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/proofline/proofline/mrz"
	"github.com/proofline/proofline/photo"
	"gocv.io/x/gocv"
)

// Options of a Reader.
type Options struct {
	// Clients is the number of photos read at a time; 0 means one per core.
	Clients int
}

// Reader reads zones. It is safe for concurrent use and is meant to be kept:
// its networks are loaded once.
type Reader struct {
	free chan *network
	all  []*network
	once sync.Once
	done chan struct{}
}

// ErrClosed is returned by a Reader that has been closed.
var ErrClosed = errors.New("mrz reader is closed")

// New loads the recogniser once per client.
func New(o Options) (*Reader, error) {
	if o.Clients <= 0 {
		o.Clients = runtime.NumCPU()
	}
	r := &Reader{free: make(chan *network, o.Clients), done: make(chan struct{})}
	for range o.Clients {
		n, err := newNetwork()
		if err != nil {
			r.Close()
			return nil, err
		}
		r.all = append(r.all, n)
		r.free <- n
	}
	return r, nil
}

// Close waits for reads under way and frees the networks.
func (r *Reader) Close() {
	r.once.Do(func() {
		close(r.done)
		for range r.all {
			(<-r.free).close()
		}
	})
}

// Result is what was found in one photo.
type Result struct {
	Found  bool   `json:"found"`
	Format string `json:"format,omitempty"`
	// Lines are the printed lines as read, repairs included.
	Lines []string `json:"lines"`
	// Document is what Lines say. Its Valid knows nothing of how surely the
	// lines were read; decide by the Valid below.
	Document *mrz.Document `json:"-"`
	// Valid means that all check digits hold and that every character, also
	// those no check digit covers, was read without real doubt.
	Valid bool `json:"valid"`
	// Confidence is the smallest probability of a character that was
	// accepted, 0 to 1.
	Confidence float64 `json:"confidence"`
	// Characters holds the probability of each character, line by line.
	Characters [][]float64 `json:"characters,omitempty"`
	Repairs    []Repair    `json:"repairs"`
	// Region bounds the lines in pixels of the photo, its first corner at the
	// upper left of the text as read; Rotation is the clockwise turn in
	// degrees, to the nearest 90, that brings the text upright.
	Region   photo.Quad `json:"region"`
	Rotation int        `json:"rotation"`
}

// Repair is one character that differs from the recogniser's first choice.
// Line and Column count from 1; Why is "check digits", "state codes" or
// "field grammar".
type Repair struct {
	Line   int    `json:"line"`
	Column int    `json:"column"`
	From   string `json:"from"`
	To     string `json:"to"`
	Why    string `json:"why"`
}

// worker is what one read holds.
type worker struct {
	net    *network
	levels *levels
}

// Read finds and reads the zone in an 8-bit BGR or grey image: a whole photo
// or a straightened document. The context is looked at between steps, each of
// which takes milliseconds.
func (r *Reader) Read(ctx context.Context, m gocv.Mat) (*Result, error) {
	none := &Result{Lines: []string{}, Repairs: []Repair{}}
	grey, err := greyOf(m)
	if err != nil {
		return nil, err
	}
	defer grey.Close()
	if min(grey.Rows(), grey.Cols()) < 16 {
		return none, nil
	}
	var net *network
	select {
	case <-r.done:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for an MRZ recogniser: %w", ctx.Err())
	case net = <-r.free:
	}
	defer func() { r.free <- net }()
	lv, err := newLevels(grey)
	if err != nil {
		return nil, fmt.Errorf("scale photo for MRZ: %w", err)
	}
	defer lv.close()
	w := &worker{net: net, levels: lv}
	res, err := w.search(ctx, grey)
	if err != nil || res == nil {
		return none, err
	}
	return res, nil
}

func greyOf(m gocv.Mat) (gocv.Mat, error) {
	switch {
	case m.Empty():
		return gocv.Mat{}, errors.New("mrz reader: empty image")
	case m.Type() == gocv.MatTypeCV8UC1:
		return m.Clone(), nil
	case m.Type() == gocv.MatTypeCV8UC3:
		g := gocv.NewMat()
		if err := gocv.CvtColor(m, &g, gocv.ColorBGRToGray); err != nil {
			g.Close()
			return gocv.Mat{}, fmt.Errorf("mrz reader: to grey: %w", err)
		}
		return g, nil
	}
	return gocv.Mat{}, fmt.Errorf("mrz reader: image type %v; 8-bit grey or BGR expected", m.Type())
}
