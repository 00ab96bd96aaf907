package web_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"image"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/web"
)

var shots = flag.String("shots", "", "write screenshots of every step into this folder")

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("PROOFLINE_REQUIRE") == "all" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// rules is the shipped policy with two rules of its own, so that the tests of
// the page do not depend on how strict the shipped thresholds are today.
var rules = func() *policy.Policy {
	y := strings.Replace(string(policy.DefaultYAML()), "\n  thresholds:\n", `
  thresholds:
    test_blur:
      {measure: document.sharpness, min: 1.1, code: capture.blurred, basis: guess}
    test_glare:
      {measure: document.glare_area, max: 0.01, code: capture.glare, basis: guess}
`, 1)
	p, err := policy.Parse([]byte(y))
	if err != nil {
		panic(err)
	}
	return p
}()

// site is the whole server in one process: real store, vault and gate, and a
// worker that runs the offline pipeline on each submission.
type site struct {
	t       *testing.T
	url     string
	store   *session.Store
	vault   *storage.Vault
	engines *pipeline.Engines
	service *client.Service
	work    sync.WaitGroup

	mu   sync.Mutex
	busy bool
	page http.Handler

	rules *policy.Policy
}

// embed says whose pages may embed the capture page.
func (s *site) embed(origins ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.page = web.Handler(origins...)
}

func newSite(t *testing.T, with ...*policy.Policy) *site {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	s := &site{t: t, rules: rules}
	if len(with) > 0 {
		s.rules = with[0]
	}
	rules := s.rules
	var err error
	if s.engines, err = pipeline.OpenEngines(pipeline.EnginesConfig{}); err != nil {
		var absent *models.MissingError
		if errors.As(err, &absent) {
			missing(t, err.Error())
		}
		t.Fatal(err)
	}
	t.Cleanup(s.engines.Close)
	if s.store, err = session.Open(ctx, "sqlite:"+filepath.Join(dir, "proofline.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	blobs, err := storage.OpenFS(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	keys, err := storage.OpenOrCreateKeyFile(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	s.vault = storage.NewVault(blobs, keys, s.store, time.Now)
	server := httptest.NewUnstartedServer(nil)
	s.url = "http://" + server.Listener.Addr().String()
	server.Config.Handler = api.New(api.Deps{
		Store: s.store, Vault: s.vault, Policy: rules, PublicURL: s.url, CapturePage: s.capturePage(),
		Gate: func(ctx context.Context, c policy.Cell, kind string, b []byte) (policy.GateAnswer, error) {
			return pipeline.GateIn(ctx, s.engines, c, kind, b)
		},
		Congested: func() (time.Duration, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return time.Second, s.busy
		},
		Submitted: func() { s.work.Go(s.verify) },
	})
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(s.work.Wait)
	_, secret, err := s.store.CreateAPIKey(ctx, session.Actor{Role: session.Operator, ID: "test"}, "acme", "test", api.Scopes(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.service = client.NewService(s.url, secret, nil)
	return s
}

func (s *site) capturePage() http.Handler {
	s.embed()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		page := s.page
		s.mu.Unlock()
		page.ServeHTTP(w, r)
	})
}

// verify decides every submitted session as the worker does.
func (s *site) verify() {
	ctx := context.Background()
	page, err := s.store.List(ctx, session.Filter{States: []session.State{session.Submitted}})
	if err != nil {
		s.t.Error(err)
		return
	}
	for _, ses := range page.Sessions {
		c := pipeline.Case{Documents: map[string][]byte{}, AsOf: specimen.ReferenceDate, Attempt: ses.Attempt, Context: policy.Context{DocumentType: ses.DocumentType}}
		evidence, err := s.store.Evidence(ctx, ses.ID, ses.Attempt)
		if err != nil {
			s.t.Error(err)
			return
		}
		for _, e := range evidence {
			o, err := s.store.GetObject(ctx, e.Object)
			if err == nil {
				c.Documents[e.Kind], err = s.vault.Read(ctx, o, 32<<20)
			}
			if err != nil {
				s.t.Error(err)
				return
			}
		}
		r, err := pipeline.Verify(ctx, s.engines, s.rules, c, nil)
		if err != nil {
			s.t.Error(err)
			return
		}
		s.t.Logf("decision %s %v", r.Decision.Outcome, r.Decision.Codes)
		if _, err := s.store.Apply(ctx, ses.ID, session.AnyVersion, session.Decided(session.Actor{Role: session.Worker, ID: "w"}, ses.Attempt, r.Decision), nil); err != nil {
			s.t.Error(err)
		}
	}
}

// camera is the file that Chromium's fake camera shows. Each time a page opens
// the camera, the file is read anew.
type camera struct {
	t    *testing.T
	path string
}

func newCamera(t *testing.T) *camera {
	return &camera{t, filepath.Join(t.TempDir(), "camera.mjpeg")}
}

// Frames of a phone held upright.
const frameW, frameH = 1440, 1920

func (c *camera) show(still image.Image) {
	c.t.Helper()
	var b bytes.Buffer
	if err := specimen.WriteMJPEG(&b, still, specimen.VideoOptions{Width: frameW, Height: frameH, Frames: 12, Shake: 1, Quality: 92}); err != nil {
		c.t.Fatal(err)
	}
	next := c.path + ".next"
	if err := os.WriteFile(next, b.Bytes(), 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.Rename(next, c.path); err != nil {
		c.t.Fatal(err)
	}
}

// document photographs a specimen's side as a phone held upright does.
func document(t *testing.T, side *image.RGBA, change func(*specimen.Camera)) image.Image {
	t.Helper()
	k := specimen.GoodCamera(5)
	k.Width, k.Height, k.Fill, k.Background, k.OffsetX, k.OffsetY = frameW, frameH, 0.78, specimen.Wood, 0, -0.15
	if change != nil {
		change(&k)
	}
	p, err := specimen.Photograph(side, k)
	if err != nil {
		t.Fatal(err)
	}
	return p.Image
}

// browser starts Chromium with a phone's screen.
func browser(t *testing.T, c *camera, flags map[string]any) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "chromium is not installed")
	}
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 800), chromedp.WSURLReadTimeout(2 * time.Minute)}
	all := map[string]any{
		"headless": true, "no-sandbox": true, "disable-gpu": true, "disable-quic": true, "no-first-run": true,
		"disable-background-networking": true, "disable-component-update": true, "disable-sync": true,
		"use-fake-ui-for-media-stream": true, "use-fake-device-for-media-stream": true, "hide-scrollbars": true,
		"lang": "en-GB", "accept-lang": "en-GB",
	}
	if c != nil {
		all["use-file-for-fake-video-capture"] = c.path
	}
	for k, v := range flags {
		all[k] = v
	}
	for k, v := range all {
		opts = append(opts, chromedp.Flag(k, v))
	}
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// The first action starts the browser, which lives as long as its context.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, 10*time.Minute) // a hang is ended by its step's minute
	t.Cleanup(cancel)
	return ctx
}

func phone(w, h int64, scale float64) chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(w, h, chromedp.EmulateScale(scale), chromedp.EmulateMobile, chromedp.EmulateTouch)
}

var desk = chromedp.EmulateViewport(1280, 800, chromedp.EmulateScale(1))

// blurredDocument is a file that the gate refuses.
func blurredDocument(t *testing.T) []byte {
	t.Helper()
	doc, err := specimen.New(11, specimen.Options{Portraits: portraits(t)})
	if err != nil {
		t.Fatal(err)
	}
	k := specimen.GoodCamera(5)
	k.Width, k.Height, k.Defocus = 1200, 900, 6
	p, err := specimen.Photograph(doc.Front(), k)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.JPEG(90)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scheme makes the page light or dark.
func scheme(value string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}},
		})
		return err
	})
}
