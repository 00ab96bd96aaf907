package main

import (
	"testing"
)

// The demo starts with nothing: other commands refuse a directory without a
// system, it makes one.
func TestTheDemoMakesItsOwnSystem(t *testing.T) {
	d := &demo{dir: t.TempDir()}
	if err := d.prepare(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	_ = d.hooks.srv.Close()
	if d.service == nil || d.address == "" {
		t.Error("no address or no key")
	}
}
