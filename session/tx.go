package session

import (
	"context"
	"database/sql"
	"time"

	"github.com/proofline/proofline/audit"
)

// Tx is an open transaction, for use inside Apply's function only. The function
// can run more than once before it is committed, so it must have no effect but
// through Tx; it must be quick, as other writers wait, and must not call the
// Store.
type Tx struct {
	// Session is the session as it will be after the event.
	Session *Session
	// Now is the time of the transaction.
	Now time.Time

	s        *Store
	ctx      context.Context
	cancel   context.CancelFunc
	tx       txn
	db       querier   // tx, or the pool
	conn     *sql.Conn // of tx on PostgreSQL, see batch.go
	queued   []statement
	flushErr error
	entries  []audit.Entry
	wrote    bool
	trace    string // traceparent of the write that runs
	moves    []Move
	ends     map[string][]Endpoint // enabled ones by tenant, as read in this transaction
	// simulated: what runs is Store.Simulate, see simulate.go.
	simulated bool
}

type querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

type txn interface {
	querier
	Commit() error
	Rollback() error
}

func (tx *Tx) exec(q string, args ...any) (rows int64, err error) {
	if err := tx.flush(); err != nil {
		return 0, err
	}
	r, err := tx.db.ExecContext(tx.ctx, tx.s.bind(q), args...)
	if err != nil {
		return 0, err
	}
	rows, err = r.RowsAffected()
	tx.wrote = tx.wrote || rows != 0
	return rows, err
}

func (tx *Tx) row(q string, args ...any) *sql.Row {
	_ = tx.flush() // kept; the query fails, too
	return tx.db.QueryRowContext(tx.ctx, tx.s.bind(q), args...)
}

func (tx *Tx) rows(q string, args ...any) (*sql.Rows, error) {
	if err := tx.flush(); err != nil {
		return nil, err
	}
	return tx.db.QueryContext(tx.ctx, tx.s.bind(q), args...)
}

// oneRow is a row that ends its query's time when it is scanned.
type oneRow struct {
	*sql.Row
	end context.CancelFunc
}

func (r oneRow) Scan(dest ...any) error {
	defer r.end()
	return r.Row.Scan(dest...)
}

// queryRow reads one row; it has to be scanned.
func (s *Store) queryRow(ctx context.Context, q string, args ...any) oneRow {
	ctx, end := s.bounded(ctx)
	return oneRow{s.read.QueryRowContext(ctx, s.bind(q), args...), end}
}

// bounded gives a query of PostgreSQL an end, whatever the caller's patience:
// loops in the background have no deadline of their own.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if !s.postgres {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.patience)
}
