// Package cutter is a bad network for tests: a TCP proxy in front of a server
// that breaks all connections after a number of bytes, wherever those fall.
package cutter

import (
	"net"
	"strings"
	"sync"
	"testing"
)

// Proxy forwards connections to one server.
type Proxy struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	mute  bool  // bytes vanish, and nobody is told
	left  int64 // bytes until the next cut; negative: none
	next  func(cuts int) int64
	cuts  int
	conns map[net.Conn]bool
}

// New starts a proxy in front of host:port or a socket's path, whole until CutAfter.
func New(t testing.TB, server string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: l, server: server, left: -1, conns: map[net.Conn]bool{}}
	go p.accept()
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.drop()
	})
	return p
}

// URL is the proxy's address.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// CutAfter breaks all connections once n more bytes have passed, in either
// direction; negative: never.
func (p *Proxy) CutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.next = n, nil
}

// CutAgain breaks all connections again and again: next is told how often they
// were cut and says after how many more bytes the next cut comes; negative: never.
// No byte passes between a cut and that answer.
func (p *Proxy) CutAgain(next func(cuts int) int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.next = next(p.cuts), next
}

// Swallow makes every byte vanish, in both directions and without an end: a peer
// that is gone without a word, as after a power cut or behind a firewall that
// forgot the connection. New connections are taken and stay silent as well.
func (p *Proxy) Swallow(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = on
}

func (p *Proxy) muted() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mute
}

// Address is where the proxy listens, host:port.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Cuts is how often the line was cut.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

func (p *Proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		network := "tcp"
		if strings.HasPrefix(p.server, "/") {
			network = "unix"
		}
		out, err := net.Dial(network, p.server)
		if err != nil {
			in.Close()
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		go p.pipe(out, in)
		go p.pipe(in, out)
	}
}

// pipe copies until either side ends. A cut passes the bytes before it on.
func (p *Proxy) pipe(to, from net.Conn) {
	defer func() {
		to.Close()
		from.Close()
		p.mu.Lock()
		delete(p.conns, to)
		delete(p.conns, from)
		p.mu.Unlock()
	}()
	buf, silent := make([]byte, 16<<10), false
	for {
		n, err := from.Read(buf)
		if n > 0 && p.muted() {
			silent = true
		}
		if silent && err == nil {
			continue // also once the network is back: these bytes are lost
		}
		pass, cut := p.take(int64(n))
		if _, werr := to.Write(buf[:pass]); werr != nil || err != nil || cut {
			return
		}
	}
}

// take tells how many of n bytes still pass, and whether the line is cut there.
func (p *Proxy) take(n int64) (pass int64, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left < 0 || n == 0 {
		return n, false
	}
	if n <= p.left {
		p.left -= n
		return n, false
	}
	pass = p.left
	p.left, p.cuts = -1, p.cuts+1
	if p.next != nil {
		p.left = p.next(p.cuts)
	}
	p.drop()
	return pass, true
}

// drop breaks every connection, without the polite end of TCP where it can.
func (p *Proxy) drop() {
	for c := range p.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
		c.Close()
	}
}
