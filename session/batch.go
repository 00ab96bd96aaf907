package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// On PostgreSQL a statement costs a round trip, and all audited writes share
// one connection: what they wait for is mostly the wire. Statements whose
// result nobody needs are therefore kept back and sent together (pgx.Batch,
// the protocol's pipeline mode) before the next one that is read from, and at
// the latest at the end of the write that they belong to, so that an error is
// still that write's own.

// statement is one that waits to be sent.
type statement struct {
	doing string
	q     string
	args  []any
	rows  int64 // that it must affect; -1: any number
}

// later runs a statement by the end of the write.
func (tx *Tx) later(doing, q string, args ...any) error { return tx.laterRows(doing, -1, q, args...) }

// laterRows is later for a statement that must affect so many rows.
func (tx *Tx) laterRows(doing string, rows int64, q string, args ...any) error {
	st := statement{doing, q, args, rows}
	if tx.conn == nil {
		n, err := tx.exec(q, args...)
		return st.check(n, err)
	}
	tx.queued, tx.wrote = append(tx.queued, st), true
	return nil
}

func (st statement) check(n int64, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", st.doing, err)
	case st.rows >= 0 && n != st.rows:
		return fmt.Errorf("%s: %d rows instead of %d", st.doing, n, st.rows)
	}
	return nil
}

// flush sends what waits. After an error the transaction can only be rolled
// back; the error is kept, because the statement that follows would hide it.
func (tx *Tx) flush() error {
	if len(tx.queued) == 0 {
		return tx.flushErr
	}
	queued := tx.queued
	tx.queued = nil
	err := tx.conn.Raw(func(c any) error {
		conn, ok := c.(*stdlib.Conn)
		if !ok {
			return errors.New("connection is not pgx's")
		}
		return send(tx.ctx, conn.Conn(), queued, tx.s.bind)
	})
	tx.flushErr = errors.Join(tx.flushErr, err)
	return tx.flushErr
}

func send(ctx context.Context, conn *pgx.Conn, queued []statement, bind func(string) string) (err error) {
	var b pgx.Batch
	for _, st := range queued {
		b.Queue(bind(st.q), st.args...)
	}
	r := conn.SendBatch(ctx, &b)
	defer func() { err = errors.Join(err, r.Close()) }()
	for _, st := range queued {
		tag, err := r.Exec()
		if err := st.check(tag.RowsAffected(), err); err != nil {
			return err
		}
	}
	return nil
}

// pgBegin begins a transaction on a connection that batches can be sent on.
func (s *Store) pgBegin(ctx context.Context) (*sql.Conn, *sql.Tx, error) {
	conn, err := s.wdb.Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return conn, tx, nil
}
