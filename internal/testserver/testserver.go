// Package testserver starts the real servers that tests talk to: [Redis],
// [Postgres] and [S3], each in a directory of its own on a unix socket or a
// free loopback port, never on a fixed one. They can be killed and restarted,
// for that is what the tests that need them are mostly about.
//
// A test that needs a server which is not installed is skipped, and fails
// instead when the environment says PROOFLINE_REQUIRE=all (or names it, as in
// PROOFLINE_REQUIRE=redis,s3): `make test` does, so nothing is skipped
// unnoticed there. [Missing] applies the same rule to other requirements.
package testserver

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const startTimeout = 2 * time.Minute

// Missing ends the test because something it needs is not there: it skips, or
// fails when PROOFLINE_REQUIRE asks for it. hint says how to get it.
func Missing(t testing.TB, what, hint string) {
	t.Helper()
	if Required(what) {
		t.Fatalf("%s is required by PROOFLINE_REQUIRE and is not available: %s", what, hint)
	}
	t.Skipf("%s is not available: %s", what, hint)
}

// Required tells whether PROOFLINE_REQUIRE is "all" or lists what.
func Required(what string) bool {
	names := strings.Split(os.Getenv("PROOFLINE_REQUIRE"), ",")
	return slices.Contains(names, "all") || slices.Contains(names, what)
}

// process is one server process that can be killed and started again with the
// same arguments.
type process struct {
	name  string
	args  []string
	env   []string
	cred  *syscall.Credential
	stop  syscall.Signal // asks for an orderly end
	death syscall.Signal // sent by the kernel when the test process dies
	log   string
	ready func() error
	again string // in the log: a start that failed for a reason that passes by itself

	cmd  *exec.Cmd
	done chan struct{}
	from int64 // where the log of the last start begins
}

// start runs the server and waits until it answers.
func (p *process) start() error {
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		err := p.startOnce()
		if err == nil || p.again == "" || !strings.Contains(err.Error(), p.again) || time.Now().After(deadline) {
			return err
		}
	}
}

func (p *process) startOnce() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close()
	if st, err := log.Stat(); err == nil {
		p.from = st.Size()
	}
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.cred, Pdeathsig: p.death}
	p.done = make(chan struct{})
	started := make(chan error)
	go func(cmd *exec.Cmd, done chan struct{}) {
		// Pdeathsig is tied to the thread that forked, so that thread must
		// live as long as the server does (golang/go#27505).
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the exit status of a killed server says nothing
		}
		close(done)
	}(p.cmd, p.done)
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	deadline := time.Now().Add(startTimeout)
	for {
		err := p.ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at start: %s", p.name, p.tail())
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			_ = p.signal(syscall.SIGKILL)
			return fmt.Errorf("%s does not answer after %s (%w): %s", p.name, startTimeout, err, p.tail())
		}
	}
}

// signal sends sig to the server's process group.
func (p *process) signal(sig syscall.Signal) error {
	if err := syscall.Kill(-p.cmd.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// kill ends the server and its children, which may have process groups of
// their own (those of PostgreSQL do) and outlive it by a moment.
func (p *process) kill() {
	pid := strconv.Itoa(p.cmd.Process.Pid)
	_ = p.signal(syscall.SIGSTOP) // so that it starts no more of them
	list, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	_ = p.signal(syscall.SIGKILL)
	<-p.done
	if err != nil {
		return
	}
	for _, child := range strings.Fields(string(list)) {
		n, err := strconv.Atoi(child)
		if err != nil {
			continue
		}
		_ = syscall.Kill(n, syscall.SIGKILL)
		for range 6000 {
			stat, err := os.ReadFile(filepath.Join("/proc", child, "stat"))
			if err != nil || bytes.Contains(stat, []byte(") Z ")) {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// end sends sig and waits until the process is gone.
func (p *process) end(sig syscall.Signal) {
	_ = p.signal(sig)
	_ = p.signal(syscall.SIGCONT) // a paused process can not end
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.kill()
	}
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// server is what a test holds of a process.
type server struct {
	t testing.TB
	p *process
}

// Stop ends the server in its orderly way.
func (s server) Stop() { s.p.end(s.p.stop) }

// Kill ends the server at once, as kill -9 does.
func (s server) Kill() { s.p.kill() }

// Pause freezes the server: connections stay open and nothing is answered. The
// kernel stops its threads one by one; the last of them has stopped at the return.
func (s server) Pause() {
	s.t.Helper()
	s.check(s.p.signal(syscall.SIGSTOP))
	for end := time.Now().Add(startTimeout); !s.p.still(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s does not stop", s.p.name)
		}
	}
}

// still says whether no thread runs: proc_pid_stat(5) has the state behind the name.
func (p *process) still() bool {
	list, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "task", "*", "stat"))
	for _, f := range list {
		if b, err := os.ReadFile(f); err == nil && !bytes.Contains(b, []byte(") T ")) {
			return false
		}
	}
	return true
}

// Resume lets a paused server go on.
func (s server) Resume() { s.t.Helper(); s.check(s.p.signal(syscall.SIGCONT)) }

// Restart starts the server again on the same address and data, killing it
// first if it still runs.
func (s server) Restart() {
	s.t.Helper()
	if s.p.running() {
		s.Kill()
	}
	s.check(s.p.start())
}

func (s server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", s.p.name, err)
	}
}

// own starts a process that belongs to one test: it ends with it, and its log
// is shown if the test failed. remake, which may choose another port, is asked
// for the process again when the start fails.
func own(t testing.TB, remake func() *process) server {
	t.Helper()
	var err error
	for range 3 {
		s := server{t, remake()}
		if err = s.p.start(); err != nil {
			continue
		}
		t.Cleanup(func() {
			if s.p.running() {
				s.Kill()
			}
			if t.Failed() {
				t.Logf("last lines of %s:\n%s", s.p.name, s.p.tail())
			}
		})
		return s
	}
	t.Fatal(err)
	return server{}
}

func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(b[min(p.from, int64(len(b))):]), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}

// tempDir is like t.TempDir, but short: the path of a unix socket must fit
// into 107 bytes, and t.TempDir contains the test's name.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pl-")
	if err != nil {
		t.Fatalf("make a directory for a test server: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// FreeAddress is a loopback address, host:port, that nobody listens on. Its port is
// none of those that the kernel gives to whoever asks for any, so that no connection
// and no other test's server takes it before the caller's server does, or while that
// is down.
func FreeAddress(t testing.TB) string {
	t.Helper()
	first := 0
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(b), &first)
	}
	const lowest = 10_000
	for try := 0; ; try++ {
		address := "127.0.0.1:0"
		if try < 100 && first > 2*lowest {
			address = fmt.Sprintf("127.0.0.1:%d", lowest+rand.IntN(first-lowest))
		}
		l, err := net.Listen("tcp", address)
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
		if try > 100 {
			t.Fatalf("find a free port: %v", err)
		}
	}
}

// freePort is the port of a [FreeAddress]. Another process may take it before the
// server does; callers start once more then.
func freePort(t testing.TB) int {
	t.Helper()
	_, port, err := net.SplitHostPort(FreeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tool finds a binary that the set-up scripts built into .tools/bin, or on
// PATH.
func tool(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			continue
		}
		path := filepath.Join(dir, ".tools", "bin", name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(name)
}
