package pipeline

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
)

// Each kind of Redis that an address can name, as a real server: cases go
// through, what a flush or a failover forgets is found again.

func TestTheQueueWorksOverTLSWithAUserOfFewRights(t *testing.T) {
	url, ca := testserver.RedisTLS(t)
	w := openWorldWith(t, t.TempDir(), QueueConfig{Address: url, CAFile: ca})
	w.approveSome(3)
	// Without the authority the connection is refused, not made in clear.
	q, err := OpenQueue(QueueConfig{Address: url, Log: w.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.Ping(ctx); err == nil {
		t.Fatal("a certificate that nobody vouches for was trusted")
	}
}

func TestTheQueueWorksOnACluster(t *testing.T) {
	w := openWorldWith(t, t.TempDir(), QueueConfig{Address: testserver.RedisCluster(t)})
	w.approveSome(3)
}

func TestTheQueueFollowsTheSentinelsToANewMaster(t *testing.T) {
	s := testserver.RedisSentinel(t)
	w := openWorldWith(t, t.TempDir(), QueueConfig{Address: s.URL})
	before := w.approveSome(2)
	s.KillMaster()
	id := w.submit()
	w.decided(id, 20*time.Second) // the dispatcher goes on trying while there is no master
	for _, id := range before {
		w.decided(id, time.Second)
	}
}

func openWorldWith(t *testing.T, dir string, c QueueConfig) *world {
	t.Helper()
	return openWorldQueue(t, dir, "sqlite:"+filepath.Join(dir, "store.db"), c)
}

// approveSome starts a worker and takes n cases through it.
func (w *world) approveSome(n int) (ids []string) {
	w.t.Helper()
	ss, _ := passing()
	w.start(w.config(), ss)
	for range n {
		ids = append(ids, w.submit())
	}
	for _, id := range ids {
		w.decided(id, 10*time.Second)
	}
	return ids
}
