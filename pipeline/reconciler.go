package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/proofline/proofline/session"
)

// Reconciler hands over again what the store says is unfinished and nobody
// works on: what a flushed queue forgot, a killed worker left, an archive
// swallowed. Any number may run at once.
type Reconciler struct{ *loop }

const (
	reconcileInterval = 5 * time.Second
	reconcileBatch    = 200
	// reconcileGrace is how long a row may be in the queue's hands before it
	// is asked about. Longer than a webhook's time limit, so that a slow
	// endpoint is not called twice.
	reconcileGrace = 45 * time.Second
	// orphanInterval is half of the 120 s after which an active task without a
	// lease is taken back: it has to be seen twice.
	orphanInterval = time.Minute
)

// NewReconciler makes a reconciler; Start begins its work.
func NewReconciler(s *session.Store, q *Queue, log *slog.Logger) *Reconciler {
	return newReconciler(s, q, log, reconcileInterval, reconcileGrace, orphanInterval)
}

func newReconciler(s *session.Store, q *Queue, log *slog.Logger, interval, grace, orphans time.Duration) *Reconciler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	started := time.Now()
	var seen map[string]bool
	var lastOrphans time.Time
	return &Reconciler{newLoop("reconciler", interval, log, func(ctx context.Context) (bool, error) {
		before := time.Now().Add(-grace)
		if q.Embedded() && started.After(before) {
			// The queue was empty when this process began: what was in its
			// hands before that is lost for certain.
			before = started
		}
		rows, err := s.Unfinished(ctx, before, reconcileBatch)
		if err != nil {
			return false, fmt.Errorf("find unfinished work: %w", err)
		}
		var asked []string
		again := 0
		for _, o := range rows {
			fresh, err := q.redispatch(ctx, o)
			if err != nil {
				return false, err
			}
			if fresh {
				again++
			}
			asked = append(asked, o.ID)
		}
		if len(asked) > 0 {
			// Also those that still wait: they go to the end of the list.
			if err := s.MarkDispatched(ctx, asked...); err != nil {
				return false, fmt.Errorf("mark work: %w", err)
			}
		}
		if again > 0 {
			log.Info("work handed over again", "rows", again)
		}
		if time.Since(lastOrphans) >= orphans {
			if seen, err = q.freeOrphans(ctx, seen); err != nil {
				return false, err
			}
			lastOrphans = time.Now()
		}
		return len(rows) == reconcileBatch, nil
	})}
}
