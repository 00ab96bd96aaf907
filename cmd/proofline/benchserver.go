package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/session"
)

// benchServer is what bench puts load on when it starts the server itself: one
// process of everything, or an API and workers as on several machines.
type benchServer struct {
	dir     string
	remove  bool
	url     string
	keys    []string
	metrics []string
	parts   []benchPart
	env     []string
}

type benchPart struct {
	name   string
	cmd    *exec.Cmd
	exited chan struct{}
}

// benchKeys is how many API keys the load is spread over: each has a limit of
// requests a minute that a real relying service's key has, too.
const benchKeys = 4

func (c *benchCmd) startServer(ctx context.Context, k *kong.Context) (_ *benchServer, err error) {
	s := &benchServer{dir: c.Keep}
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "proofline-bench-"); err != nil {
			return nil, fmt.Errorf("bench: make data directory: %w", err)
		}
		s.remove = true
	} else if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("bench: make data directory: %w", err)
	}
	defer func() {
		if err != nil {
			s.stop()
		}
	}()
	c.DataDir = s.dir
	alone := c.Queue.Address == ""
	if err := c.validate(alone); err != nil {
		return nil, exitError{code: 2, msg: fmt.Sprintf("bench: settings of the server:\n%v", err)}
	}
	if s.keys, err = c.prepareStore(ctx); err != nil {
		return nil, err
	}
	listen, err := freeAddress("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + listen
	env := append(os.Environ(), c.environment(k)...)
	args := []string{"--data-dir", s.dir, "--listen", listen, "--trusted-proxies", "127.0.0.1/32"}
	if alone {
		args = append([]string{"up", "--worker.concurrency", fmt.Sprint(c.Workers)}, args...)
		return s, s.start(ctx, "up", listen, args, env)
	}
	if err := s.start(ctx, "serve", listen, append([]string{"serve"}, args...), env); err != nil {
		return nil, err
	}
	s.env = env
	if c.Backlog {
		return s, nil
	}
	return s, s.startWorkers(ctx, c.Workers)
}

func (s *benchServer) startWorkers(ctx context.Context, n int) error {
	for i := range n {
		at, err := freeAddress("127.0.0.1:0")
		if err != nil {
			return err
		}
		name := fmt.Sprintf("worker %d", i+1)
		if err := s.start(ctx, name, at, []string{"worker", "--data-dir", s.dir, "--worker.concurrency", "1", "--worker.listen", at}, s.env); err != nil {
			return err
		}
	}
	return nil
}

// prepareStore makes API keys, in a store without sessions.
func (c *benchCmd) prepareStore(ctx context.Context) (keys []string, err error) {
	store, err := session.Open(ctx, c.storeDSN())
	if err != nil {
		return nil, fmt.Errorf("bench: open session store: %w", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	page, err := store.List(ctx, session.Filter{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(page.Sessions) > 0 && !c.Used {
		return nil, exitError{code: 2, msg: "bench: the session store holds sessions already; use an empty one (or --used, never on a system that serves people)"}
	}
	for range benchKeys {
		_, secret, err := store.CreateAPIKey(ctx, operator, defaultTenant, "bench", api.Scopes(), 24*time.Hour)
		if err != nil {
			return nil, err
		}
		keys = append(keys, secret)
	}
	return keys, nil
}

// environment is bench's own settings for the processes that it starts. Not as
// arguments: they hold passwords, and every user of a machine sees arguments.
func (c *benchCmd) environment(k *kong.Context) []string {
	settings := map[string]bool{}
	for _, n := range k.Model.Children {
		if n.Name == "up" {
			for _, f := range n.Flags {
				settings[f.Name] = true
			}
		}
	}
	var out []string
	for _, f := range k.Selected().Flags {
		if !settings[f.Name] || len(f.Envs) == 0 || f.Name == "help" || f.Name == "data-dir" || f.Name == "listen" {
			continue
		}
		text := fmt.Sprint(k.FlagValue(f))
		if list, ok := k.FlagValue(f).([]string); ok {
			text = strings.Join(list, ",")
		}
		if text != "" && text != f.Default {
			out = append(out, f.Envs[0]+"="+text)
		}
	}
	return out
}

func (s *benchServer) log(name string) string {
	return filepath.Join(s.dir, "bench-"+strings.ReplaceAll(name, " ", "-")+".log")
}

// start starts one process and waits until it is ready.
func (s *benchServer) start(ctx context.Context, name, listen string, args, env []string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	log, err := os.OpenFile(s.log(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("bench: open log: %w", err)
	}
	defer log.Close()
	p := benchPart{name: name, cmd: exec.Command(exe, args...), exited: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = env, log, log, dieWithParent()
	// The kernel ends the server with the thread that started it, so that thread
	// stays until the server is gone (golang/go#27505).
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.exited)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // what it has to say is in the log
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("bench: start %s: %w", name, err)
	}
	s.parts = append(s.parts, p)
	s.metrics = append(s.metrics, "http://"+listen+"/metrics")
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if resp, err := http.Get("http://" + listen + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.exited:
			return fmt.Errorf("bench: %s ended at once%s", name, tailOf(s.log(name)))
		case <-ctx.Done():
			return fmt.Errorf("bench: %s is not ready: %w%s", name, ctx.Err(), tailOf(s.log(name)))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *benchServer) processes() (names []string, pids []int) {
	for _, p := range s.parts {
		names, pids = append(names, p.name), append(pids, p.cmd.Process.Pid)
	}
	return names, pids
}

// stop ends the processes, workers first, and removes what they left.
func (s *benchServer) stop() {
	for i := len(s.parts) - 1; i >= 0; i-- {
		p := s.parts[i]
		_ = p.cmd.Process.Signal(os.Interrupt)
		select {
		case <-p.exited:
		case <-time.After(30 * time.Second):
			_ = p.cmd.Process.Kill()
			<-p.exited
		}
	}
	if s.remove {
		os.RemoveAll(s.dir)
	}
}

func tailOf(file string) string {
	b, err := os.ReadFile(file)
	if err != nil || len(b) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return "\nits last words:\n  " + strings.Join(lines[max(0, len(lines)-8):], "\n  ")
}
