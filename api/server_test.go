package api_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/web"
)

// server is the API over a real store, a real vault and the pipeline's gate
// without models: photos are decoded and measured, nothing is detected.
type server struct {
	t       *testing.T
	url     string
	http    *httptest.Server
	store   *session.Store
	vault   *storage.Vault
	blobs   *storage.FS
	log     *logBuffer
	service *client.Service
	key     string
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newServer(t *testing.T, change func(*api.Deps)) *server {
	t.Helper()
	return newServerOn(t, "", change)
}

// newServerOn is newServer on a database; "" is a new SQLite file.
func newServerOn(t *testing.T, dsn string, change func(*api.Deps)) *server {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	s := &server{t: t, log: &logBuffer{}}
	var err error
	if dsn == "" {
		dsn = "sqlite:" + filepath.Join(dir, "proofline.db")
	}
	if s.store, err = session.Open(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	if s.blobs, err = storage.OpenFS(filepath.Join(dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.blobs.Close() })
	keys, err := storage.OpenOrCreateKeyFile(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	s.vault = storage.NewVault(s.blobs, keys, s.store, time.Now)
	s.http = httptest.NewUnstartedServer(nil)
	s.url = "http://" + s.http.Listener.Addr().String()
	rules := policy.Default()
	engines := &pipeline.Engines{}
	d := api.Deps{
		Store: s.store, Vault: s.vault, Policy: rules, PublicURL: s.url, CapturePage: web.Handler(),
		Gate: func(ctx context.Context, c policy.Cell, kind string, b []byte) (policy.GateAnswer, error) {
			return pipeline.GateIn(ctx, engines, c, kind, b)
		},
		Ready:   []api.Check{{Name: "store", Ping: s.store.Ping}},
		Log:     slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Metrics: prometheus.NewRegistry(),
		Limits:  api.Limits{PerKey: 10_000, PerAddress: 10_000, PhotosPerMinute: 1000},
	}
	if change != nil {
		change(&d)
	}
	s.http.Config.Handler = api.New(d)
	s.http.Start()
	t.Cleanup(s.http.Close)
	s.key = s.newKey("acme", api.Scopes()...)
	s.service = client.NewService(s.url, s.key, nil)
	return s
}

func (s *server) newKey(tenant string, scopes ...string) string {
	s.t.Helper()
	_, secret, err := s.store.CreateAPIKey(context.Background(), session.Actor{Role: session.Operator, ID: "test"}, tenant, "test", scopes, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return secret
}

// begin creates a session and gives consent.
func (s *server) begin(n client.NewSession) (*client.Created, *client.Capture) {
	s.t.Helper()
	made, err := s.service.CreateSession(context.Background(), n, "")
	if err != nil {
		s.t.Fatal(err)
	}
	c := client.NewCapture(s.url, made.ClientToken, nil)
	if _, err := c.GiveConsent(context.Background(), "capture-consent-1", "en"); err != nil {
		s.t.Fatal(err)
	}
	return made, c
}

// send makes a plain request and returns the answer with its body.
func (s *server) send(method, path, secret, contentType, body string, header map[string]string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		s.t.Fatal(err)
	}
	return resp, b.String()
}

// goodPhoto is a JPEG with contrast and fine detail, different for each seed.
func goodPhoto(t *testing.T, seed uint64) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	m := image.NewRGBA(image.Rect(0, 0, 1200, 900))
	for y := 0; y < 900; y += 12 {
		for x := 0; x < 1200; x += 12 {
			v := uint8(40 + r.IntN(170))
			for dy := range 12 {
				for dx := range 12 {
					m.SetRGBA(x+dx, y+dy, color.RGBA{v, v - 10, v - 20, 255})
				}
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
