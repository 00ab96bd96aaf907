package testserver

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"
)

func TestRedisKeepsItsAnswersAcrossKillAndRestart(t *testing.T) {
	s := Redis(t)
	ctx := context.Background()
	for _, o := range []*redis.Options{{Network: s.Network, Addr: s.Addr}, {Addr: s.TCP}} {
		c := redis.NewClient(o)
		defer c.Close()
		if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		s.Kill()
		if err := c.Get(ctx, "k").Err(); err == nil {
			t.Fatal("a killed server answers")
		}
		s.Restart()
		if got, err := c.Get(ctx, "k").Result(); err != nil || got != "v" {
			t.Fatalf("after restart: %q, %v", got, err)
		}
	}
}

func TestRedisCanBePaused(t *testing.T) {
	s := Redis(t)
	ctx := context.Background()
	c := redis.NewClient(&redis.Options{Network: s.Network, Addr: s.Addr, ReadTimeout: 100 * time.Millisecond, MaxRetries: -1})
	defer c.Close()
	s.Pause()
	if err := c.Ping(ctx).Err(); err == nil {
		t.Fatal("a paused server answers")
	}
	s.Resume()
	if err := redis.NewClient(&redis.Options{Network: s.Network, Addr: s.Addr}).Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	a, b := Postgres(t), Postgres(t)
	for _, s := range []*PostgresServer{a, b} {
		db := open(t, s)
		if _, err := db.Exec("CREATE TABLE only_here (id int)"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPostgresKeepsCommittedRowsAcrossKillAndRestart(t *testing.T) {
	s := Postgres(t)
	db := open(t, s)
	if _, err := db.Exec("CREATE TABLE kept AS SELECT 7 AS id"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := db.Ping(); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Restart()
	s.Disconnect()
	var id int
	if err := open(t, s).QueryRow("SELECT id FROM kept").Scan(&id); err != nil || id != 7 {
		t.Fatalf("after restart: %d, %v", id, err)
	}
}

func open(t *testing.T, s *PostgresServer) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", s.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestS3RefusesAWrongKeyAndKeepsObjectsAcrossKillAndRestart(t *testing.T) {
	s := S3(t)
	ctx := context.Background()
	client := func(secret string) *minio.Client {
		c, err := minio.New(s.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s.AccessKey, secret, ""), Region: s.Region})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := client("wrong").MakeBucket(ctx, "b", minio.MakeBucketOptions{}); err == nil {
		t.Fatal("a wrong secret key is accepted")
	}
	c := client(s.SecretKey)
	if err := c.MakeBucket(ctx, "evidence", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.EnableVersioning(ctx, "evidence"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutObject(ctx, "evidence", "a/b", bytes.NewReader([]byte("x")), 1, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Restart()
	if info, err := c.StatObject(ctx, "evidence", "a/b", minio.StatObjectOptions{}); err != nil || info.Size != 1 {
		t.Fatalf("after restart: %+v, %v", info, err)
	}
}

func TestRequirementsAreReadFromTheEnvironment(t *testing.T) {
	for _, c := range []struct {
		value, what string
		want        bool
	}{
		{"", "redis", false}, {"all", "redis", true}, {"s3,redis", "redis", true}, {"s3", "redis", false},
	} {
		t.Setenv("PROOFLINE_REQUIRE", c.value)
		if got := Required(c.what); got != c.want {
			t.Errorf("PROOFLINE_REQUIRE=%q: Required(%q) = %v", c.value, c.what, got)
		}
	}
}

func TestServersLeaveNoFilesBehind(t *testing.T) {
	var dir string
	t.Run("a test with a server", func(t *testing.T) {
		dir = S3(t).Dir
	})
	if dir == "" {
		t.Skip("no server")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Fatalf("%s is still there: %v", dir, err)
	}
}
