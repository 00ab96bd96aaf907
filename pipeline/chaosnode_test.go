package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

// node is one process of the chaos test: this test binary as an API server or
// as a worker, on shared PostgreSQL, Redis and S3. It is made to be killed.
type node struct {
	Role, ID, Listen string
	DSN, Queue, Keys string
	S3               storage.S3Config
}

const beNode = "PROOFLINE_TEST_NODE"

// runNode is the process. Like a service manager's it starts again until what
// it needs is there.
func runNode(text string) {
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		panic(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("node", n.ID)
	for {
		err := n.serve(log)
		log.Warn("start again", "error", err)
		time.Sleep(100 * time.Millisecond)
	}
}

func (n node) open() (*session.Store, *storage.Vault, storage.Blobs, storage.Keyring, error) {
	store, err := session.Open(ctx, n.DSN)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	keys, err := storage.OpenOrCreateKeyFile(n.Keys)
	var blobs *storage.S3
	if err == nil {
		n.S3.Timeout = 5 * time.Second
		blobs, err = storage.OpenS3(ctx, n.S3)
	}
	if err != nil {
		store.Close()
		return nil, nil, nil, nil, err
	}
	return store, storage.NewVault(blobs, keys, store, time.Now), blobs, keys, nil
}

func (n node) serve(log *slog.Logger) error {
	store, vault, _, keys, err := n.open()
	if err != nil {
		return err
	}
	if n.Role == "api" {
		return http.ListenAndServe(n.Listen, api.New(api.Deps{Store: store, Vault: vault, Policy: policy.Default(), PublicURL: "http://" + n.Listen,
			// The photos here are no pictures, so that the stages cost nothing;
			// a gate with eyes would refuse them.
			Gate: func(_ context.Context, _ policy.Cell, kind string, _ []byte) (policy.GateAnswer, error) {
				return policy.GateAnswer{Accepted: true, Subject: kind, Codes: []policy.Code{}}, nil
			},
			Limits: api.Limits{PerAddress: 1 << 20, PerKey: 1 << 20}, Log: log}))
	}
	queue, err := OpenQueue(QueueConfig{Address: n.Queue, Log: log})
	if err != nil {
		return err
	}
	w, err := NewWorker(WorkerConfig{Store: store, Queue: queue, Vault: vault, Engines: &Engines{}, ID: n.ID, Concurrency: 4, Log: log,
		Policy:  func(context.Context, string) (*policy.Policy, error) { return policy.Default(), nil },
		Keyring: keys, Webhooks: webhook.New(webhook.Options{AllowHTTP: true, AllowPrivate: true, Timeout: 5 * time.Second})})
	if err == nil {
		err = w.Start()
	}
	if err != nil {
		return errors.Join(err, queue.Close())
	}
	NewDispatcher(store, queue, log).Start()
	// As in production, at a pace that fits the test.
	newReconciler(store, queue, log, 500*time.Millisecond, 7*time.Second, 10*time.Second).Start()
	select {}
}

// nodeProcess is a running node, and how to start it again.
type nodeProcess struct {
	t   testing.TB
	n   node
	log string
	cmd *exec.Cmd
}

func startNode(t testing.TB, n node, log string) *nodeProcess {
	p := &nodeProcess{t: t, n: n, log: log}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *nodeProcess) start() {
	b, err := json.Marshal(p.n)
	if err != nil {
		p.t.Fatal(err)
	}
	f, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s", beNode, b))
	p.cmd.Stderr = f
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill is kill -9.
func (p *nodeProcess) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait() // "killed"
		p.cmd = nil
	}
}
