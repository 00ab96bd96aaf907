package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/webhook"
)

type demoCmd struct {
	Keep   string `help:"Keep the demo's data (database, encrypted evidence, keys, log) in this directory instead of a temporary one." placeholder:"DIR" type:"path"`
	Listen string `help:"Address of the capture page; a free port when it is taken." default:"127.0.0.1:8780"`
	Seed   int64  `help:"Another seed draws other documents and photos." default:"1"`
	Serve  string `help:"Go on serving until Ctrl-C: auto (when attached to a terminal), yes or no." enum:"auto,yes,no" default:"auto"`
}

func (demoCmd) Help() string {
	return "Starts `proofline up` on a data directory of its own and sends it, over the HTTP API, photos that are drawn for the occasion. Every stage is the real one. The last case shows a crash: the whole server is killed with SIGKILL while the case is being worked on, and started again.\n\nExit status: 0 when every case ended as expected, 3 otherwise."
}

// act is one case of the demo with the outcomes that are right for it.
type act struct {
	name   string
	kind   specimen.CaseKind
	expect []string
	crash  bool
}

var acts = []act{
	{name: "(a) good photos", kind: specimen.CaseGood, expect: []string{"approved"}},
	{name: "(b) blurred document", kind: specimen.CaseBlurred, expect: []string{"needs_resubmission"}},
	{name: "(c) another person's selfie", kind: specimen.CaseOtherPerson, expect: []string{"rejected", "pending_review"}},
	{name: "(d) selfie replayed on a screen", kind: specimen.CaseReplay, expect: []string{"rejected", "pending_review"}},
	{name: "(e) good photos, server killed", kind: specimen.CaseGood, expect: []string{"approved"}, crash: true},
}

func (c *demoCmd) Run(ctx context.Context) error {
	step := func(format string, a ...any) { fmt.Fprintf(os.Stderr, "demo: "+format+"\n", a...) }
	step("fetching what is missing of the models and the portraits for specimens")
	if err := models.Fetch(ctx, models.DefaultDir(), models.Default, nil); err != nil {
		return err
	}
	if err := specimen.FetchPortraits(ctx, "", nil); err != nil {
		return err
	}
	portraits, err := specimen.OpenPortraits("")
	if err != nil {
		return err
	}
	dir := c.Keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "proofline-demo-"); err != nil {
			return fmt.Errorf("make demo directory: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	d := &demo{dir: dir, portraits: portraits, seed: c.Seed}
	if err := d.prepare(ctx, c.Listen); err != nil {
		return err
	}
	defer d.hooks.close()
	step("starting `proofline up` in %s", dir)
	if err := d.start(ctx); err != nil {
		return err
	}
	defer d.stop()

	var rows [][]string
	failed := 0
	for i, a := range acts {
		step("running %s", a.name)
		r, err := d.play(ctx, a, c.Seed+int64(i))
		if err != nil {
			return fmt.Errorf("%s: %w%s", a.name, err, d.logTail())
		}
		if !r.asExpected {
			failed++
		}
		rows = append(rows, r.row)
	}
	fmt.Println()
	table(os.Stdout, []string{"case", "decision", "time", "webhook", "why"}, rows)
	fmt.Println()
	return c.finish(ctx, d, failed)
}

func (c *demoCmd) finish(ctx context.Context, d *demo, failed int) error {
	link, err := d.service.CreateSession(ctx, client.NewSession{DocumentType: "passport"}, "")
	if err != nil {
		return err
	}
	if failed > 0 {
		return exitError{code: 3, msg: fmt.Sprintf("demo: %d of %d cases did not end as expected", failed, len(acts))}
	}
	if c.Serve == "no" || c.Serve == "auto" && !term.IsTerminal(int(os.Stdout.Fd())) {
		fmt.Printf("capture page: %s (not attached to a terminal: stopping; --serve=yes keeps it)\n", link.CaptureURL)
		fmt.Printf("demo: all %d cases ended as expected\n", len(acts))
		return nil
	}
	fmt.Printf("demo: all %d cases ended as expected\n", len(acts))
	fmt.Printf("capture page, open it in a browser on this machine:\n  %s\nserving until Ctrl-C\n", link.CaptureURL)
	<-ctx.Done()
	return nil
}

// demo is a server of its own with what it needs to be talked to.
type demo struct {
	dir       string
	portraits *specimen.Portraits
	seed      int64
	address   string
	hooks     *hookReceiver
	service   *client.Service
	server    *exec.Cmd
	exited    chan struct{} // closed when the server is gone
}

// prepare makes the data directory with an API key, and the webhook receiver.
func (d *demo) prepare(ctx context.Context, listen string) error {
	s := settings{DataDir: d.dir}
	store, err := session.Open(ctx, s.storeDSN()) // makes it
	if err != nil {
		return fmt.Errorf("open session store: %w", err)
	}
	_, secret, err := store.CreateAPIKey(ctx, operator, defaultTenant, "demo", api.Scopes(), 0)
	if err := errors.Join(err, store.Close()); err != nil {
		return err
	}
	if d.address, err = freeAddress(listen); err != nil {
		return err
	}
	d.service = client.NewService("http://"+d.address, secret, nil)
	d.hooks, err = receiveHooks()
	return err
}

// freeAddress is the address asked for, or a free port when it is taken.
func freeAddress(want string) (string, error) {
	l, err := net.Listen("tcp", want)
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", fmt.Errorf("find a free port: %w", err)
		}
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (d *demo) logFile() string { return filepath.Join(d.dir, "demo.log") }

// withoutSettings leaves out the settings of the shell: the demo is a server on
// its defaults, and touches no queue, database or storage that somebody uses.
func withoutSettings(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.HasPrefix(name, "PROOFLINE_") && !slices.Contains(noSettings, name)
	})
}

// noSettings are variables of the name that say where files are, or that a test
// runs.
var noSettings = []string{"PROOFLINE_MODELS", "PROOFLINE_PORTRAITS", "PROOFLINE_OCRB_FONT", "PROOFLINE_TEST_MAIN"}

// start starts the server as a process of its own and waits until it is ready.
func (d *demo) start(ctx context.Context) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open demo log: %w", err)
	}
	defer log.Close()
	d.server = exec.Command(exe, "up", "--data-dir", d.dir, "--listen", d.address,
		"--webhook.url", d.hooks.url(), "--webhook.allow-private")
	d.server.Env = append(withoutSettings(os.Environ()), "PROOFLINE_WEBHOOK_SECRET="+d.hooks.secret)
	d.server.Stdout, d.server.Stderr = log, log
	d.server.SysProcAttr = dieWithParent()
	if err := d.server.Start(); err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	d.exited = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait() // what it has to say is in the log
		close(done)
	}(d.server, d.exited)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if resp, err := http.Get("http://" + d.address + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-d.exited:
			return fmt.Errorf("the server ended at once%s", d.logTail())
		case <-ctx.Done():
			return fmt.Errorf("server is not ready: %w%s", ctx.Err(), d.logTail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop ends the server as Ctrl-C would.
func (d *demo) stop() {
	if d.server == nil {
		return
	}
	_ = d.server.Process.Signal(os.Interrupt)
	select {
	case <-d.exited:
	case <-time.After(30 * time.Second):
		_ = d.server.Process.Kill()
	}
}

// logTail is the end of the server's log, for errors.
func (d *demo) logTail() string {
	b, err := os.ReadFile(d.logFile())
	if err != nil || len(b) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return "\nthe server's last words:\n  " + strings.Join(lines[max(0, len(lines)-8):], "\n  ")
}

type played struct {
	row        []string
	asExpected bool
}

// play sends one case through the API, as a capture client and a relying
// service would.
func (d *demo) play(ctx context.Context, a act, seed int64) (played, error) {
	cs, err := specimen.Stage(a.kind, seed, d.portraits, specimen.CaseOptions{})
	if err != nil {
		return played{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	created, err := d.service.CreateSession(ctx, client.NewSession{DocumentType: "passport", Claims: cs.Claims}, "")
	if err != nil {
		return played{}, err
	}
	capture := client.NewCapture("http://"+d.address, created.ClientToken, nil)
	if _, err := capture.GiveConsent(ctx, "demo-1", "en"); err != nil {
		return played{}, err
	}
	var notes []string
	for _, kind := range []string{"document_front", "selfie"} {
		photo, err := capture.Upload(ctx, kind, "", cs.Files[kind], "image/jpeg")
		if err != nil {
			return played{}, fmt.Errorf("upload %s: %w", kind, err)
		}
		if !photo.Accepted {
			// The gate asks for a better photo at once; here there is none.
			notes = append(notes, fmt.Sprintf("at upload: %q", hintText(photo.Hint)))
			if photo, err = capture.Insist(ctx, kind, "", cs.Files[kind], "image/jpeg"); err != nil {
				return played{}, fmt.Errorf("insist on %s: %w", kind, err)
			} else if !photo.Kept {
				return played{}, fmt.Errorf("%s was refused: %s", kind, strings.Join(photo.Codes, ", "))
			}
		}
	}
	start := time.Now()
	if _, err := capture.Submit(ctx); err != nil {
		return played{}, err
	}
	if a.crash {
		note, err := d.crash(ctx, created.Session.ID)
		if err != nil {
			return played{}, err
		}
		notes = append(notes, note)
	}
	ses, err := d.service.Wait(ctx, created.Session.ID)
	if err != nil {
		return played{}, err
	}
	took := time.Since(start)
	hooks, err := d.hooks.wait(ctx, ses.ID)
	if err != nil {
		return played{}, err
	}
	if ses.Decision == nil {
		return played{}, fmt.Errorf("session %s ended as %s without a decision", ses.ID, ses.State)
	}
	notes = append(notes, strings.Join(ses.Decision.Codes, ", "))
	if h := ses.Decision.Hint; h != nil {
		notes = append(notes, fmt.Sprintf("hint: %q", h.Text))
	}
	return played{
		row:        []string{a.name, ses.State, fmt.Sprintf("%.1f s", took.Seconds()), hooks, strings.Join(nonEmpty(notes), "; ")},
		asExpected: slices.Contains(a.expect, ses.State),
	}, nil
}

// crash kills the server in the middle of the case and starts it again.
func (d *demo) crash(ctx context.Context, id string) (string, error) {
	// Long enough for a worker to have taken the case, short enough for it not
	// to be done.
	time.Sleep(400 * time.Millisecond)
	ses, err := d.service.Get(ctx, id)
	if err != nil {
		return "", err
	}
	if err := d.server.Process.Kill(); err != nil {
		return "", fmt.Errorf("kill server: %w", err)
	}
	<-d.exited
	if err := d.start(ctx); err != nil {
		return "", err
	}
	return "killed while " + ses.State + ", started again", nil
}

func hintText(h *client.Hint) string {
	if h == nil {
		return ""
	}
	return h.Text
}

func nonEmpty(ss []string) []string {
	var out []string
	for _, s := range ss {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// hookReceiver is a relying service's webhook endpoint: it checks signatures
// and remembers what it got.
type hookReceiver struct {
	secret string
	l      net.Listener
	srv    *http.Server
	events chan session.Notice
}

func receiveHooks() (*hookReceiver, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	h := &hookReceiver{secret: webhook.NewSecret(), l: l, events: make(chan session.Notice, 256)}
	key, err := webhook.ParseKey(h.secret)
	if err != nil {
		return nil, err
	}
	h.srv = &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhook.MaxBody))
		if err == nil {
			err = webhook.Verify(body, r.Header, time.Now(), key)
		}
		var n session.Notice
		if err == nil {
			n, err = webhook.Parse(body)
		}
		if err != nil {
			http.Error(w, "bad webhook", http.StatusBadRequest)
			return
		}
		select {
		case h.events <- n:
		default:
		}
	})}
	go func() { _ = h.srv.Serve(l) }() // ends with close
	return h, nil
}

func (h *hookReceiver) url() string { return "http://" + h.l.Addr().String() + "/hooks" }
func (h *hookReceiver) close()      { h.srv.Close() }

// wait returns when the decision's event of the session has arrived.
func (h *hookReceiver) wait(ctx context.Context, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		select {
		case n := <-h.events:
			if n.Data.SessionID == id && n.Data.Outcome != "" {
				return "signature verified", nil
			}
		case <-ctx.Done():
			return "", fmt.Errorf("no webhook about the decision: %w", ctx.Err())
		}
	}
}
