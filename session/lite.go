package session

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// liteConn is SQLite's one writing connection, with its statements prepared
// once: parsing SQL took more than half of a write's time. It is used by the
// commit loop alone.
type liteConn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

// maxStatements bounds the statements that are kept; the store has about a
// hundred texts.
const maxStatements = 256

func (s *Store) liteBegin(ctx context.Context) (*liteConn, error) {
	if s.lite == nil {
		c, err := s.wdb.Conn(ctx)
		if err != nil {
			return nil, err
		}
		s.lite = &liteConn{conn: c, stmts: map[string]*sql.Stmt{}}
	}
	// Taking the write lock at once: no upgrade later, so no deadlock.
	if _, err := s.lite.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		s.lite.discard()
		s.lite = nil
		return nil, err
	}
	return s.lite, nil
}

// discard closes the connection for good. close would give it back to the pool, and
// with it a transaction that a failed rollback may have left open: nobody could
// write until the process ends.
func (c *liteConn) discard() {
	for _, st := range c.stmts {
		st.Close()
	}
	_ = c.conn.Raw(func(any) error { return driver.ErrBadConn }) // closes it
}

func (c *liteConn) close() {
	for _, st := range c.stmts {
		st.Close()
	}
	c.conn.Close()
}

func (c *liteConn) prepared(ctx context.Context, q string) (*sql.Stmt, error) {
	if st, ok := c.stmts[q]; ok {
		return st, nil
	}
	st, err := c.conn.PrepareContext(ctx, q)
	if err != nil {
		return nil, err
	}
	if len(c.stmts) >= maxStatements {
		for old, st := range c.stmts {
			st.Close()
			delete(c.stmts, old)
			break
		}
	}
	c.stmts[q] = st
	return st, nil
}

func (c *liteConn) ExecContext(ctx context.Context, q string, args ...any) (sql.Result, error) {
	st, err := c.prepared(ctx, q)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

func (c *liteConn) QueryContext(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	st, err := c.prepared(ctx, q)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (c *liteConn) QueryRowContext(ctx context.Context, q string, args ...any) *sql.Row {
	st, err := c.prepared(ctx, q)
	if err != nil {
		return c.conn.QueryRowContext(ctx, q, args...) // carries the error
	}
	return st.QueryRowContext(ctx, args...)
}

func (c *liteConn) Commit() error {
	if _, err := c.ExecContext(context.Background(), "COMMIT"); err != nil {
		// A commit that failed can leave the transaction open.
		c.Rollback()
		return err
	}
	return nil
}

func (c *liteConn) Rollback() error {
	if _, err := c.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}
