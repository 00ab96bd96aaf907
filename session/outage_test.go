package session

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestADatabaseThatCanNotWriteIsAnOutage(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// SQLite's own limit on pages is a full disk to it.
	if _, err := s.wdb.ExecContext(ctx, "PRAGMA max_page_count = 1"); err != nil {
		t.Fatal(err)
	}
	_, err = s.wdb.ExecContext(ctx, "CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 5000) SELECT i, hex(randomblob(500)) AS b FROM n")
	if out, full := Outage(fmt.Errorf("fill: %w", err)); !out || !full {
		t.Errorf("a full database: %v, %v, %v", err, out, full)
	}
	if _, err = s.wdb.ExecContext(ctx, "PRAGMA query_only = on"); err != nil {
		t.Fatal(err)
	}
	_, err = s.wdb.ExecContext(ctx, "CREATE TABLE x (y)")
	if out, full := Outage(err); !out || full {
		t.Errorf("a read-only database: %v, %v, %v", err, out, full)
	}
}

func TestWhatPostgreSQLSaysOfAnOutage(t *testing.T) {
	for _, c := range []struct {
		err       error
		out, full bool
	}{
		{&pgconn.PgError{Code: "53100"}, true, true},
		{&pgconn.PgError{Code: "53300"}, true, false}, // too many connections
		{&pgconn.PgError{Code: "57P01"}, true, false}, // shut down
		{&pgconn.PgError{Code: "25006"}, true, false}, // read only
		{&pgconn.PgError{Code: "23505"}, false, false},
		{&net.OpError{Op: "dial", Err: fmt.Errorf("connection refused")}, true, false},
		{context.DeadlineExceeded, false, false},
		{ErrNotFound, false, false},
		{nil, false, false},
	} {
		if out, full := Outage(c.err); out != c.out || full != c.full {
			t.Errorf("%v: %v, %v", c.err, out, full)
		}
	}
}
