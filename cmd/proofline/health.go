package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

type healthCmd struct {
	Address string        `help:"host:port of the API, or of a worker's own port (worker.listen)." default:"127.0.0.1:8780"`
	Live    bool          `help:"Ask only whether the process lives (/healthz), not whether store, queue and evidence storage answer (/readyz)."`
	Timeout time.Duration `help:"How long to wait." default:"3s"`
}

func (healthCmd) Help() string {
	return "For health checks of containers and service managers, which then need no HTTP client. Exit status 0: ready; 3: not ready, and the answer says what is missing; 1: nobody answers."
}

func (c *healthCmd) Run(ctx context.Context) error {
	if host, port, err := net.SplitHostPort(c.Address); err != nil || port == "" {
		return exitError{code: 2, msg: "--address must be host:port"}
	} else if host == "" || host == "0.0.0.0" || host == "::" {
		c.Address = net.JoinHostPort("127.0.0.1", port)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	path := "/readyz"
	if c.Live {
		path = "/healthz"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Address+path, http.NoBody)
	if err != nil {
		return exitError{code: 2, msg: "--address must be host:port"}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return exitError{code: 1, msg: fmt.Sprintf("nobody answers at %s", c.Address)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	fmt.Printf("%s\n", body)
	if resp.StatusCode != http.StatusOK {
		return exitError{code: 3}
	}
	return nil
}
