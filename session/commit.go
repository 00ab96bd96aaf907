package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofline/proofline/storage"
)

// Every audited write goes through one goroutine per store, which runs waiting
// writes one after another in one transaction and commits them together. The
// audit log serialises them anyway (each needs the head of the tree), and a
// commit costs an fsync: sharing it is what lets many cases move at once. A
// write that fails is taken out and the others of its batch run again without
// it. Writes that leave no audit entry (stage results, leases, the outbox's
// progress) are single statements and run side by side on PostgreSQL; SQLite
// has one writer, so there they share the same commits.

// job is one write waiting for its commit.
type job struct {
	ctx    context.Context
	fn     func(*Tx) error
	result chan error
}

// maxBatch bounds how long a write can wait for the others of its transaction.
const maxBatch = 64

// errClosed answers writes after Close.
var errClosed = errors.New("store is closed")

// write runs fn in a transaction and returns once it is committed, or failed.
func (s *Store) write(ctx context.Context, doing string, fn func(*Tx) error) error {
	if tx := s.simulating(ctx); tx != nil {
		return tx.step(doing, fn)
	}
	j := &job{ctx: ctx, fn: fn, result: make(chan error, 1)}
	select {
	case s.batches <- j:
	case <-s.closing:
		return fmt.Errorf("%s: %w", doing, errClosed)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	}
	// Once accepted, the write is committed or not whatever becomes of ctx;
	// waiting for the answer is what lets the caller say which.
	if err := <-j.result; err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// writeApart is write for what leaves no audit entry and is right statement by
// statement: on PostgreSQL each commits by itself.
func (s *Store) writeApart(ctx context.Context, doing string, fn func(*Tx) error) error {
	if !s.postgres || s.simulating(ctx) != nil {
		return s.write(ctx, doing, fn)
	}
	ctx, end := s.bounded(ctx)
	defer end()
	err := fn(&Tx{s: s, ctx: ctx, db: s.wdb, Now: s.clock(), trace: traceparent(ctx)})
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

func (s *Store) clock() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

func (s *Store) commitLoop() {
	defer close(s.done)
	for {
		select {
		case <-s.closing:
			return
		case j := <-s.batches:
			s.runBatch(j)
		}
	}
}

// runBatch commits j together with whatever waits behind it.
func (s *Store) runBatch(j *job) {
	var ran []*job
	tx, err := s.begin()
	if err != nil {
		j.result <- err
		return
	}
	more := func() bool {
		if len(ran) >= maxBatch {
			return false
		}
		select {
		case j = <-s.batches:
			return true
		default:
			return false
		}
	}
	for ok := true; ok; ok = more() {
		refused, broken := tx.run(j)
		switch {
		case broken != nil:
			// Part of j is in the transaction, or the database failed: nothing
			// of it may stay. Each starts again alone.
			tx.rollback()
			for _, r := range append(ran, j) {
				s.runAlone(r)
			}
			return
		case refused != nil:
			j.result <- refused
		default:
			ran = append(ran, j)
		}
	}
	if err := tx.commit(); transient(err) {
		for _, r := range ran {
			s.runAlone(r)
		}
		return
	} else if err != nil {
		// Running again could do twice what was committed before the
		// connection broke. The callers are told; a repeated event is a no-op.
		for _, r := range ran {
			r.result <- err
		}
		return
	}
	for _, r := range ran {
		r.result <- nil
	}
}

// runAlone gives j a transaction of its own, again while the database asks for
// it.
func (s *Store) runAlone(j *job) {
	var err error
	for try := range 8 {
		if try > 0 {
			time.Sleep(time.Duration(1<<try) * time.Millisecond)
		}
		var tx *Tx
		if tx, err = s.begin(); err != nil {
			break
		}
		refused, broken := tx.run(j)
		if err = errors.Join(refused, broken); err != nil {
			tx.rollback()
		} else {
			err = tx.commit()
		}
		if !transient(err) {
			break
		}
	}
	j.result <- err
}

// dbTimeout bounds a transaction, and a query, against a PostgreSQL that hangs or
// whose machine vanished without closing the connection. Of a transaction the
// caller then learns that the outcome is unknown.
const dbTimeout = 30 * time.Second

func (s *Store) begin() (*Tx, error) {
	// Not the callers' contexts: one that is cancelled must not roll back the
	// others' work.
	ctx, cancel := context.Background(), func() {}
	var tx txn
	var conn *sql.Conn
	var err error
	if s.postgres {
		ctx, cancel = context.WithTimeout(ctx, s.patience)
		conn, tx, err = s.pgBegin(ctx)
	} else {
		tx, err = s.liteBegin(ctx) // waits for other processes as long as busy_timeout says
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("begin transaction: %w", err)
	}
	return &Tx{s: s, ctx: ctx, cancel: cancel, tx: tx, db: tx, conn: conn, Now: s.clock()}, nil
}

// run executes one job. refused: it changed nothing and the transaction is
// good; broken: the transaction must be rolled back.
func (tx *Tx) run(j *job) (refused, broken error) {
	if err := j.ctx.Err(); err != nil {
		return context.Cause(j.ctx), nil
	}
	// Not the time the transaction began: this write may have joined it late.
	tx.Session, tx.wrote, tx.trace, tx.Now = nil, false, traceparent(j.ctx), tx.s.clock()
	entries, moves := len(tx.entries), len(tx.moves)
	err := tx.call(j.fn)
	if err == nil {
		err = tx.flush()
	}
	if err == nil {
		err = tx.checkEntries(entries)
	}
	if err == nil {
		return nil, nil
	}
	if tx.flushErr != nil {
		return nil, tx.flushErr
	}
	tx.entries, tx.moves = tx.entries[:entries], tx.moves[:moves]
	if !tx.wrote && slices.ContainsFunc(refusals, func(e error) bool { return errors.Is(err, e) }) {
		return err, nil
	}
	return nil, err
}

// refusals are the errors that come from looking at rows, not from the
// database.
var refusals = []error{ErrNotFound, ErrConflict, ErrInvalid, ErrLeased, ErrLeaseLost, ErrNotRunnable,
	ErrIdempotencyInFlight, ErrIdempotencyMismatch, ErrTaken, ErrClaimed, ErrNotClaimed, ErrVoted, ErrNotInReview, ErrNoGrant, ErrSamePerson, storage.ErrNotFound, storage.ErrExists, storage.ErrHeld}

// call turns a panic into an error: it happens on the store's goroutine, where
// no caller could recover it.
func (tx *Tx) call(fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic of type %T in a store transaction", p)
		}
	}()
	return fn(tx)
}

func (tx *Tx) rollback() {
	tx.tx.Rollback()
	tx.release()
}

// release gives the connection back.
func (tx *Tx) release() {
	if tx.conn != nil {
		tx.conn.Close()
	}
	tx.cancel()
}

// commit appends the audit entries of the batch and commits.
func (tx *Tx) commit() error {
	defer tx.release()
	err := tx.appendAudit()
	if err == nil {
		err = tx.flush()
	}
	if err != nil {
		tx.tx.Rollback()
		return err
	}
	if err := tx.tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for _, m := range tx.moves {
		tx.s.moved(m)
	}
	return nil
}
