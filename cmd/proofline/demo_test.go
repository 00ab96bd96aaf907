package main

import (
	"slices"
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

func TestTheDemoKeepsToItselfWhateverTheShellHasSet(t *testing.T) {
	got := withoutSettings([]string{"PATH=/bin", "PROOFLINE_STORE_DSN=postgres://prod", "PROOFLINE_QUEUE_ADDRESS=prod:6379", "PROOFLINE_CONFIG=/etc/proofline.yaml", "PROOFLINE_MODELS=/srv/models", "HOME=/root"})
	if want := []string{"PATH=/bin", "PROOFLINE_MODELS=/srv/models", "HOME=/root"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
