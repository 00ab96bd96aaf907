package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Sweeper ends sessions whose time is up, deletes evidence whose retention is
// over and prunes settled rows, in bounded batches. Any number may run.
type Sweeper struct{ *loop }

const (
	sweepInterval = time.Minute
	sweepBatch    = 200
	// sweepStep is how far the time of retention moves on in one sweep at most:
	// a day in an hour.
	sweepStep = 24 * sweepInterval
	// settledTime is how long finished outbox rows and idempotency records are
	// kept, for whoever asks what happened to a delivery.
	settledTime = 30 * 24 * time.Hour
)

// NewSweeper makes a sweeper; Start begins its work.
func NewSweeper(s *session.Store, v *storage.Vault, log *slog.Logger) *Sweeper {
	return newSweeper(s, v, log, sweepInterval, time.Now)
}

func newSweeper(s *session.Store, v *storage.Vault, log *slog.Logger, interval time.Duration, now func() time.Time) *Sweeper {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Sweeper{newLoop("sweeper", interval, log, func(ctx context.Context) (bool, error) {
		n, err := s.ExpireDue(ctx, sweepBatch)
		if err != nil {
			return false, fmt.Errorf("expire sessions: %w", err)
		}
		more := n == sweepBatch
		over, err := s.ExpireGrants(ctx, sweepBatch)
		if err != nil {
			return false, fmt.Errorf("log expired grants: %w", err)
		}
		more = more || over == sweepBatch
		if err := maintainEvidence(ctx, s, v, log); err != nil {
			return false, err
		}
		at, err := s.SweepTime(ctx, now(), sweepStep)
		if err != nil {
			return false, err
		}
		if behind := now().Sub(at); behind > sweepStep {
			log.Warn("the clock is far ahead of the last sweep: after a long pause the sweeper catches up, a day in an hour; otherwise set the clock right", "behind", behind.Round(time.Minute))
		}
		rep, err := SweepEvidence(ctx, s, v, at, sweepBatch)
		if err != nil {
			return false, err
		}
		if len(rep.Failures) > 0 {
			log.Warn("evidence could not be deleted and is tried again", "objects", len(rep.Failures), "first", rep.Failures[0])
		}
		// A batch that only failed is not asked for again at once.
		more = more || rep.Expired == sweepBatch && rep.Deleted > 0
		pruned, err := s.Prune(ctx, now().Add(-settledTime), sweepBatch)
		if err != nil {
			return false, fmt.Errorf("prune settled rows: %w", err)
		}
		return more || pruned >= sweepBatch, nil
	})}
}

// SweepEvidence deletes one batch of evidence whose retention is over. Its
// certificates are kept and are in the audit log.
func SweepEvidence(ctx context.Context, s *session.Store, v *storage.Vault, now time.Time, limit int) (storage.SweepReport, error) {
	rep, err := v.Sweep(ctx, now, limit)
	if err != nil {
		return rep, err
	}
	var group errgroup.Group
	group.SetLimit(64) // they share the commits of the database
	for _, c := range rep.Certificates {
		group.Go(func() error {
			refs, hashes := map[string]string{"class": string(c.Class), "reason": "retention"}, map[string]string{}
			err := keepCertificate(ctx, v, c, refs, hashes)
			// The log is told in any case: the evidence is gone already.
			err = errors.Join(err, s.Audit(ctx, audit.Entry{Actor: string(session.System) + ":sweeper", Action: "evidence.expired",
				Session: c.Session, Refs: refs, Hashes: hashes}))
			if err == nil && c.Class == storage.CaptureImage {
				// A digest would still prove to whoever has the photo that it was here.
				err = s.ForgetEvidence(ctx, c.Session)
			}
			if err == nil {
				err = v.Certified(ctx, c)
			}
			if err != nil {
				return fmt.Errorf("record expired evidence of %s: %w", c.Session, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return rep, err
	}
	return rep, nil
}
