package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/screening"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

// WorkerConfig is what a worker needs. Store, Queue, Vault, Engines and Policy
// are required.
type WorkerConfig struct {
	Store   *session.Store
	Queue   *Queue
	Vault   *storage.Vault
	Engines *Engines
	// Policy finds the rules that a session was created under, by their hash.
	Policy func(ctx context.Context, hash string) (*policy.Policy, error)
	// Matcher searches screening lists that a policy requires; nil: only what
	// relying services post counts.
	Matcher screening.Matcher
	// Shadows decide every case beside its own policy, and never act.
	Shadows []*policy.Policy
	// Keyring opens the signing keys of webhook endpoints.
	Keyring  storage.Keyring
	Webhooks *webhook.Deliverer // nil: webhooks wait in the store
	// ID names this worker, the same after a restart and unique among those
	// that run; empty: host and process id.
	ID          string
	Concurrency int // cases at a time; 0 means 1
	Log         *slog.Logger
	Metrics     *Metrics // nil: none are kept
	// Observe is told how stages get on. It must be quick.
	Observe func(Event)
}

// Worker runs what the queue wakes it for: cases, webhook deliveries, erasures.
type Worker struct {
	c      WorkerConfig
	stages []stage
	actor  session.Actor
	log    *slog.Logger

	slots   chan struct{} // cases in memory
	mu      sync.Mutex
	busy    map[string]bool // cases of this process, by session and attempt
	running sync.WaitGroup

	ctx     context.Context // ends with Shutdown
	cancel  context.CancelFunc
	once    sync.Once
	servers []*asynq.Server
}

const (
	// leaseTime is how long a case waits for a worker that was killed; a
	// heartbeat three times as often lets two get lost.
	leaseTime     = 12 * time.Second
	heartbeatTime = 4 * time.Second
	// idleCheck is how often an idle worker asks the queue. asynq's default of
	// 1 s would be most of the time from submission to start; at 20 ms asking
	// costs about a hundredth of a core.
	idleCheck = 20 * time.Millisecond
	// idleCheckRest is the same for webhooks and erasures.
	idleCheckRest = 100 * time.Millisecond
	// requeueBase and requeueLimit pace the retries of a case whose
	// infrastructure fails.
	requeueBase  = 2 * time.Second
	requeueLimit = 5 * time.Minute
)

// NewWorker makes a worker; Start begins its work.
func NewWorker(c WorkerConfig) (*Worker, error) {
	if c.Store == nil || c.Queue == nil || c.Vault == nil || c.Engines == nil || c.Policy == nil {
		return nil, errors.New("make worker: store, queue, vault, engines and policy are needed")
	}
	if c.ID == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "worker"
		}
		c.ID = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	told := c.Observe
	c.Observe = func(e Event) {
		c.Metrics.stage(e)
		if told != nil {
			told(e)
		}
	}
	c.Concurrency = max(c.Concurrency, 1)
	w := &Worker{c: c, stages: stages, actor: session.Actor{Role: session.Worker, ID: c.ID}, log: c.Log,
		slots: make(chan struct{}, c.Concurrency), busy: map[string]bool{}}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w, nil
}

// Start begins to take tasks. It does not wait for Redis: a server that is down
// is asked again until it answers.
func (w *Worker) Start() error {
	var err error
	w.once.Do(func() {
		cases := map[string]int{"interactive": queues["interactive"], "verification": queues["verification"]}
		rest := map[string]int{"delivery": queues["delivery"], "maintenance": queues["maintenance"]}
		// Two servers, so that a full house of cases keeps no webhook waiting
		// and slow endpoints keep no case waiting.
		err = errors.Join(w.serve(w.c.Concurrency, cases, idleCheck), w.serve(8, rest, idleCheckRest))
	})
	if err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	return nil
}

func (w *Worker) serve(n int, of map[string]int, check time.Duration) error {
	s := asynq.NewServerFromRedisClient(w.c.Queue.redis, asynq.Config{
		Concurrency: n, Queues: of, TaskCheckInterval: check,
		DelayedTaskCheckInterval: time.Second, ShutdownTimeout: 5 * time.Second,
		RetryDelayFunc: func(n int, _ error, _ *asynq.Task) time.Duration { return backoff(n+1, time.Second, requeueLimit) },
		Logger:         asynqLog{w.log}, LogLevel: asynq.WarnLevel,
	})
	if err := s.Start(asynq.HandlerFunc(w.process)); err != nil {
		return err
	}
	w.servers = append(w.servers, s)
	return nil
}

// Shutdown stops taking tasks, lets running cases end at their next stage and
// waits for them, or for ctx. What was not finished is taken up by another
// worker, or by this one after its restart.
func (w *Worker) Shutdown(ctx context.Context) error {
	w.once.Do(func() {})
	w.cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, s := range w.servers {
			s.Shutdown()
		}
		w.running.Wait()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop worker: %w", ctx.Err())
	}
}

// errTask is all that asynq, and with that Redis, learns of a failure.
var errTask = errors.New("the store could not be reached")

// process handles one task. Its own context is not the task's: when Redis goes
// away asynq ends its contexts, and a case that runs well has no reason to
// stop. Outcomes are recorded in the store; an error, which makes asynq try the
// task again, means that not even that was possible.
func (w *Worker) process(_ context.Context, t *asynq.Task) error {
	var x task
	if len(t.Payload()) > maxPayload || json.Unmarshal(t.Payload(), &x) != nil || x.Outbox == "" {
		w.log.Error("task with an unreadable payload dropped", "type", t.Type())
		return nil
	}
	if w.ctx.Err() != nil {
		return errTask
	}
	w.running.Add(1)
	defer w.running.Done()
	row, err := w.c.Store.OutboxRow(w.ctx, x.Outbox)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return nil // of another database
	case err != nil:
		return w.failed(row, "read outbox row", err)
	case row.State == session.Done || row.State == session.Dead:
		return nil // a duplicate
	}
	ctx, span := startTask(w.ctx, row)
	began := time.Now()
	switch row.Kind {
	case session.KindVerify:
		err = w.verify(ctx, row)
	case session.KindWebhook:
		err = w.deliver(ctx, row)
	case session.KindErase:
		err = w.erase(ctx, row)
	default:
		err = w.c.Store.MarkDead(ctx, row.ID, "unknown_kind")
	}
	w.c.Metrics.task(row.Kind, err, time.Since(began))
	endSpan(span, err)
	if err != nil {
		return w.failed(row, "run "+string(row.Kind), err)
	}
	return nil
}

func (w *Worker) failed(row session.Outbox, doing string, err error) error {
	if w.ctx.Err() == nil {
		w.log.Warn("task failed", "doing", doing, "outbox", row.ID, "session", row.Session, "correlation", row.CorrelationID, "error", err)
	}
	return errTask
}

// asynqLog passes asynq's own words on.
type asynqLog struct{ log *slog.Logger }

func (l asynqLog) Debug(a ...any) { l.log.Debug("queue: " + said(a)) }
func (l asynqLog) Info(a ...any)  { l.log.Info("queue: " + said(a)) }
func (l asynqLog) Warn(a ...any)  { l.log.Warn("queue: " + said(a)) }
func (l asynqLog) Error(a ...any) { l.log.Error("queue: " + said(a)) }

// Fatal is never used by the parts of asynq that are used here; ending the
// process is not a library's business.
func (l asynqLog) Fatal(a ...any) { l.log.Error("queue: " + said(a)) }

func said(a []any) string { return strings.TrimSpace(fmt.Sprint(a...)) }
