package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows how far a long command is, on a terminal only; elsewhere it
// says so once a half minute.
type progress struct {
	mu    sync.Mutex
	name  string
	total int
	done  int
	start time.Time
	drawn time.Time
	live  bool
}

func newProgress(name string, total int) *progress {
	return &progress{name: name, total: total, start: time.Now(), drawn: time.Now(), live: term.IsTerminal(int(os.Stderr.Fd()))}
}

func (p *progress) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	every := 30 * time.Second
	if p.live {
		every = 100 * time.Millisecond
	}
	if time.Since(p.drawn) < every && p.done != p.total {
		return
	}
	p.drawn = time.Now()
	left := "?"
	if elapsed := time.Since(p.start); p.done > 0 {
		left = (elapsed * time.Duration(p.total-p.done) / time.Duration(p.done)).Round(time.Second).String()
	}
	if !p.live {
		fmt.Fprintf(os.Stderr, "%s: %d of %d\n", p.name, p.done, p.total)
		return
	}
	const width = 30
	n := width * p.done / max(p.total, 1)
	fmt.Fprintf(os.Stderr, "\r\x1b[K%s [%s%s] %d/%d, %s left", p.name, strings.Repeat("#", n), strings.Repeat("·", width-n), p.done, p.total, left)
	if p.done == p.total {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
