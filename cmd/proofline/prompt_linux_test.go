package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a pseudo-terminal: what a program on it shows can be read, and what
// is written to it is typed.
type terminal struct {
	*os.File
	slave *os.File

	mu    sync.Mutex
	shown bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	term := &terminal{File: master, slave: slave}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			term.mu.Lock()
			term.shown.Write(b[:n])
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return term
}

func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shown.String()
}

// echoes tells whether what is typed is shown.
func (t *terminal) echoes(tb testing.TB) bool {
	tb.Helper()
	state, err := unix.IoctlGetTermios(int(t.slave.Fd()), unix.TCGETS)
	if err != nil {
		tb.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

func TestCtrlCEndsTheQuestionForAPassword(t *testing.T) {
	tty := newTerminal(t)
	dir := filepath.Join(t.TempDir(), "data")
	cmd := program("user", "add", "eva", "--role", "reviewer", "--data-dir", dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty.slave, tty.slave, tty.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for deadline := time.Now().Add(time.Minute); !bytes.Contains([]byte(tty.text()), []byte("New password: ")) || tty.echoes(t); {
		select {
		case err := <-done:
			t.Fatalf("%v: %s", err, tty.text())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Kill()
			t.Fatalf("no question: %s", tty.text())
		}
	}
	if _, err := tty.WriteString("half a pass\x03"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 130 {
			t.Errorf("%v: %s", err, tty.text())
		}
	case <-time.After(time.Minute):
		_ = cmd.Process.Kill()
		t.Fatal("it still waits for the password")
	}
	if !tty.echoes(t) {
		t.Error("the terminal no longer shows what is typed")
	}
}
