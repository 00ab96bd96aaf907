package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/proofline/proofline/session"
)

// Dispatcher moves outbox rows that are due into the queue. Any number may run:
// task ids are derived from the rows, so two that hand over the same row make
// one task, and a crash between the queue and the mark hands it over again.
type Dispatcher struct{ *loop }

// dispatchInterval is how long a row waits at most when nobody calls Wake.
const (
	dispatchInterval = 200 * time.Millisecond
	dispatchBatch    = 200
)

// NewDispatcher makes a dispatcher; Start begins its work.
func NewDispatcher(s *session.Store, q *Queue, log *slog.Logger) *Dispatcher {
	return &Dispatcher{newLoop("dispatcher", dispatchInterval, log, func(ctx context.Context) (bool, error) {
		rows, err := s.Pending(ctx, dispatchBatch)
		if err != nil {
			return false, fmt.Errorf("find work: %w", err)
		}
		var sent []string
		var failed error
		for _, o := range rows {
			if failed = q.Enqueue(ctx, o); failed != nil {
				break
			}
			sent = append(sent, o.ID)
		}
		if len(sent) > 0 {
			if err := s.MarkDispatched(ctx, sent...); err != nil {
				return false, fmt.Errorf("mark work: %w", err)
			}
		}
		return failed == nil && len(rows) == dispatchBatch, failed
	})}
}
