package session

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // database/sql driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store keeps sessions and all that belongs to them in one database. Its
// methods are safe for concurrent use by several goroutines and, on PostgreSQL,
// several processes.
type Store struct {
	read, wdb *sql.DB
	postgres  bool
	patience  time.Duration // with a database that does not answer
	now       func() time.Time
	moved     func(Move)
	ids       idSource
	rebound   sync.Map  // query with ? → query with $1
	lite      *liteConn // the commit loop's
	batches   chan *job
	closing   chan struct{}
	done      chan struct{}
	closeOnce sync.Once
}

// Option changes how Open opens a store.
type Option func(*Store)

// WithClock replaces time.Now, for tests and simulations.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// Move is a transition that was committed. Its values are those of the
// transition table, or "create" from no state, so they can label metrics.
type Move struct {
	From, To State
	Event    EventKind
	By       Role
	Test     bool // of a sandbox
}

// WithMoves has f told of every transition that this process commits. It must
// be quick: other writers wait.
func WithMoves(f func(Move)) Option { return func(s *Store) { s.moved = f } }

// Open opens the store named by dsn, "sqlite:PATH" or a postgres:// URL,
// creating and migrating the schema as needed.
//
// SQLite runs in WAL mode with synchronous=FULL: a commit is on disk before
// Apply returns, so what a client was told survives a power cut, not only
// kill -9 (for which NORMAL would do). The cost is one fsync per transaction,
// which concurrent callers share.
func Open(ctx context.Context, dsn string, opts ...Option) (*Store, error) {
	return open(ctx, dsn, schema{migrations, "migrations", goose.DefaultTablename}, opts...)
}

// schema is what a database is made to hold.
type schema struct {
	files embed.FS
	dir   string
	table string // where goose keeps its version
}

func open(ctx context.Context, dsn string, sc schema, opts ...Option) (*Store, error) {
	s := &Store{now: time.Now, patience: dbTimeout, moved: func(Move) {}, batches: make(chan *job), closing: make(chan struct{}), done: make(chan struct{})}
	for _, o := range opts {
		o(s)
	}
	var err error
	path, isSQLite := strings.CutPrefix(dsn, "sqlite:")
	switch {
	case isSQLite:
		err = s.openSQLite(path)
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		err = s.openPostgres(dsn)
	default:
		return nil, fmt.Errorf("%w: store address must start with sqlite: or postgres://", ErrInvalid)
	}
	if err == nil {
		err = s.migrate(ctx, sc)
	}
	if err != nil {
		return nil, errors.Join(err, s.closePools())
	}
	go s.commitLoop()
	return s, nil
}

func (s *Store) openSQLite(path string) error {
	if path == "" || strings.Contains(path, ":memory:") {
		return fmt.Errorf("%w: sqlite: needs the path of a file", ErrInvalid)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make directory of the store: %w", err)
	}
	// SQLite gives its WAL and shared-memory files the mode of the database.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create store file: %w", err)
	}
	f.Close()
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "fullfsync(1)",
		"secure_delete(1)", // a destroyed data key leaves no copy in free pages
		"cache_size(-16384)", "temp_store(MEMORY)",
	}}
	name := "file:" + (&url.URL{Path: path}).EscapedPath() + "?"
	if s.wdb, err = sql.Open("sqlite", name+pragmas.Encode()); err != nil {
		return fmt.Errorf("open store for writing: %w", err)
	}
	s.wdb.SetMaxOpenConns(1)
	pragmas.Add("_pragma", "query_only(1)")
	if s.read, err = sql.Open("sqlite", name+pragmas.Encode()); err != nil {
		return fmt.Errorf("open store for reading: %w", err)
	}
	s.read.SetMaxOpenConns(4)
	s.read.SetMaxIdleConns(4)
	return nil
}

func (s *Store) openPostgres(dsn string) error {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return errors.New("open store: the postgres address can not be parsed") // the error would quote the password
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	db.SetConnMaxIdleTime(5 * time.Minute)
	s.read, s.wdb, s.postgres = db, db, true
	return nil
}

func (s *Store) migrate(ctx context.Context, sc schema) error {
	dialect, opts := goose.DialectSQLite3, []goose.ProviderOption{goose.WithTableName(sc.table)}
	if s.postgres {
		dialect = goose.DialectPostgres
		// Several processes may start at once; an advisory lock lets one migrate.
		l, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return fmt.Errorf("migrate store: %w", err)
		}
		opts = append(opts, goose.WithSessionLocker(l))
	}
	dir, err := fs.Sub(sc.files, sc.dir)
	if err != nil {
		return fmt.Errorf("migrate store: %w", err)
	}
	p, err := goose.NewProvider(dialect, s.wdb, dir, opts...)
	if err != nil {
		return fmt.Errorf("migrate store: %w", err)
	}
	// On SQLite, of two processes that migrate at once one finds the tables of
	// the other; its transaction is rolled back, and by the next look the work
	// is done.
	for try := 0; ; try++ {
		_, err := p.Up(ctx)
		if err == nil {
			return nil
		}
		if s.postgres || try == 5 || ctx.Err() != nil {
			return fmt.Errorf("migrate store: %w", err)
		}
		time.Sleep(100 * time.Millisecond << try)
	}
}

// Ping reports whether the database answers, for readiness probes.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fmt.Errorf("reach store: %w", err)
	}
	return nil
}

// Close waits for the transaction in progress and closes the database.
func (s *Store) Close() error {
	s.closeOnce.Do(func() { close(s.closing) })
	<-s.done
	return s.closePools()
}

func (s *Store) closePools() error {
	var errs []error
	if s.lite != nil {
		s.lite.close()
	}
	if s.wdb != nil {
		errs = append(errs, s.wdb.Close())
	}
	if s.read != nil && s.read != s.wdb {
		errs = append(errs, s.read.Close())
	}
	return errors.Join(errs...)
}

// bind turns ? into $1, $2, … for PostgreSQL. No query holds a literal ?.
func (s *Store) bind(q string) string {
	if !s.postgres {
		return q
	}
	if b, ok := s.rebound.Load(q); ok {
		return b.(string)
	}
	var b strings.Builder
	n := 0
	for _, part := range strings.SplitAfter(q, "?") {
		if before, found := strings.CutSuffix(part, "?"); found {
			n++
			b.WriteString(before + "$" + strconv.Itoa(n))
		} else {
			b.WriteString(part)
		}
	}
	s.rebound.Store(q, b.String())
	return b.String()
}

// forUpdate locks the rows of a SELECT in PostgreSQL. SQLite's one writer needs
// no more.
func (s *Store) forUpdate() string {
	if s.postgres {
		return " FOR UPDATE"
	}
	return ""
}

// transient reports whether the database asks to run the transaction again.
func transient(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == "40001" || pg.Code == "40P01" // serialization failure, deadlock
	}
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_BUSY
}

// micros and fromMicros keep times as microseconds, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// marks returns "?, ?, …" for n values.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }
