package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

// chaos is the whole system on real servers, and what is done to it.
type chaos struct {
	t        *testing.T
	store    *session.Store
	vault    *storage.Vault
	blobs    storage.Blobs
	queue    *Queue
	hook     *receiver
	s3       *faulty
	key      string
	bases    []string
	used     map[string]bool // objects that evidence refers to
	done     map[string]int  // how often each thing was done
	stopping chan struct{}

	mu       sync.Mutex
	accepted map[string]int // attempts that were answered "received", by session
	retries  int
}

// The promise: whatever is killed, once a client was told
// "received" the case ends in a decision exactly once, and each transition is
// announced by one event. PROOFLINE_CHAOS_CASES makes it longer (`make chaos`).
func TestChaosEveryAcceptedCaseIsDecidedOnceAndAnnounced(t *testing.T) {
	if testing.Short() {
		t.Skip("long test")
	}
	cases := 220
	if n, err := strconv.Atoi(os.Getenv("PROOFLINE_CHAOS_CASES")); err == nil {
		cases = n
	}
	redis, pg, s3 := testserver.Redis(t), testserver.Postgres(t), testserver.S3(t)
	c := &chaos{t: t, used: map[string]bool{}, done: map[string]int{}, accepted: map[string]int{}, stopping: make(chan struct{})}
	c.s3 = newFaulty(t, s3.Endpoint)
	mc, err := minio.New(s3.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s3.AccessKey, s3.SecretKey, ""), Region: s3.Region})
	if err != nil {
		t.Fatal(err)
	}
	if err := mc.MakeBucket(ctx, "evidence", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	base := node{DSN: pg.DSN, Queue: redis.URL(), Keys: filepath.Join(dir, "keys"), S3: storage.S3Config{Endpoint: c.s3.Listener.Addr().String(),
		Bucket: "evidence", Region: s3.Region, AccessKey: s3.AccessKey, SecretKey: s3.SecretKey, Insecure: true, PathStyle: true}}
	c.set(base)

	log := filepath.Join(dir, "log")
	t.Cleanup(func() {
		if b, err := os.ReadFile(log); t.Failed() && err == nil {
			t.Logf("last lines of the nodes:\n%s", b[max(0, len(b)-8000):])
		}
	})
	var nodes []*nodeProcess
	for i := range 4 {
		n := base
		n.Role, n.ID = "worker", fmt.Sprint("worker-", i)
		if i < 2 {
			n.Role, n.ID, n.Listen = "api", fmt.Sprint("api-", i), testserver.FreeAddress(t)
			c.bases = append(c.bases, "http://"+n.Listen)
		}
		nodes = append(nodes, startNode(t, n, log))
	}
	for _, b := range c.bases {
		eventually(t, 30*time.Second, "an API does not answer", func() bool {
			r, err := http.Get(b + "/healthz")
			if err == nil {
				r.Body.Close()
			}
			return err == nil
		})
	}

	began := time.Now()
	c.s3.rate.Store(20)
	var broken sync.WaitGroup
	broken.Go(func() {
		again := func(s interface {
			Kill()
			Restart()
		}) {
			s.Kill()
			time.Sleep(rand.N(400 * time.Millisecond))
			s.Restart()
		}
		kill := func(i int) { nodes[i].kill(); time.Sleep(rand.N(300 * time.Millisecond)); nodes[i].start() }
		deeds := []struct {
			name string
			do   func()
		}{
			{"API killed", func() { kill(rand.IntN(2)) }},
			{"worker killed", func() { kill(2 + rand.IntN(2)) }},
			{"Redis flushed", func() { _ = c.queue.redis.FlushAll(ctx).Err() }},
			{"PostgreSQL killed", func() { again(pg) }},
			{"worker killed", func() { kill(2 + rand.IntN(2)) }},
			{"Redis killed", func() { again(redis) }},
			{"S3 killed", func() { again(s3) }},
			{"S3 failing", func() { c.s3.rate.Store(500); time.Sleep(400 * time.Millisecond); c.s3.rate.Store(20) }},
		}
		for round := 0; ; round++ {
			rand.Shuffle(len(deeds), func(i, j int) { deeds[i], deeds[j] = deeds[j], deeds[i] })
			for _, d := range deeds {
				select {
				case <-c.stopping:
					if round > 0 { // each at least once
						return
					}
				case <-time.After(200*time.Millisecond + rand.N(500*time.Millisecond)):
				}
				d.do()
				c.done[d.name]++
			}
		}
	})
	c.load(cases)
	close(c.stopping)
	broken.Wait()
	c.s3.rate.Store(0)
	loaded := time.Since(began)

	c.settle(45*time.Second + time.Duration(cases/20)*time.Second)
	settled := time.Since(began) - loaded
	c.verify(loaded, settled)
}

// set opens this test's own view and makes what a deployment needs.
func (c *chaos) set(n node) {
	t := c.t
	store, vault, blobs, keys, err := n.open()
	if err != nil {
		t.Fatal(err)
	}
	c.store, c.vault, c.blobs = store, vault, blobs
	if c.queue, err = OpenQueue(QueueConfig{Address: n.Queue}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.queue.Close(); store.Close() })
	secret := webhook.NewSecret()
	key, err := webhook.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	c.hook = newReceiver(t, key)
	sealed, err := storage.SealSecret(ctx, keys, WebhookPurpose, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	by := session.Actor{Role: session.Operator, ID: "test"}
	if _, err := store.PutEndpoint(ctx, by, session.Endpoint{Tenant: "t1", URL: c.hook.URL, Secrets: sealed}); err != nil {
		t.Fatal(err)
	}
	if _, c.key, err = store.CreateAPIKey(ctx, by, "t1", "chaos", []string{"sessions:create", "sessions:read"}, 0); err != nil {
		t.Fatal(err)
	}
}

// load sends cases, a dozen people at a time.
func (c *chaos) load(cases int) {
	next := make(chan int)
	var people sync.WaitGroup
	for range 12 {
		people.Go(func() {
			h := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{}}
			defer h.CloseIdleConnections()
			for i := range next {
				if err := c.person(h, i); err != nil {
					c.t.Errorf("case %d: %v", i, err)
				}
			}
		})
	}
	for i := range cases {
		next <- i
		time.Sleep(60 * time.Millisecond) // arrivals
	}
	close(next)
	people.Wait()
}

// person goes through a case with the patience of an app: what fails is tried
// again, at whichever API answers.
func (c *chaos) person(h *http.Client, i int) error {
	service := func() *client.Service { return client.NewService(c.bases[rand.IntN(len(c.bases))], c.key, h) }
	var created *client.Created
	for key := 0; created == nil; key++ {
		err := c.insist(func() (err error) {
			created, err = service().CreateSession(ctx, client.NewSession{DocumentType: "passport", ExternalRef: fmt.Sprint("case-", i)}, fmt.Sprintf("case-%d-%d", i, key))
			return err
		})
		// The API that began it was killed: its key stays taken for a minute.
		if err != nil && !errors.Is(err, &client.Problem{Code: client.CodeIdempotencyInFlight}) {
			return fmt.Errorf("create: %w", err)
		}
	}
	capture := func() *client.Capture {
		return client.NewCapture(c.bases[rand.IntN(len(c.bases))], created.ClientToken, h)
	}
	if err := c.insist(func() error { _, err := capture().GiveConsent(ctx, "1", "en"); return err }); err != nil {
		return fmt.Errorf("consent: %w", err)
	}
	for attempt := 1; attempt <= 1+i%2; attempt++ {
		for _, kind := range []string{"document_front", "selfie"} {
			photo := make([]byte, 4<<10+rand.IntN(16<<10))
			for k := range photo {
				photo[k] = byte(rand.Uint32())
			}
			if err := c.insist(func() error { _, err := capture().Upload(ctx, kind, "", photo, "image/jpeg"); return err }); err != nil {
				return fmt.Errorf("upload %s of attempt %d: %w", kind, attempt, err)
			}
		}
		err := c.insist(func() error { _, err := capture().Submit(ctx); return err })
		// The answer of an earlier try was lost, and the case has gone on.
		if err != nil && !errors.Is(err, &client.Problem{Code: client.CodeConflict}) {
			return fmt.Errorf("submit attempt %d: %w", attempt, err)
		}
		c.mu.Lock()
		c.accepted[created.Session.ID]++
		c.mu.Unlock()
		if attempt == 1+i%2 {
			break
		}
		for state := ""; state != string(session.NeedsResubmission); time.Sleep(100 * time.Millisecond) {
			if err := c.insist(func() error { s, err := service().Get(ctx, created.Session.ID); state = stateOf(s); return err }); err != nil {
				return fmt.Errorf("wait: %w", err)
			}
		}
	}
	return nil
}

func stateOf(s *client.Session) string {
	if s == nil {
		return ""
	}
	return s.State
}

// insist repeats f until it is answered for good.
func (c *chaos) insist(f func() error) error {
	var err error
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond)) {
		err = f()
		var p *client.Problem
		if err == nil || errors.As(err, &p) && p.Status < 500 && !p.Temporary() && p.Status != http.StatusRequestTimeout {
			return err
		}
		c.mu.Lock()
		c.retries++
		c.mu.Unlock()
	}
	return err
}

// settle waits until the store says that nothing is unfinished.
func (c *chaos) settle(within time.Duration) {
	eventually(c.t, within, "work is stuck", func() bool {
		depth, err := c.store.OutboxDepth(ctx)
		return err == nil && depth[session.KindVerify]+depth[session.KindWebhook]+depth[session.KindErase] == 0
	})
}

func (c *chaos) verify(loaded, settled time.Duration) {
	t := c.t
	var sessions []session.Session
	for cursor := ""; ; {
		p, err := c.store.List(ctx, session.Filter{Cursor: cursor, Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		if sessions = append(sessions, p.Sessions...); p.Next == "" {
			break
		}
		cursor = p.Next
	}
	submissions, decisions, moves, events := 0, 0, 0, 0
	for _, s := range sessions {
		ds, err := c.store.Decisions(ctx, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		submits, changes := 0, 0
		log, err := c.store.Timeline(ctx, s.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range log {
			if e.Outcome != "noop" && e.From != e.To {
				changes++
			}
			if e.Outcome != "noop" && e.To == string(session.Submitted) {
				submits++
			}
		}
		if submits < c.accepted[s.ID] {
			t.Errorf("%s: %d submissions were answered, %d are known", s.ID, c.accepted[s.ID], submits)
		}
		for a := 1; a <= s.Attempt; a++ {
			es, err := c.store.Evidence(ctx, s.ID, a)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range es {
				c.used[e.Object] = true
			}
		}
		perAttempt := map[int]int{}
		for _, d := range ds {
			perAttempt[d.Attempt]++
		}
		for a := 1; a <= submits; a++ {
			if perAttempt[a] != 1 {
				t.Errorf("%s: attempt %d has %d decisions", s.ID, a, perAttempt[a])
			}
		}
		if len(ds) != submits || s.State == session.Submitted {
			t.Errorf("%s is %s with %d submissions and %d decisions", s.ID, s.State, submits, len(ds))
		}
		submissions, decisions, moves = submissions+submits, decisions+len(ds), moves+changes
		events += c.announced(s.ID, changes)
	}
	dead, err := c.store.DeadLetters(ctx, "", 100)
	if err != nil || len(dead) != 0 {
		t.Errorf("dead letters %+v, %v", dead, err)
	}
	blobs, swept := c.objects()
	waiting, leased := c.tasks()
	c.hook.mu.Lock()
	defer c.hook.mu.Unlock()
	received := 0
	for _, n := range c.hook.times {
		received += n
	}
	for _, p := range c.hook.problems {
		t.Error(p)
	}
	if len(c.hook.times) != events || events != moves {
		t.Errorf("%d transitions, %d events, %d of them received", moves, events, len(c.hook.times))
	}
	t.Logf(`tally
  cases          %d accepted of %d sessions; %d requests were repeated
  done to it     %v, S3 requests failed %d (503: %d, cut off: %d, answer lost: %d)
  decisions      %d for %d submissions, one each
  events         %d for %d transitions, each delivered; %d arrived more than once, %d first tries refused
  objects        %d in the bucket, each with its row; %d rows of writes cut short; after retention 0 left
  tasks          0 unfinished in the store, 0 dead; in Redis %d waiting, %d leased by killed workers
  time           %s load, %s to settle`,
		len(c.accepted), len(sessions), c.retries, c.done, c.s3.total(), c.s3.failed[0].Load(), c.s3.failed[1].Load(), c.s3.failed[2].Load(),
		decisions, submissions, events, moves, received-len(c.hook.times), len(c.hook.refused), blobs, swept, waiting, leased, loaded.Round(time.Second), settled.Round(time.Second))
}

// announced checks that a session's transitions were each told once, by id.
func (c *chaos) announced(id string, changes int) int {
	ds, err := c.store.Deliveries(ctx, id)
	if err != nil {
		c.t.Fatal(err)
	}
	c.hook.mu.Lock()
	defer c.hook.mu.Unlock()
	sequences := map[int64]bool{}
	for _, d := range ds {
		n := c.hook.notices[d.Event]
		if d.Delivered.IsZero() || c.hook.times[d.Event] == 0 || n.Data.SessionID != id || sequences[n.Data.Sequence] {
			c.t.Errorf("%s: event %s (%s) delivered %v, received %d times", id, d.Event, d.Type, !d.Delivered.IsZero(), c.hook.times[d.Event])
		}
		sequences[n.Data.Sequence] = true
	}
	if len(ds) != changes {
		c.t.Errorf("%s: %d transitions, %d events", id, changes, len(ds))
	}
	return len(ds)
}

// objects checks that no bytes are without a row that will delete them, no row
// and no evidence without its bytes, and that sweeping leaves nothing.
func (c *chaos) objects() (blobs, cut int) {
	t := c.t
	far := time.Now().Add(100 * 365 * 24 * time.Hour)
	rows, err := c.store.ClaimExpired(ctx, far, time.Time{}, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, o := range rows {
		known[o.Key] = true
	}
	there := c.keys()
	for k := range there {
		if !known[k] {
			t.Errorf("object %s has no row", k)
		}
	}
	for _, o := range rows {
		switch {
		case there[o.Key]:
		case o.CommittedAt.IsZero():
			cut++
		case c.used[o.ID]:
			t.Errorf("object %s is evidence, and its bytes are gone", o.ID)
		default:
			// The database died between committing the row and saying so: the
			// write was given up, and its bytes deleted.
			cut++
		}
	}
	blobs = len(there)
	for _, at := range []time.Time{time.Now().Add(2 * time.Hour), far} {
		for {
			rep, err := c.vault.Sweep(ctx, at, 500)
			if err != nil || len(rep.Failures) > 0 {
				t.Fatal(err, rep.Failures)
			}
			if rep.Expired == 0 {
				break
			}
		}
	}
	if left := c.keys(); len(left) != 0 {
		t.Errorf("%d objects are left after their retention: %v", len(left), left)
	}
	return blobs, cut
}

func (c *chaos) keys() map[string]bool {
	out := map[string]bool{}
	for after := ""; ; {
		l, err := c.blobs.List(ctx, "", after, 1000)
		if err != nil {
			c.t.Fatal(err)
		}
		if len(l) == 0 {
			return out
		}
		for _, i := range l {
			out[i.Key], after = true, i.Key
		}
	}
}

// tasks looks into Redis: what is still there must be on its way out. Tasks of
// rows that are settled wait for their next try, and what a killed worker had
// in hand is leased: asynq takes it back when the lease ends. Nothing may be
// archived, and nothing active without a lease.
func (c *chaos) tasks() (waiting, leased int) {
	archived, orphans, said := 0, 0, ""
	look := func() bool {
		waiting, leased, archived, orphans, said = 0, 0, 0, 0, ""
		names, err := c.queue.inspector.Queues() // those that were used since the last flush
		if err != nil {
			said = err.Error()
			return false
		}
		for _, name := range names {
			i, err := c.queue.inspector.GetQueueInfo(name)
			var n int64
			if err == nil {
				n, err = c.queue.redis.ZCard(context.Background(), "asynq:{"+name+"}:lease").Result()
			}
			if err != nil {
				said = err.Error()
				return false
			}
			waiting, leased, archived = waiting+i.Pending+i.Scheduled+i.Retry, leased+int(n), archived+i.Archived
			orphans += max(0, i.Active-int(n))
			said += fmt.Sprintf("%s: %d pending, %d to retry, %d active, %d leased, %d archived; ", name, i.Pending, i.Retry, i.Active, n, i.Archived)
		}
		return archived == 0 && orphans == 0
	}
	for end := time.Now().Add(2 * time.Minute); !look(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Errorf("tasks are stuck in Redis: %s", said)
			break
		}
	}
	return waiting, leased
}
