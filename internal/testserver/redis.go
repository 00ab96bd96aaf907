package testserver

import (
	"bufio"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a running redis-server with its append-only file on: what it
// has answered survives Kill and Restart.
type RedisServer struct {
	server
	Network string // "unix"
	Addr    string // path of the socket, for Network
	TCP     string // host:port, for clients that can not use a socket
}

// Redis starts a redis-server for the test.
func Redis(t testing.TB) *RedisServer {
	t.Helper()
	bin := redisBin(t)
	dir := tempDir(t)
	s := &RedisServer{Network: "unix", Addr: filepath.Join(dir, "redis.sock")}
	s.server = own(t, func() *process {
		port := freePort(t)
		s.TCP = fmt.Sprintf("127.0.0.1:%d", port)
		return &process{
			name: "redis-server", stop: syscall.SIGTERM, death: syscall.SIGKILL, log: filepath.Join(dir, "redis.log"),
			args: []string{
				bin, "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--unixsocket", s.Addr,
				"--dir", dir, "--appendonly", "yes", "--save", "", "--daemonize", "no",
			},
			ready: func() error { return ping(s.Network, s.Addr) },
		}
	})
	return s
}

func redisBin(t testing.TB) string {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		Missing(t, "redis", "install the Debian package redis-server")
	}
	return bin
}

// URL is the server's address for configuration by URL.
func (s *RedisServer) URL() string { return "redis://" + s.TCP + "/0" }

// ping succeeds once the server has loaded its data and answers commands.
func ping(network, addr string) error {
	c, err := net.DialTimeout(network, addr, time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(line, "+PONG") {
		return fmt.Errorf("redis-server answers %q", strings.TrimSpace(line))
	}
	return nil
}
