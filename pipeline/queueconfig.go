package pipeline

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
)

// QueueConfig says where the queue is.
type QueueConfig struct {
	// Address of a Redis or Valkey server; empty for a queue in this process.
	//
	//	redis://[user:password@]host:6379[/db]     one server
	//	unix:///path/redis.sock[?db=1]             one server on a socket
	//	sentinel://[user:password@]h1,h2,h3/master[?db=1]
	//	cluster://[user:password@]h1,h2,h3
	//
	// rediss, sentinels and clusters are the same over TLS.
	Address string
	// CAFile is the PEM of the authorities to trust over TLS; empty: the system's.
	CAFile string
	// SentinelUser and SentinelPassword log in to the sentinels.
	SentinelUser, SentinelPassword string
	Log                            *slog.Logger

	patience time.Duration // with one answer of Redis; redisIO when zero
}

// Bounds of one conversation with Redis. Short: whoever talks to the queue tries
// again, and the store is the truth.
const (
	redisDial = 2 * time.Second
	redisIO   = 5 * time.Second
	redisPool = 20
)

// options reads the address. No error repeats it: it may hold a password.
func (c QueueConfig) options() (asynq.RedisConnOpt, error) {
	if c.Address == "" {
		return nil, nil
	}
	wait := c.patience
	if wait == 0 {
		wait = redisIO
	}
	u, err := url.Parse(c.Address)
	if err != nil {
		return nil, errors.New("the address of the queue is no URL")
	}
	user := u.User.Username()
	password, _ := u.User.Password()
	db, err := number(u)
	if err != nil {
		return nil, err
	}
	hosts := strings.Split(u.Host, ",")
	for i, h := range hosts {
		if h == "" && u.Scheme != "unix" {
			return nil, errors.New("the address of the queue names no host")
		}
		if _, _, err := net.SplitHostPort(h); err != nil && h != "" {
			port := "6379"
			if strings.HasPrefix(u.Scheme, "sentinel") {
				port = "26379"
			}
			hosts[i] = net.JoinHostPort(h, port)
		}
	}
	var secure *tls.Config
	switch u.Scheme {
	case "rediss", "sentinels", "clusters":
		if secure, err = c.tls(); err != nil {
			return nil, err
		}
	}
	switch u.Scheme {
	case "redis", "rediss":
		if len(hosts) != 1 {
			return nil, errors.New("redis:// names one server; use sentinel:// or cluster:// for several")
		}
		if secure != nil {
			secure.ServerName, _, _ = net.SplitHostPort(hosts[0])
		}
		return asynq.RedisClientOpt{Addr: hosts[0], Username: user, Password: password, DB: db, TLSConfig: secure,
			DialTimeout: redisDial, ReadTimeout: wait, WriteTimeout: wait, PoolSize: redisPool}, nil
	case "unix":
		return asynq.RedisClientOpt{Network: "unix", Addr: u.Path, Username: user, Password: password, DB: db,
			DialTimeout: redisDial, ReadTimeout: wait, WriteTimeout: wait, PoolSize: redisPool}, nil
	case "sentinel", "sentinels":
		master := strings.Trim(u.Path, "/")
		if master == "" {
			return nil, errors.New("sentinel:// needs the name of the master as its path")
		}
		return asynq.RedisFailoverClientOpt{MasterName: master, SentinelAddrs: hosts, SentinelUsername: c.SentinelUser, SentinelPassword: c.SentinelPassword,
			Username: user, Password: password, DB: db, TLSConfig: secure,
			DialTimeout: redisDial, ReadTimeout: wait, WriteTimeout: wait, PoolSize: redisPool}, nil
	case "cluster", "clusters":
		if db != 0 {
			return nil, errors.New("a Redis cluster has no numbered databases")
		}
		return asynq.RedisClusterClientOpt{Addrs: hosts, Username: user, Password: password, TLSConfig: secure,
			DialTimeout: redisDial, ReadTimeout: wait, WriteTimeout: wait}, nil
	}
	return nil, fmt.Errorf("the address of the queue has the unknown scheme %q; known: redis, rediss, unix, sentinel, sentinels, cluster, clusters", u.Scheme)
}

// number is the database: the path of redis://, ?db= elsewhere.
func number(u *url.URL) (int, error) {
	s := u.Query().Get("db")
	if strings.HasPrefix(u.Scheme, "redis") && strings.Trim(u.Path, "/") != "" {
		s = strings.Trim(u.Path, "/")
	}
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return 0, errors.New("the database in the address of the queue is no number")
	}
	return int(n), nil
}

func (c QueueConfig) tls() (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read CA file of the queue: %w", err)
	}
	t.RootCAs = x509.NewCertPool()
	if !t.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("CA file %s holds no certificate", c.CAFile)
	}
	return t, nil
}

// embedded is a Redis work-alike in this process. It forgets everything when
// the process ends, which costs nothing but the dispatching.
type embedded struct {
	server *miniredis.Miniredis
}

func startEmbedded() (*embedded, asynq.RedisConnOpt, error) {
	m := miniredis.NewMiniRedis()
	// The port is open to every user of the machine; the password is not.
	password := rand.Text()
	m.RequireAuth(password)
	if err := m.StartAddr("127.0.0.1:0"); err != nil {
		return nil, nil, fmt.Errorf("start embedded queue: %w", err)
	}
	m.ClockTTL(true)
	return &embedded{m}, asynq.RedisClientOpt{Addr: m.Addr(), Password: password,
		DialTimeout: redisDial, ReadTimeout: redisIO, WriteTimeout: redisIO, PoolSize: redisPool}, nil
}

func (e *embedded) close() { e.server.Close() }
