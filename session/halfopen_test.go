package session

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/internal/testserver/cutter"
)

func TestADatabaseThatVanishesWithoutClosingItsConnectionsHoldsNobodyForever(t *testing.T) {
	u, err := url.Parse(testserver.Postgres(t).DSN)
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := filepath.Glob(filepath.Join(u.Query().Get("host"), ".s.PGSQL.*[0-9]"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("sockets %v, %v", sockets, err)
	}
	proxy := cutter.New(t, sockets[0])
	u.Host, u.RawQuery = proxy.Address(), "sslmode=disable"
	s := must[*Store](t)(Open(ctx, u.String()))
	t.Cleanup(func() { s.Close() })
	ses := must[*Session](t)(s.Create(ctx, newSession()))
	s.patience = 300 * time.Millisecond

	proxy.Swallow(true)
	// None of these has a deadline of its own, as loops in the background have none.
	// On a busy machine they end later than that; only what never ends is a fault.
	for name, op := range map[string]func() error{
		"read":  func() error { _, err := s.Get(ctx, ses.ID); return err },
		"list":  func() error { _, err := s.Pending(ctx, 10); return err },
		"write": func() error { _, err := s.Create(ctx, newSession()); return err },
		"apart": func() error { return s.MarkDispatched(ctx, "out_1") },
	} {
		done := make(chan error, 1)
		go func() { done <- op() }()
		select {
		case err := <-done:
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(time.Minute):
			t.Errorf("%s hangs", name)
		}
	}
	// Back again: connections that went silent are not used any more.
	proxy.Swallow(false)
	deadline := time.Now().Add(time.Minute)
	for ; ; time.Sleep(20 * time.Millisecond) {
		if _, err = s.Create(ctx, newSession()); err == nil {
			_, err = s.Get(ctx, ses.ID)
		}
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the database is back, and the store is not: %v", err)
		}
	}
}
