package pipeline

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// helper runs this test binary as a worker process when the environment says
// so. It never returns then: the test kills it.
func helper() bool {
	if n := os.Getenv(beNode); n != "" {
		runNode(n)
	}
	dir := os.Getenv("PROOFLINE_TEST_WORKER")
	if dir == "" {
		return false
	}
	w := openWorld(dying{}, dir, os.Getenv("PROOFLINE_TEST_QUEUE"))
	ss, _ := passing()
	for i, s := range ss {
		inner := s.Run
		ss[i].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) {
			fmt.Println("stage", s.Name)
			if s.Name == os.Getenv("PROOFLINE_TEST_HANG") {
				select {} // until kill -9
			}
			return inner(ctx, r)
		}
	}
	c := w.config()
	c.ID = "helper"
	k, err := NewWorker(c)
	if err != nil {
		panic(err)
	}
	k.stages = ss
	if err := k.Start(); err != nil {
		panic(err)
	}
	NewDispatcher(w.store, w.queue, nil).Start()
	newReconciler(w.store, w.queue, nil, 200*time.Millisecond, time.Second, time.Hour).Start()
	select {}
}

// dying is the testing.TB of a process that is no test.
type dying struct{ testing.TB }

func (dying) Helper()           {}
func (dying) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
func (dying) Cleanup(func())    {}
func (dying) Failed() bool      { return false }

// process starts a worker process on the world in dir, and returns it with the
// names of the stages that it enters.
func process(t *testing.T, dir, queue, hang string) (*exec.Cmd, <-chan string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROOFLINE_TEST_WORKER="+dir, "PROOFLINE_TEST_QUEUE="+queue, "PROOFLINE_TEST_HANG="+hang)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stages := make(chan string, 100)
	go func() {
		defer close(stages)
		for s := bufio.NewScanner(out); s.Scan(); {
			if name, ok := strings.CutPrefix(s.Text(), "stage "); ok {
				stages <- name
			}
		}
	}()
	t.Cleanup(func() { kill(cmd) })
	return cmd, stages
}

func kill(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

func TestACaseOutlivesAWorkerThatIsKilled(t *testing.T) {
	test := func(t *testing.T, address string) {
		w := newWorld(t, address)
		id := w.submit()
		first, stages := process(t, w.dir, address, "mrz")
		for s := range stages {
			if s == "mrz" {
				break
			}
		}
		kill(first) // kill -9, in the middle of a stage
		if ses, err := w.store.Get(ctx, id); err != nil || ses.State != session.Submitted {
			t.Fatalf("state %v, %v", ses, err)
		}
		_, stages = process(t, w.dir, address, "")
		ses := w.decided(id, 40*time.Second)
		if ses.State != session.Approved || ses.Attempt != 1 {
			t.Fatalf("state %s, attempt %d", ses.State, ses.Attempt)
		}
		var ran []string
		for len(ran) < 4 {
			ran = append(ran, <-stages)
		}
		if got := strings.Join(ran, " "); got != "mrz face liveness consistency" {
			t.Fatalf("the second worker ran %s", got)
		}
	}
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, "") })
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, testserver.Redis(t).URL()) })
}
