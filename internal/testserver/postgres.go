package testserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresServer is a fresh, empty database in a PostgreSQL cluster that all
// tests of this process share.
type PostgresServer struct {
	server          // the whole cluster: Kill and Restart are not for parallel tests
	DSN      string // postgres://… over a unix socket
	Database string
}

// cluster is started by the first test that needs it and ends with the
// process; reap removes its directory then.
var cluster struct {
	sync.Mutex
	*process
	dir   string
	alive *os.File // kept open for the life of the process, see reap
}

var errNoPostgres = errors.New("install the Debian package postgresql")

// Postgres makes a database for the test, starting the cluster if need be.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	cluster.Lock()
	defer cluster.Unlock()
	if cluster.process == nil {
		if err := startCluster(); errors.Is(err, errNoPostgres) {
			Missing(t, "postgres", err.Error())
		} else if err != nil {
			t.Fatal(err)
		}
	}
	s := &PostgresServer{server: server{t, cluster.process}, Database: "t" + strings.ToLower(rand.Text()[:12])}
	if !s.p.running() { // a test before this one left it killed
		s.check(s.p.start())
	}
	s.DSN = dsn(cluster.dir, s.Database)
	admin(t, "CREATE DATABASE "+s.Database)
	t.Cleanup(func() {
		if !s.p.running() {
			s.check(s.p.start())
		}
		admin(t, "DROP DATABASE "+s.Database+" WITH (FORCE)")
	})
	return s
}

// Disconnect ends every connection to this database, as a failover would.
func (s *PostgresServer) Disconnect() {
	s.t.Helper()
	admin(s.t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+s.Database+"'")
}

func dsn(dir, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/" + database, RawQuery: url.Values{"host": {dir}}.Encode()}
	return u.String()
}

func admin(t testing.TB, sql string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	c, err := pgx.Connect(ctx, dsn(cluster.dir, "postgres"))
	if err != nil {
		t.Fatalf("connect to the test cluster: %v", err)
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func startCluster() error {
	bin, err := postgresBin()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "pl-pg-")
	if err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	if err := reap(dir); err != nil {
		return err
	}
	p := &process{name: "postgres", stop: syscall.SIGINT, death: syscall.SIGINT, log: filepath.Join(dir, "postgres.log")}
	// Its children, in process groups of their own, end a moment after it.
	p.again = "pre-existing shared memory block"
	if p.cred, err = unprivileged(dir); err != nil {
		return err
	}
	data := filepath.Join(dir, "data")
	// A linguistic order of text, as packages and images set up their clusters:
	// under C what hangs on the order of bytes would go unnoticed. PostgreSQL
	// before 15 knows no cluster of that kind.
	icu := []string{"--locale-provider=icu", "--icu-locale=en-US"}
	if v, err := exec.Command(filepath.Join(bin, "initdb"), "--version").Output(); err == nil && strings.Contains(string(v), " 14.") {
		icu = nil
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), append(icu, "--pgdata", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")...)
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred}
	initdb.Dir = dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	p.args = []string{
		filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=",
		// A killed process loses nothing that it has written; only a power
		// cut would, which tests do not survive either.
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200",
	}
	p.ready = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		c, err := pgx.Connect(ctx, dsn(dir, "postgres"))
		if err != nil {
			return err
		}
		return c.Close(ctx)
	}
	if err := p.start(); err != nil {
		return err
	}
	cluster.process, cluster.dir = p, dir
	return nil
}

// postgresBin finds the newest server; Debian keeps it off PATH.
func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		path, err := exec.LookPath("postgres")
		if err != nil {
			return "", errNoPostgres
		}
		return filepath.Dir(path), nil
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	return filepath.Dir(found[0]), nil
}

// unprivileged gives dir to a user that PostgreSQL agrees to run as: it
// refuses root. Anyone else runs it as themselves.
func unprivileged(dir string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("find a user to run postgres as: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id of %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id of %s: %w", u.Username, err)
	}
	if err := os.Chown(dir, int(uid), int(gid)); err != nil {
		return nil, fmt.Errorf("give the test cluster's directory to %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// reap removes dir once this process has ended: a shell waits on a pipe whose
// other end only this process holds. Go tests have no hook that runs at the
// very end of a process.
func reap(dir string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("watch the test cluster: %w", err)
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", `cat >/dev/null; sleep 1; rm -rf -- "$1"`, "reap", dir)
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("watch the test cluster: %w", err)
	}
	cluster.alive = w
	return nil
}
