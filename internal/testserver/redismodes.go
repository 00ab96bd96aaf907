package testserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// RedisTLS starts a redis-server that speaks TLS only and knows one user, whose
// password is "secret", who sees only asynq's keys and may do nothing dangerous
// (FLUSHALL, KEYS, CONFIG). It returns the address and the file of the authority
// to trust.
func RedisTLS(t testing.TB) (url, caFile string) {
	t.Helper()
	dir := tempDir(t)
	cert, key := certificate(t, dir)
	var port int
	redisNode(t, func(p int) []string {
		port = p
		return []string{"--port", "0", "--tls-port", fmt.Sprint(p), "--tls-cert-file", cert, "--tls-key-file", key,
			"--tls-ca-cert-file", cert, "--tls-auth-clients", "no",
			"--user", "default", "off", "--user", "proofline", "on", ">secret", "~asynq:*", "&asynq:*", "+@all", "-@dangerous"}
	}, func(p int) error {
		pool := x509.NewCertPool()
		b, err := os.ReadFile(cert)
		if err != nil {
			return err
		}
		pool.AppendCertsFromPEM(b)
		return redisDo(&redis.Options{Addr: local(p), Username: "proofline", Password: "secret", TLSConfig: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}}, "PING")
	})
	return fmt.Sprintf("rediss://proofline:secret@127.0.0.1:%d/0", port), cert
}

// RedisCluster starts a cluster of three masters, each with a third of the
// slots.
func RedisCluster(t testing.TB) (url string) {
	t.Helper()
	var hosts []string
	for _, slots := range [][2]int{{0, 5460}, {5461, 10922}, {10923, 16383}} {
		bus := freePort(t)
		var port int
		redisNode(t, func(p int) []string {
			port = p
			return []string{"--port", fmt.Sprint(p), "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(bus), "--cluster-node-timeout", "2000"}
		}, func(p int) error { return redisDo(&redis.Options{Addr: local(p)}, "PING") })
		hosts = append(hosts, local(port))
		command(t, local(port), "CLUSTER", "ADDSLOTSRANGE", slots[0], slots[1])
		if len(hosts) > 1 {
			host, p, _ := net.SplitHostPort(hosts[0])
			command(t, local(port), "CLUSTER", "MEET", host, p, busOf(t, hosts[0]))
		}
	}
	for _, h := range hosts {
		within(t, "the cluster is not complete", func() bool {
			c := redis.NewClient(&redis.Options{Addr: h})
			defer c.Close()
			info, err := c.ClusterInfo(context.Background()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return "cluster://" + strings.Join(hosts, ",")
}

// Sentinels is a master and a replica that a sentinel watches.
type Sentinels struct {
	URL    string
	master server
}

// KillMaster kills the master; within a second or two the sentinel makes the
// replica master.
func (s *Sentinels) KillMaster() { s.master.Kill() }

// RedisSentinel starts a master, a replica and one sentinel.
func RedisSentinel(t testing.TB) *Sentinels {
	t.Helper()
	ready := func(p int) error { return redisDo(&redis.Options{Addr: local(p)}, "PING") }
	var master, replica, sentinel int
	m := redisNode(t, func(p int) []string { master = p; return []string{"--port", fmt.Sprint(p)} }, ready)
	redisNode(t, func(p int) []string {
		replica = p
		return []string{"--port", fmt.Sprint(p), "--replicaof", fmt.Sprintf("127.0.0.1 %d", master), "--repl-diskless-sync-delay", "0"}
	}, ready)
	within(t, "the replica does not follow", func() bool {
		c := redis.NewClient(&redis.Options{Addr: local(replica)})
		defer c.Close()
		info, err := c.Info(context.Background(), "replication").Result()
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	conf := filepath.Join(tempDir(t), "sentinel.conf")
	redisNode(t, func(p int) []string {
		sentinel = p
		text := fmt.Sprintf("port %d\nsentinel monitor main 127.0.0.1 %d 1\nsentinel down-after-milliseconds main 300\nsentinel failover-timeout main 2000\n", p, master)
		if err := os.WriteFile(conf, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return []string{conf, "--sentinel"}
	}, ready)
	within(t, "the sentinel does not see the replica", func() bool {
		c := redis.NewSentinelClient(&redis.Options{Addr: local(sentinel)})
		defer c.Close()
		rs, err := c.Replicas(context.Background(), "main").Result()
		return err == nil && len(rs) == 1
	})
	return &Sentinels{URL: fmt.Sprintf("sentinel://%s/main", local(sentinel)), master: m}
}

// redisNode starts a redis-server with the given arguments for a port.
func redisNode(t testing.TB, args func(port int) []string, ready func(port int) error) server {
	t.Helper()
	bin := redisBin(t)
	dir := tempDir(t)
	return own(t, func() *process {
		port := freePort(t)
		return &process{name: "redis-server", stop: syscall.SIGTERM, death: syscall.SIGKILL, log: filepath.Join(dir, "redis.log"),
			args:  slices.Concat([]string{bin}, args(port), []string{"--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no"}),
			ready: func() error { return ready(port) }}
	})
}

func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

func redisDo(o *redis.Options, args ...any) error {
	c := redis.NewClient(o)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return c.Do(ctx, args...).Err()
}

func command(t testing.TB, addr string, args ...any) {
	t.Helper()
	if err := redisDo(&redis.Options{Addr: addr}, args...); err != nil {
		t.Fatalf("redis %v: %v", args[:2], err)
	}
}

// busOf is the cluster port that a node listens on.
func busOf(t testing.TB, addr string) string {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	defer c.Close()
	m, err := c.ConfigGet(context.Background(), "cluster-port").Result()
	if err != nil {
		t.Fatal(err)
	}
	return m["cluster-port"]
}

func within(t testing.TB, otherwise string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(startTimeout); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(otherwise)
		}
	}
}

// certificate writes a certificate for 127.0.0.1 that signs itself, and its key.
func certificate(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err2 := x509.CreateCertificate(rand.Reader, &template, &template, k.Public(), k)
	raw, err3 := x509.MarshalPKCS8PrivateKey(k)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err4 := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
	err5 := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600)
	if err := errors.Join(err, err2, err3, err4, err5); err != nil {
		t.Fatal(err)
	}
	return cert, key
}
