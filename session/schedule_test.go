package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proofline/proofline/policy"
)

// world is one store with a queue that forgets, workers that die and receivers
// that fail, all on a clock that the test moves.
type world struct {
	s        *Store
	c        *testClock
	queue    map[string]Outbox // by task id, as a queue would hold them
	owner    int
	received map[string]map[string]int // session → event id → times accepted
	ran      map[string]int            // stage executions, for interest
}

const leaseTime = time.Minute

// dispatch hands pending and lost rows to the queue; it may die in between.
func (w *world) dispatch(t fatal, dies bool) {
	rows := need[[]Outbox](t)(w.s.Pending(ctx, 100))
	rows = append(rows, need[[]Outbox](t)(w.s.Unfinished(ctx, w.c.Now().Add(-2*leaseTime), 100))...)
	for _, o := range rows {
		w.queue[o.TaskID()] = o
		if !dies {
			okF(t, w.s.MarkDispatched(ctx, o.ID))
		}
	}
}

// work runs one task up to the point where the worker dies; steps < 0 means to
// the end.
func (w *world) work(t fatal, task string, steps int, outcome policy.Outcome) {
	o := w.queue[task]
	died := func() bool { steps--; return steps == -1 }
	if o.Kind == KindWebhook {
		d, err := w.s.Delivery(ctx, o.Ref)
		okF(t, err)
		if steps%2 == 1 { // the endpoint is down
			okF(t, w.s.RecordDelivery(ctx, d, DeliveryResult{Status: 503, Reason: "status_503", RetryAt: w.c.Now().Add(time.Second)}))
			delete(w.queue, task)
			return
		}
		w.received[d.Session][d.Event]++
		if steps >= 0 { // delivered, and died before it was recorded
			return
		}
		okF(t, w.s.RecordDelivery(ctx, d, DeliveryResult{Delivered: true, Status: 200}))
		delete(w.queue, task)
		return
	}
	w.owner++
	l, err := w.s.Claim(ctx, o.Session, o.Attempt, fmt.Sprint("w", w.owner), leaseTime)
	switch {
	case errors.Is(err, ErrLeased):
		return
	case errors.Is(err, ErrNotRunnable):
		delete(w.queue, task)
		return
	}
	okF(t, err)
	if died() {
		return
	}
	for _, stage := range []string{"quality", "mrz", "face"} {
		w.ran[stage]++
		need[StageResult](t)(w.s.PutStage(ctx, StageResult{Session: o.Session, Attempt: o.Attempt, Stage: stage, InputHash: "h", Body: json.RawMessage(fmt.Sprint(w.owner))}))
		if died() {
			return
		}
	}
	if _, err := w.s.Apply(ctx, o.Session, AnyVersion, Decided(Actor{Worker, l.Owner}, o.Attempt, decision(outcome)), nil); err != nil && !errors.Is(err, ErrNoTransition) {
		okF(t, err)
	}
	if died() {
		return
	}
	okF(t, w.s.Release(ctx, l))
	delete(w.queue, task)
}

type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func need[T any](t fatal) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func okF(t fatal, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnderAnyScheduleOfFailuresEachCaseIsDecidedOnceAndEachEventDelivered(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://a.example/h"}))
		schedules, cases, killed := 0, 0, 0
		check := func(t *rapid.T) {
			w := &world{s: s, c: c, queue: map[string]Outbox{}, received: map[string]map[string]int{}, ran: map[string]int{}}
			outcomes := []policy.Outcome{policy.Approved, policy.Rejected, policy.PendingReview, policy.NeedsResubmission}
			var ids []string
			for range rapid.IntRange(1, 4).Draw(t, "cases") {
				ses := need[*Session](t)(s.Create(ctx, newSession()))
				ids = append(ids, ses.ID)
				w.received[ses.ID] = map[string]int{}
			}
			for range rapid.IntRange(5, 40).Draw(t, "steps") {
				switch rapid.IntRange(0, 7).Draw(t, "step") {
				case 0, 1: // the person goes on, or a page repeats its request
					id := rapid.SampledFrom(ids).Draw(t, "id")
					ev := rapid.SampledFrom([]Event{consent(), {Kind: StartCapture, Actor: client}, {Kind: Submit, Actor: client}}).Draw(t, "event")
					if _, err := s.Apply(ctx, id, AnyVersion, ev, nil); err != nil && !errors.Is(err, ErrNoTransition) {
						t.Fatal(err)
					}
				case 2:
					w.dispatch(t, rapid.Bool().Draw(t, "dispatcher dies"))
				case 3: // Redis is flushed
					clear(w.queue)
				case 4:
					c.add(time.Duration(rapid.IntRange(1, 150).Draw(t, "seconds")) * time.Second)
				default:
					if tasks := slices.Sorted(maps.Keys(w.queue)); len(tasks) > 0 { // a queue promises no order
						task := rapid.SampledFrom(tasks).Draw(t, "task")
						steps := rapid.IntRange(0, 5).Draw(t, "worker dies after")
						killed++
						w.work(t, task, steps, rapid.SampledFrom(outcomes).Draw(t, "outcome"))
					}
				}
			}
			// Nothing fails any more: everything comes to its end.
			for range 20 {
				w.dispatch(t, false)
				for task := range w.queue {
					w.work(t, task, -1, policy.Approved)
				}
				c.add(3 * leaseTime)
			}
			for _, id := range ids {
				ses := need[*Session](t)(s.Get(ctx, id))
				if ses.State == Submitted {
					t.Fatalf("submitted, and never decided: %+v", ses)
				}
				events := need[[]Delivery](t)(s.Deliveries(ctx, id))
				submits, decisions := 0, need[[]Decision](t)(s.Decisions(ctx, id))
				for _, d := range events {
					if w.received[id][d.Event] == 0 || d.Delivered.IsZero() {
						t.Fatalf("%s was not delivered", d.Type)
					}
					if d.Type == NoticeSubmitted {
						submits++
					}
				}
				if len(decisions) != submits {
					t.Fatalf("%d submissions, %d decisions", submits, len(decisions))
				}
				for attempt := 1; attempt <= submits; attempt++ {
					if n := len(need[[]StageResult](t)(s.Stages(ctx, id, attempt))); n != 3 {
						t.Fatalf("%d stage results of attempt %d", n, attempt)
					}
				}
			}
			if depth := need[map[OutboxKind]int](t)(s.OutboxDepth(ctx)); depth[KindVerify]+depth[KindWebhook]+depth[KindErase] != 0 {
				t.Fatalf("outbox is not empty: %v", depth)
			}
			schedules, cases = schedules+1, cases+len(ids)
		}
		rapid.Check(t, check)
		r := verifyLog(t, s)
		t.Logf("%d schedules, %d cases, %d deaths and outages, %d audit entries", schedules, cases, killed, r.Entries)
	})
}
