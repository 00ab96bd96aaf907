package pipeline

import (
	"net/http"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
)

// sharedRedis lets asynqmon use the queue's own connections, whatever kind of
// server they lead to.
type sharedRedis struct{ client redis.UniversalClient }

// MakeRedisClient is part of asynq.RedisConnOpt.
func (s sharedRedis) MakeRedisClient() any { return s.client }

// Page shows the queues under the path root, for looking only: what an
// operator may start again is started from the store (`proofline queue
// replay`), which knows what the queue has forgotten. It has no login of its
// own. Tasks hold ids, so the page shows no personal data.
func (q *Queue) Page(root string) http.Handler {
	return asynqmon.New(asynqmon.Options{RootPath: root, RedisConnOpt: sharedRedis{q.redis}, ReadOnly: true})
}
