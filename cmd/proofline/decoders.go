package main

import (
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/photo/isolate"
)

// decodeSettings say where photos are decoded.
type decodeSettings struct {
	Isolation string `help:"Photos decoded in restricted processes of their own: all, heif (HEIC and AVIF only, whose decoder is the most complex) or off. A 2-megapixel photo costs about 2 ms more, one of 12 about 40." enum:"all,heif,off" default:"all"`
	Processes int    `help:"Most of these processes at once. Each holds about 25 MB and the room of the last photo, and may take 640 MiB while it decodes. 0: as many as cores, at most 4." default:"0"`
}

func (d decodeSettings) options() isolate.Options {
	n := d.Processes
	if n <= 0 {
		n = min(4, runtime.NumCPU())
	}
	return isolate.Options{Scope: isolate.Scope(d.Isolation), Processes: n}
}

// isolate makes the whole process decode photos as the settings say, and tells
// what holds the decoders back. r may be nil. The returned function ends it.
func (d decodeSettings) isolate(log *slog.Logger, r prometheus.Registerer) (stop func(), err error) {
	if isolate.Scope(d.Isolation) == isolate.Off {
		log.Warn("photos are decoded in this process; decode.isolation is off")
		return func() {}, nil
	}
	pool, err := isolate.Open(d.options(), log)
	if err != nil {
		return nil, fmt.Errorf("%w; decode.isolation: off does without", err)
	}
	inForce, missing := pool.Protections()
	log.Info("photos are decoded apart", "which", d.Isolation, "held_back_by", strings.Join(inForce, " "))
	if len(missing) > 0 {
		log.Warn("the processes that decode photos are held back less than they could be", "missing", strings.Join(missing, "; "))
	}
	if r != nil {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "proofline_decoders_replaced_total", Help: "Processes that decode photos which died or hung over a photo and were replaced.",
		}, func() float64 { return float64(pool.Replaced()) }))
	}
	photo.DecodeBy(pool)
	return func() {
		photo.DecodeBy(nil)
		pool.Close()
	}, nil
}

// describe says for `proofline config` what would hold the decoders back here.
func (d decodeSettings) describe() (string, error) {
	if isolate.Scope(d.Isolation) == isolate.Off {
		return "decoders: in the server's own process (decode.isolation is off)", nil
	}
	o := d.options()
	o.Processes = 1
	pool, err := isolate.Open(o, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return "", err
	}
	defer pool.Close()
	inForce, missing := pool.Protections()
	line := "decoders: apart, held back by " + strings.Join(inForce, ", ")
	if len(missing) > 0 {
		line += "; missing " + strings.Join(missing, "; ")
	}
	return line, nil
}
