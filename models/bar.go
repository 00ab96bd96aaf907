package models

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// NewBar returns a [Progress] for people: on a terminal one line per model
// that fills up, elsewhere one line per finished step.
func NewBar(w io.Writer) Progress {
	b := &bar{w: w, now: time.Now, width: 24}
	if f, ok := w.(*os.File); ok {
		b.live = term.IsTerminal(int(f.Fd()))
	}
	return b.event
}

type bar struct {
	w     io.Writer
	live  bool
	width int
	now   func() time.Time
	drawn time.Time
}

func (b *bar) event(e Event) {
	switch e.Kind {
	case Present:
		b.line("present    %-17s %s", e.Model.Role, e.Model.File)
	case Installed:
		b.line("installed  %-17s %s (%s, SHA-256 verified)", e.Model.Role, e.Model.File, size(e.Model.Size))
	case Failed:
		b.line("failed     %-17s %v", e.Model.Role, e.Err)
	case Downloading:
		if !b.live {
			if e.Bytes == 0 {
				b.line("fetching   %-17s from %s", e.Model.Role, e.Source)
			}
			return
		}
		if e.Bytes > 0 && e.Bytes < e.Total && b.now().Sub(b.drawn) < 50*time.Millisecond {
			return
		}
		b.drawn = b.now()
		if e.Total == 0 {
			fmt.Fprintf(b.w, "\r\x1b[Kfetching   %-17s from %s …", e.Model.Role, e.Source)
			return
		}
		done := int(int64(b.width) * e.Bytes / e.Total)
		fmt.Fprintf(b.w, "\r\x1b[Kfetching   %-17s [%s%s] %3d%% of %s", e.Model.Role,
			strings.Repeat("#", done), strings.Repeat("·", b.width-done), 100*e.Bytes/e.Total, size(e.Total))
	}
}

func (b *bar) line(format string, args ...any) {
	if b.live {
		format = "\r\x1b[K" + format
	}
	fmt.Fprintf(b.w, format+"\n", args...)
}
