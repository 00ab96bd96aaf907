package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/proofline/proofline/session"
)

// The queues, by how soon somebody waits for them. The numbers are shares of
// the attention of a busy worker.
var queues = map[string]int{
	"interactive":  6, // a person is taking a photo again
	"verification": 4, // first submissions
	"delivery":     3, // webhooks
	"maintenance":  1, // erasure
}

// queueOf is the queue of an outbox row.
func queueOf(o session.Outbox) string {
	switch {
	case o.Kind == session.KindWebhook:
		return "delivery"
	case o.Kind == session.KindErase:
		return "maintenance"
	case o.Attempt > 1:
		return "interactive"
	}
	return "verification"
}

// Queue wakes workers. It is not trusted with anything: tasks hold ids only,
// and whatever the queue loses is handed to it again from the store.
type Queue struct {
	redis     redis.UniversalClient
	client    *asynq.Client
	inspector *asynq.Inspector
	embedded  *embedded
	log       *slog.Logger
}

// OpenQueue opens the queue at c's address, or one in this process where there
// is none. It does not wait for Redis: a server that is down at start is
// retried by whoever uses the queue, and Ping tells.
func OpenQueue(c QueueConfig) (*Queue, error) {
	q := &Queue{log: c.Log}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	opt, err := c.options()
	if c.Address == "" {
		q.embedded, opt, err = startEmbedded()
	}
	if err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	client, ok := opt.MakeRedisClient().(redis.UniversalClient)
	if !ok {
		return nil, errors.New("open queue: no Redis client for this address")
	}
	q.redis = client
	q.client = asynq.NewClientFromRedisClient(client)
	q.inspector = asynq.NewInspectorFromRedisClient(client)
	return q, nil
}

// Embedded tells whether the queue lives in this process and is empty at every
// start.
func (q *Queue) Embedded() bool { return q.embedded != nil }

// Ping tells whether the queue answers, for readiness probes.
func (q *Queue) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := q.redis.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("reach queue: %w", err)
	}
	return nil
}

// Close drops the connections and ends the embedded queue.
func (q *Queue) Close() error {
	err := q.redis.Close()
	if q.embedded != nil {
		q.embedded.close()
	}
	if err != nil {
		return fmt.Errorf("close queue: %w", err)
	}
	return nil
}

// task is a task's payload: ids, never anything about a person.
type task struct {
	Outbox      string `json:"outbox"`
	Kind        string `json:"kind"`
	Session     string `json:"session"`
	Attempt     int    `json:"attempt"`
	Ref         string `json:"ref,omitempty"`
	Correlation string `json:"correlation,omitempty"`
	Traceparent string `json:"traceparent,omitempty"` // for whoever looks at the queue; workers read the row
}

const (
	maxPayload = 4 << 10
	// taskTries is how often asynq itself tries a task. Retries of the work
	// are counted in the store; these cover a store that can not be reached.
	taskTries = 10
	// taskTimeout only bounds what asynq believes; the worker bounds its own
	// work, stage by stage.
	taskTimeout = 30 * time.Minute
)

// Enqueue hands a row to the queue under the row's task id. A task that is
// there already is as good.
func (q *Queue) Enqueue(ctx context.Context, o session.Outbox) error {
	return q.enqueue(ctx, o, o.TaskID())
}

func (q *Queue) enqueue(ctx context.Context, o session.Outbox, id string) error {
	payload, err := json.Marshal(task{o.ID, string(o.Kind), o.Session, o.Attempt, o.Ref, o.CorrelationID, o.Traceparent})
	if err != nil {
		return fmt.Errorf("encode task: %w", err)
	}
	_, err = q.client.EnqueueContext(ctx, asynq.NewTask(string(o.Kind), payload),
		asynq.TaskID(id), asynq.Queue(queueOf(o)), asynq.MaxRetry(taskTries), asynq.Timeout(taskTimeout))
	if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) {
		return fmt.Errorf("enqueue task %s: %w", id, err)
	}
	return nil
}

// redispatch hands over a row that was handed over before and of which nothing
// was heard since. fresh is false when its task still waits in the queue.
func (q *Queue) redispatch(ctx context.Context, o session.Outbox) (fresh bool, err error) {
	id := o.TaskID()
	info, err := q.inspector.GetTaskInfo(queueOf(o), id)
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		// Lost, or finished without settling the row.
		return true, q.enqueue(ctx, o, id)
	case err != nil:
		return false, fmt.Errorf("look for task %s: %w", id, err)
	}
	switch info.State {
	case asynq.TaskStatePending, asynq.TaskStateScheduled, asynq.TaskStateRetry:
		return false, nil
	case asynq.TaskStateArchived, asynq.TaskStateCompleted:
		if err := q.inspector.DeleteTask(queueOf(o), id); err != nil && !errors.Is(err, asynq.ErrTaskNotFound) {
			return false, fmt.Errorf("clear task %s: %w", id, err)
		}
		return true, q.enqueue(ctx, o, id)
	}
	// Active, yet nobody in the store holds the run: its worker died. The id
	// stays taken until asynq notices, so this generation gets one of its own,
	// the same in every process that comes to the same conclusion.
	id += "~" + strconv.FormatInt(o.UpdatedAt.UnixMicro(), 36)
	return true, q.enqueue(ctx, o, id)
}

// freeOrphans gives active tasks without a lease an expired one, so that asynq
// takes them back. Asynq leases a task in the same script that activates it,
// but a failover can lose the one and keep the other, and such a task would
// stay active for ever (asynq issues 1051 and 1015). seen holds the orphans of
// the pass before: a task counts only when it is seen twice.
func (q *Queue) freeOrphans(ctx context.Context, seen map[string]bool) (map[string]bool, error) {
	now := map[string]bool{}
	for name := range queues {
		prefix := "asynq:{" + name + "}:" // as in asynq's internal/base
		ids, err := q.redis.LRange(ctx, prefix+"active", 0, 999).Result()
		if err != nil {
			return seen, fmt.Errorf("list active tasks: %w", err)
		}
		for _, id := range ids {
			err := q.redis.ZScore(ctx, prefix+"lease", id).Err()
			if err == nil {
				continue
			}
			if !errors.Is(err, redis.Nil) {
				return seen, fmt.Errorf("look up lease: %w", err)
			}
			key := name + "/" + id
			if now[key] = true; !seen[key] {
				continue
			}
			// A minute ago: beyond the 30 s that asynq allows for clock skew.
			expired := float64(time.Now().Add(-time.Minute).Unix())
			if err := q.redis.ZAddNX(ctx, prefix+"lease", redis.Z{Score: expired, Member: id}).Err(); err != nil {
				return seen, fmt.Errorf("free orphaned task: %w", err)
			}
		}
	}
	return now, nil
}
