package api_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/photo/isolate"
)

// This binary decodes photos apart as the server's does: the same program under
// another first argument.
func TestMain(m *testing.M) {
	if isolate.IsChild() {
		os.Exit(isolate.Child())
	}
	os.Exit(m.Run())
}

// The decoder is the real one, held to less memory than it has by default, so
// that a photo within the server's bounds ends its process.
func TestAPhotoThatEndsTheDecoderIsAnsweredAndTheNextOneIsTaken(t *testing.T) {
	if testing.Short() {
		t.Skip("with the race detector its memory would count as the photo's")
	}
	pool, err := isolate.Open(isolate.Options{Processes: 1, Memory: 96 << 20}, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	photo.DecodeBy(pool)
	t.Cleanup(func() {
		photo.DecodeBy(nil)
		pool.Close()
	})
	s := newServer(t, nil)
	_, c := s.begin(client.NewSession{})
	upload := func(file []byte) *client.Photo {
		t.Helper()
		p, err := c.Upload(context.Background(), "document_front", "passport", file, "image/png")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := upload(hugePNG(5_000, 5_000, true)) // 100 MB of pixels
	if p.Accepted || p.Hint == nil || p.Hint.Code != "capture.too_large" || p.Hint.Text == "" {
		t.Errorf("answer %+v, hint %+v", p, p.Hint)
	}
	if n := pool.Replaced(); n != 2 { // each photo has a second chance
		t.Errorf("%d processes ended over it", n)
	}
	if p := upload(goodPhoto(t, 1)); !p.Accepted {
		t.Errorf("the next photo: %+v", p)
	}
}
