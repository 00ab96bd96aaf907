package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Outage tells whether an error says that the database can not be used for the
// moment, and whether that is for want of room: a client may be told to come
// back. The caller's own end (its context) is no outage.
func Outage(err error) (out, full bool) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false, false
	}
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff { // the primary code; extended ones add where
		case sqlite3.SQLITE_FULL:
			return true, true
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL:
			return true, false
		}
		return false, false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		// Appendix A of PostgreSQL's manual: 53100 is a full disk, class 53 other
		// missing resources, 08 the connection, 57P an operator's intervention, 58
		// errors of the system; 25006 is a server that has become a standby.
		full = pg.Code == "53100"
		return full || strings.HasPrefix(pg.Code, "53") || strings.HasPrefix(pg.Code, "08") ||
			strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "58") || pg.Code == "25006", full
	}
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE), false
}
