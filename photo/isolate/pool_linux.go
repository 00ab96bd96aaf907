package isolate

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// Pool hands photos to children. It is safe for concurrent use.
type Pool struct {
	o     Options
	log   *slog.Logger
	hello hello
	slots chan *child // nil: a child may be started

	closing  sync.Once
	replaced atomic.Int64
}

// Open starts the first child, so that an installation that can not isolate
// says so at start and not at the first photo.
func Open(o Options, log *slog.Logger) (*Pool, error) {
	p := &Pool{o: o.orDefault(), log: log}
	first, err := start(p.o)
	if err != nil {
		return nil, fmt.Errorf("start a process that decodes photos: %w", err)
	}
	p.hello = first.hello
	p.slots = make(chan *child, p.o.Processes)
	p.slots <- first
	for range p.o.Processes - 1 {
		p.slots <- nil
	}
	return p, nil
}

// Protections names what holds a child back, missing what this kernel or
// processor does not offer, with the reason.
func (p *Pool) Protections() (inForce, missing []string) { return p.hello.Protections, p.hello.Missing }

// Replaced is how many children died or were ended over a photo.
func (p *Pool) Replaced() int64 { return p.replaced.Load() }

// Takes tells whether photos of a format are decoded by the pool.
func (p *Pool) Takes(format string) bool {
	return p.o.Scope == All || p.o.Scope == HEIF && (format == "heic" || format == "avif")
}

// Decode is photo.Decode in a child. A child that dies over a photo gets a
// second chance in a fresh one, because something else on the machine may have
// ended it; one that hangs does not.
func (p *Pool) Decode(b []byte, l photo.Limits) (*photo.Image, error) {
	if int64(len(b)) > inputRoom || 3*int64(l.WorkPixels) > pixelRoom {
		return nil, fmt.Errorf("decode apart: %d bytes to %d pixels are more than the shared memory holds", len(b), l.WorkPixels)
	}
	var died error
	for range 2 {
		i, err := p.once(b, l)
		switch {
		case errors.Is(err, errDied):
			died = err
			continue
		case errors.Is(err, errSlow):
			return nil, &photo.Error{Code: photo.CodeCorrupt, Detail: fmt.Sprintf("decoding takes more than %v", p.o.Timeout)}
		}
		return i, err
	}
	if errors.Is(died, errMemory) {
		return nil, &photo.Error{Code: photo.CodeTooManyPixels, Detail: "decoding needs too much memory"}
	}
	return nil, &photo.Error{Code: photo.CodeCorrupt, Detail: "the decoder ends over this file"}
}

// What ends a child.
var (
	errDied   = errors.New("the decoding process ended")
	errMemory = fmt.Errorf("%w: no memory", errDied)
	errSlow   = errors.New("the decoding process did not answer in time")
)

// once lends a child, starting it where there is none, and puts it back or,
// where it is used up, an empty place.
func (p *Pool) once(b []byte, l photo.Limits) (*photo.Image, error) {
	c := <-p.slots
	defer func() { p.slots <- c }()
	if c == nil {
		var err error
		if c, err = start(p.o); err != nil {
			return nil, fmt.Errorf("start a process that decodes photos: %w", err)
		}
		if weaker := lost(p.hello.Protections, c.hello.Protections); weaker != "" {
			c.end()
			c = nil
			return nil, fmt.Errorf("start a process that decodes photos: without %s, which the first one had", weaker)
		}
	}
	a, err := c.ask(request{Bytes: int64(len(b)), Limits: l}, b, p.o.Timeout)
	if err != nil {
		how := c.end()
		if errors.Is(err, errDied) && c.outOfMemory() {
			err = errMemory
		}
		p.replaced.Add(1)
		p.log.Warn("a process that decodes photos is replaced", "reason", err, "exit", how)
		c = nil
		return nil, err
	}
	i, err := c.image(a, l)
	if c.clean(i); c.used >= p.o.Uses {
		c.end()
		c = nil
	}
	return i, err
}

func lost(before, now []string) string {
	for _, b := range before {
		if !strings.Contains(" "+strings.Join(now, " ")+" ", " "+b+" ") {
			return b
		}
	}
	return ""
}

// Close ends all children once they are done. Decode must not be called again.
func (p *Pool) Close() {
	p.closing.Do(func() {
		for range p.o.Processes {
			if c := <-p.slots; c != nil {
				c.end()
			}
		}
	})
}

// image checks an answer as what it is, outside input, and copies the pixels.
func (c *child) image(a answer, l photo.Limits) (*photo.Image, error) {
	text := strings.Join(append(a.Notes, a.Code, a.Detail, a.Format), "")
	switch {
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return nil, errors.New("decode apart: the answer holds what is no text")
	case a.Failed != "":
		return nil, fmt.Errorf("decode apart: %.100q", a.Failed)
	case a.Code != "":
		return nil, &photo.Error{Code: a.Code, Detail: a.Detail}
	}
	w, h := int64(a.Width), int64(a.Height)
	if w <= 0 || h <= 0 || w > int64(l.MaxSide) || h > int64(l.MaxSide) || w*h > int64(l.WorkPixels) ||
		a.Scale < 1/float64(l.MaxSide) || a.Scale > 1 || a.Orientation < 1 || a.Orientation > 8 || len(a.Notes) > 16 ||
		a.SourceWidth <= 0 || a.SourceWidth > l.MaxSide || a.SourceHeight <= 0 || a.SourceHeight > l.MaxSide {
		return nil, errors.New("decode apart: the answer contradicts the limits")
	}
	m := gocv.NewMatWithSize(a.Height, a.Width, gocv.MatTypeCV8UC3)
	pixels, err := m.DataPtrUint8()
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("decode apart: %w", err)
	}
	copy(pixels, c.shared[inputRoom:inputRoom+3*w*h])
	return &photo.Image{
		Mat: m, Format: a.Format, SourceWidth: a.SourceWidth, SourceHeight: a.SourceHeight,
		Scale: a.Scale, Orientation: a.Orientation, Notes: a.Notes,
	}, nil
}

// self is the binary that runs, also after an upgrade replaced its file.
const self = "/proc/self/exe"

// environment is what a child sees: what the linker and OpenMP need, nothing
// that holds a secret.
func environment() []string {
	env := []string{"OMP_THREAD_LIMIT=1", "GOMAXPROCS=2", "GOTRACEBACK=none"}
	if path := os.Getenv("LD_LIBRARY_PATH"); path != "" {
		env = append(env, "LD_LIBRARY_PATH="+path)
	}
	return env
}
