package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

var ctx = context.Background()

// world is a store, a vault and a queue, and what tests do with them.
type world struct {
	t      testing.TB
	dir    string
	store  *session.Store
	vault  *storage.Vault
	blobs  storage.Blobs
	keys   storage.Keyring
	queue  *Queue
	policy *policy.Policy
	log    *syncBuffer
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// openWorld opens the world kept in dir with the queue at address.
func openWorld(t testing.TB, dir, address string) *world {
	t.Helper()
	return openWorldOn(t, dir, "sqlite:"+filepath.Join(dir, "store.db"), address)
}

// openWorldOn is openWorld with the store at dsn.
func openWorldOn(t testing.TB, dir, dsn, address string) *world {
	t.Helper()
	return openWorldQueue(t, dir, dsn, QueueConfig{Address: address})
}

func openWorldQueue(t testing.TB, dir, dsn string, queue QueueConfig) *world {
	t.Helper()
	w := &world{t: t, dir: dir, policy: policy.Default(), log: &syncBuffer{}}
	var err error
	fail := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	w.store, err = session.Open(ctx, dsn)
	fail(err)
	w.keys, err = storage.OpenOrCreateKeyFile(filepath.Join(dir, "keys"))
	fail(err)
	fs, err := storage.OpenFS(filepath.Join(dir, "blobs"))
	fail(err)
	w.blobs = fs
	w.vault = storage.NewVault(fs, w.keys, w.store, time.Now)
	queue.Log = w.logger()
	w.queue, err = OpenQueue(queue)
	fail(err)
	t.Cleanup(func() {
		w.queue.Close()
		w.store.Close()
		fs.Close()
		if t.Failed() {
			t.Logf("log:\n%s", w.log)
		}
	})
	return w
}

func newWorld(t testing.TB, address string) *world {
	t.Helper()
	w := openWorld(t, t.TempDir(), address)
	return w
}

func (w *world) logger() *slog.Logger { return slog.New(slog.NewTextHandler(w.log, nil)) }

func (w *world) config() WorkerConfig {
	return WorkerConfig{Store: w.store, Queue: w.queue, Vault: w.vault, Engines: &Engines{},
		Policy:  func(context.Context, string) (*policy.Policy, error) { return w.policy, nil },
		Keyring: w.keys, Webhooks: webhook.New(webhook.Options{AllowHTTP: true, AllowPrivate: true}),
		ID: "test-worker", Concurrency: 4, Log: w.logger()}
}

// submit makes a session with photos and submits it.
func (w *world) submit(edit ...func(*session.New)) string {
	w.t.Helper()
	n := session.New{Tenant: "t1", PolicyName: w.policy.Name, PolicyVersion: w.policy.Version, PolicyHash: w.policy.Hash(),
		Actor: session.Actor{Role: session.Service, ID: "key_1"}}
	for _, e := range edit {
		e(&n)
	}
	ses, err := w.store.Create(ctx, n)
	if err != nil {
		w.t.Fatal(err)
	}
	client := session.Actor{Role: session.Client, ID: "tok_1"}
	w.apply(ses.ID, session.Event{Kind: session.ConsentGiven, Actor: client, Consent: &session.Consent{TextHash: "h", Scope: []string{"document", "biometric"}}})
	for _, kind := range []string{"document_front", "selfie"} {
		w.photo(ses.ID, kind, "no picture at all: "+canary)
	}
	w.apply(ses.ID, session.Event{Kind: session.Submit, Actor: client})
	return ses.ID
}

// canary is personal data that must not show up anywhere.
const canary = "Zarquon Beeblebrox 1979-10-12"

func (w *world) photo(id, kind, content string) {
	w.t.Helper()
	o, err := w.vault.PutBytes(ctx, storage.Ref{Session: id, Class: storage.CaptureImage, Kind: kind}, []byte(content), time.Now().Add(time.Hour))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.PutEvidence(ctx, session.Actor{Role: session.Client, ID: "tok_1"},
		session.Evidence{Session: id, Kind: kind, Object: o.ID, SHA256: strings.Repeat("ab", 32), Size: o.Size}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) apply(id string, e session.Event) *session.Session {
	w.t.Helper()
	ses, err := w.store.Apply(ctx, id, session.AnyVersion, e, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return ses
}

// decided waits until the session has left submitted.
func (w *world) decided(id string, within time.Duration) *session.Session {
	w.t.Helper()
	var ses *session.Session
	eventually(w.t, within, "session "+id+" is not decided", func() bool {
		var err error
		if ses, err = w.store.Get(ctx, id); err != nil {
			w.t.Fatal(err)
		}
		return ses.State != session.Submitted
	})
	if ds, err := w.store.Decisions(ctx, id); err != nil || len(ds) != 1 {
		w.t.Fatalf("%d decisions, %v", len(ds), err)
	}
	return ses
}

// eventually waits until ok. within says how long that takes on a machine of one's
// own; a busy one is given more, as only what never comes is a fault.
func eventually(t testing.TB, within time.Duration, otherwise string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(max(within, 2*time.Minute)); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(otherwise)
		}
	}
}

// part is a loop or a worker.
type part interface{ Shutdown(context.Context) error }

func stop(t testing.TB, parts ...part) {
	t.Helper()
	sctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, p := range parts {
		if err := p.Shutdown(sctx); err != nil {
			t.Error(err)
		}
	}
}

// start runs a dispatcher and a worker with the given stages until the test
// ends.
func (w *world) start(c WorkerConfig, ss []stage) (*Worker, *Dispatcher) {
	w.t.Helper()
	k, err := NewWorker(c)
	if err != nil {
		w.t.Fatal(err)
	}
	if ss != nil {
		k.stages = ss
	}
	if err := k.Start(); err != nil {
		w.t.Fatal(err)
	}
	d := NewDispatcher(w.store, w.queue, w.logger())
	d.Start()
	w.t.Cleanup(func() { stop(w.t, d, k) })
	return k, d
}

// counted are stages that only count how often they run.
func counted(names ...string) ([]stage, func(string) int) {
	var mu sync.Mutex
	runs := map[string]int{}
	var ss []stage
	for i, n := range names {
		s := stage{Name: n, Timeout: time.Minute, Run: func(context.Context, *run) ([]policy.Finding, error) {
			mu.Lock()
			defer mu.Unlock()
			runs[n]++
			return []policy.Finding{{Subject: "case"}}, nil
		}}
		if i > 0 {
			s.Needs = []string{names[i-1]}
		}
		ss = append(ss, s)
	}
	return ss, func(n string) int {
		mu.Lock()
		defer mu.Unlock()
		return runs[n]
	}
}

// passing are counted stages that lead to an approval.
func passing() ([]stage, func(string) int) {
	return counted("quality", "document", "mrz", "face", "liveness", "consistency")
}

func TestMain(m *testing.M) {
	if helper() {
		return
	}
	code := m.Run()
	// What ends in the background may take its time, what leaks never ends.
	for end := time.Now().Add(time.Minute); code == 0; {
		err := goleak.Find(
			// The PostgreSQL cluster that tests share ends with the process.
			goleak.IgnoreAnyFunction("github.com/proofline/proofline/internal/testserver.(*process).startOnce.func1"),
			// go-redis closes its pool's connections in the background.
			goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
			goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/maintnotifications.(*CircuitBreakerManager).cleanupLoop"))
		if err == nil {
			break
		}
		if time.Now().After(end) {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
