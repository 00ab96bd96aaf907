package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// row is the outbox row of a session's case.
func (w *world) row(id string) session.Outbox {
	w.t.Helper()
	rows, err := w.store.Pending(ctx, 100)
	if err != nil {
		w.t.Fatal(err)
	}
	more, err := w.store.Unfinished(ctx, time.Now().Add(time.Hour), 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, o := range append(rows, more...) {
		if o.Session == id && o.Kind == session.KindVerify {
			return o
		}
	}
	w.t.Fatalf("session %s has no open row", id)
	return session.Outbox{}
}

// dispatch hands everything that is due to the queue, as the dispatcher does.
func (w *world) dispatch() {
	w.t.Helper()
	if _, err := NewDispatcher(w.store, w.queue, nil).pass(ctx); err != nil {
		w.t.Fatal(err)
	}
}

// reconcile makes one pass over everything that was handed over before now.
func (w *world) reconcile() {
	w.t.Helper()
	if _, err := newReconciler(w.store, w.queue, nil, time.Hour, 0, time.Hour).pass(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) state(id string) asynq.TaskState {
	w.t.Helper()
	o := w.row(id)
	i, err := w.queue.inspector.GetTaskInfo(queueOf(o), o.TaskID())
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return 0
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return i.State
}

func TestHandingARowOverTwiceMakesOneTask(t *testing.T) {
	onBothQueues(t, func(t *testing.T, w *world) {
		o := w.row(w.submit())
		for range 3 {
			if err := w.queue.Enqueue(ctx, o); err != nil {
				t.Fatal(err)
			}
		}
		i, err := w.queue.inspector.GetQueueInfo("verification")
		if err != nil || i.Pending != 1 {
			t.Fatalf("%+v, %v", i, err)
		}
		fresh, err := w.queue.redispatch(ctx, o)
		if err != nil || fresh {
			t.Fatalf("a task that waits was handed over again: %v, %v", fresh, err)
		}
	})
}

func TestAFlushedQueueLosesNothing(t *testing.T) {
	onBothQueues(t, func(t *testing.T, w *world) {
		ids := []string{w.submit(), w.submit()}
		w.dispatch()
		if err := w.queue.redis.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		w.reconcile()
		ss, runs := passing()
		w.start(w.config(), ss)
		for _, id := range ids {
			w.decided(id, 10*time.Second)
		}
		if n := runs("quality"); n != 2 {
			t.Fatalf("2 cases ran %d times", n)
		}
	})
}

func TestAnArchivedTaskIsNotTheEndOfACase(t *testing.T) {
	onBothQueues(t, func(t *testing.T, w *world) {
		id := w.submit()
		w.dispatch()
		o := w.row(id)
		if err := w.queue.inspector.ArchiveTask(queueOf(o), o.TaskID()); err != nil {
			t.Fatal(err)
		}
		w.reconcile()
		if s := w.state(id); s != asynq.TaskStatePending {
			t.Fatalf("state is %v", s)
		}
		ss, _ := passing()
		w.start(w.config(), ss)
		w.decided(id, 10*time.Second)
	})
}

// An active task whose worker is gone and whose lease is gone, too: asynq never
// looks at it again (issues 1051, 1015).
func TestAnOrphanedActiveTaskIsDoneByAnotherAndTakenBack(t *testing.T) {
	onBothQueues(t, func(t *testing.T, w *world) {
		id := w.submit()
		w.dispatch()
		o := w.row(id)
		const prefix = "asynq:{verification}:"
		if err := w.queue.redis.LMove(ctx, prefix+"pending", prefix+"active", "right", "left").Err(); err != nil {
			t.Fatal(err)
		}
		if err := w.queue.redis.HSet(ctx, prefix+"t:"+o.TaskID(), "state", "active").Err(); err != nil {
			t.Fatal(err)
		}
		w.reconcile()
		var seen map[string]bool
		var err error
		for pass := range 2 {
			if seen, err = w.queue.freeOrphans(ctx, seen); err != nil {
				t.Fatal(err)
			}
			leased := !errors.Is(w.queue.redis.ZScore(ctx, prefix+"lease", o.TaskID()).Err(), redis.Nil)
			if leased != (pass == 1) {
				t.Fatalf("after pass %d the orphan is leased: %v", pass, leased)
			}
		}
		ss, runs := passing()
		w.start(w.config(), ss)
		w.decided(id, 10*time.Second)
		eventually(t, 20*time.Second, "the orphan is still there", func() bool {
			i, err := w.queue.inspector.GetQueueInfo("verification")
			return err == nil && i.Size == 0
		})
		if n := runs("quality"); n != 1 {
			t.Fatalf("the case ran %d times", n)
		}
	})
}

func TestCrashesDoNotUseUpRetries(t *testing.T) {
	w := newWorld(t, "")
	id := w.submit()
	// Twelve dead workers: more than asynq would try a task.
	for range taskTries + 2 {
		w.dispatch()
		o := w.row(id)
		const prefix = "asynq:{verification}:"
		w.queue.redis.LMove(ctx, prefix+"pending", prefix+"active", "right", "left")
		w.queue.redis.HSet(ctx, prefix+"t:"+o.TaskID(), "state", "active")
		w.reconcile()
	}
	if o := w.row(id); o.Tries != 0 || o.State != session.Dispatched {
		t.Fatalf("row %+v", o)
	}
	ss, _ := passing()
	w.start(w.config(), ss)
	if ses := w.decided(id, 10*time.Second); ses.Attempt != 1 || ses.State != session.Approved {
		t.Fatalf("attempt %d, state %s", ses.Attempt, ses.State)
	}
}

func TestAQueueThatIsDownAtStartDelaysOnly(t *testing.T) {
	s := testserver.Redis(t)
	w := newWorld(t, s.URL())
	s.Kill()
	id := w.submit()
	ss, _ := passing()
	w.start(w.config(), ss)
	if err := w.queue.Ping(ctx); err == nil {
		t.Fatal("ping of a dead queue succeeded")
	}
	time.Sleep(300 * time.Millisecond)
	s.Restart()
	w.decided(id, 20*time.Second)
}

func TestACaseInFlightSurvivesTheQueue(t *testing.T) {
	s := testserver.Redis(t)
	w := newWorld(t, s.URL())
	ss, _ := passing()
	entered, resume := make(chan struct{}, 1), make(chan struct{})
	inner := ss[2].Run
	ss[2].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) {
		select {
		case entered <- struct{}{}:
			<-resume
		default:
		}
		return inner(ctx, r)
	}
	w.start(w.config(), ss)
	id := w.submit()
	<-entered
	s.Kill()
	close(resume)
	w.decided(id, 10*time.Second) // while the queue is down
	next := w.submit()
	s.Restart()
	w.decided(next, 20*time.Second)
}

func TestSeveralDispatchersAndWorkersDecideEachCaseOnce(t *testing.T) {
	onBothQueues(t, func(t *testing.T, w *world) {
		ss, runs := passing()
		for _, id := range []string{"a", "b", "c"} {
			c := w.config()
			c.ID = id
			w.start(c, ss)
		}
		var ids []string
		for range 30 {
			id := w.submit()
			ids = append(ids, id)
			// The same work handed over by somebody who believes it lost.
			for _, suffix := range []string{"~1", "~2"} {
				if rows, err := w.store.Unfinished(ctx, time.Now().Add(time.Hour), 100); err == nil {
					for _, o := range rows {
						if err := w.queue.enqueue(ctx, o, o.TaskID()+suffix); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		for _, id := range ids {
			w.decided(id, 20*time.Second)
		}
		if n := runs("quality"); n != 30 {
			t.Fatalf("30 cases ran %d times", n)
		}
	})
}

func TestQueueAddressesAreUnderstood(t *testing.T) {
	for address, want := range map[string]asynq.RedisConnOpt{
		"redis://u:p@h:1/2":              asynq.RedisClientOpt{Addr: "h:1", Username: "u", Password: "p", DB: 2},
		"redis://h":                      asynq.RedisClientOpt{Addr: "h:6379"},
		"unix:///run/r.sock?db=3":        asynq.RedisClientOpt{Network: "unix", Addr: "/run/r.sock", DB: 3},
		"sentinel://u:p@a,b:2/main?db=1": asynq.RedisFailoverClientOpt{MasterName: "main", SentinelAddrs: []string{"a:26379", "b:2"}, Username: "u", Password: "p", DB: 1},
		"cluster://a:1,b:2":              asynq.RedisClusterClientOpt{Addrs: []string{"a:1", "b:2"}},
	} {
		got, err := QueueConfig{Address: address}.options()
		if err != nil {
			t.Errorf("%s: %v", address, err)
			continue
		}
		switch o := got.(type) {
		case asynq.RedisClientOpt:
			o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolSize = 0, 0, 0, 0
			if o != want {
				t.Errorf("%s: %+v", address, o)
			}
		case asynq.RedisFailoverClientOpt:
			w := want.(asynq.RedisFailoverClientOpt)
			if o.MasterName != w.MasterName || strings.Join(o.SentinelAddrs, " ") != strings.Join(w.SentinelAddrs, " ") || o.Username != w.Username || o.Password != w.Password || o.DB != w.DB {
				t.Errorf("%s: %+v", address, o)
			}
		case asynq.RedisClusterClientOpt:
			if strings.Join(o.Addrs, " ") != "a:1 b:2" {
				t.Errorf("%s: %+v", address, o)
			}
		}
	}
	tls, err := QueueConfig{Address: "rediss://u:p@h:1"}.options()
	if err != nil || tls.(asynq.RedisClientOpt).TLSConfig.ServerName != "h" {
		t.Errorf("rediss: %+v, %v", tls, err)
	}
	for _, bad := range []string{"h:6379", "http://h", "redis://", "redis://a,b", "redis://h/x", "sentinel://h", "cluster://h?db=1", "redis://u:secret@h:x", "rediss://u:secret@[::1"} {
		if _, err := (QueueConfig{Address: bad}).options(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := (QueueConfig{Address: "rediss://h", CAFile: "/nonexistent"}).options(); err == nil {
		t.Error("a missing CA file was no error")
	}
}
