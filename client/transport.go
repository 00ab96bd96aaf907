package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = int64(64 << 20)

// caller is what Service and Capture share: an address, a secret, a transport.
type caller struct {
	base   string
	secret string
	http   *http.Client
	most   int64 // bytes of an answer
}

func newCaller(base, secret string, c *http.Client) caller {
	if c == nil {
		c = &http.Client{Timeout: 2 * time.Minute}
	}
	return caller{base: strings.TrimRight(base, "/"), secret: secret, http: c, most: maxAnswer}
}

type request struct {
	method, path string
	header       http.Header
	body         []byte
	contentType  string
	// repeat: sending it twice does what sending it once does.
	repeat bool
}

// do sends r and decodes the answer into out. Repeatable requests are sent
// again after 429, 503 and failures of the network, up to five times.
func (c caller) do(ctx context.Context, r request, out any) error {
	const tries = 5
	for try := 1; ; try++ {
		err := c.once(ctx, r, out)
		var p *Problem
		answered := errors.As(err, &p)
		if err == nil || try == tries || !r.repeat || answered && !p.Temporary() || ctx.Err() != nil {
			return err
		}
		wait := time.Duration(1<<try) * 100 * time.Millisecond
		wait += rand.N(wait)
		if answered {
			wait = max(wait, p.RetryAfter)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (c caller) once(ctx context.Context, r request, out any) error {
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, bytes.NewReader(r.body))
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	if c.secret != "" {
		req.Header.Set("Authorization", "Bearer "+c.secret)
	}
	req.Header.Set("Accept", "application/json")
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, c.most+1))
	if err == nil && int64(len(b)) > c.most {
		err = fmt.Errorf("it is larger than %d bytes", c.most) // cut, a picture would look whole
	}
	if err != nil {
		return fmt.Errorf("%s %s: read answer: %w", r.method, r.path, err)
	}
	if resp.StatusCode >= 400 {
		return problem(resp, b)
	}
	if out == nil || len(b) == 0 {
		return nil
	}
	if raw, ok := out.(*[]byte); ok {
		*raw = b
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s %s: decode answer: %w", r.method, r.path, err)
	}
	return nil
}

// problem reads a problem document; an answer that is none (from a proxy, say)
// becomes one with the code "http_" and its status.
func problem(resp *http.Response, b []byte) *Problem {
	p := &Problem{}
	if json.Unmarshal(b, p) != nil || p.Code == "" {
		p = &Problem{Title: http.StatusText(resp.StatusCode), Code: "http_" + strconv.Itoa(resp.StatusCode)}
	}
	p.Status = resp.StatusCode
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		p.RetryAfter = time.Duration(s) * time.Second
	}
	return p
}

func (c caller) json(ctx context.Context, method, path string, in, out any, repeat bool, header http.Header) error {
	r := request{method: method, path: path, repeat: repeat, header: header}
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: encode: %w", method, path, err)
		}
		r.body, r.contentType = b, "application/json"
	}
	return c.do(ctx, r, out)
}

// bytes fetches what is no JSON.
func (c caller) bytes(ctx context.Context, path string) ([]byte, error) {
	var out []byte
	err := c.do(ctx, request{method: http.MethodGet, path: path, repeat: true}, &out)
	return out, err
}
