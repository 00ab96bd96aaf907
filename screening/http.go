package screening

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/proofline/proofline/webhook"
)

// HTTP asks a matcher over HTTP: a POST of {"session", "subject", "lists"} that is
// answered with {"results": [{"list", "result", "reference", "lists"}]}. The
// adapter between that and a search engine is the company's own, a few lines.
type HTTP struct {
	url, token string
	client     *http.Client
}

// HTTPOptions set up an HTTP matcher.
type HTTPOptions struct {
	URL   string
	Token string // sent as a bearer token; empty: none
	// AllowPrivate permits addresses in private networks and http, as for webhooks.
	// A matcher mostly is there; it has to be said, because the address could
	// point at anything else inside.
	AllowPrivate bool
	Timeout      time.Duration // of one request; 0 means 10 s
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// NewHTTP checks the options.
func NewHTTP(o HTTPOptions) (*HTTP, error) {
	guard := webhook.Options{AllowHTTP: o.AllowPrivate, AllowPrivate: o.AllowPrivate}
	if err := guard.CheckURL(o.URL); err != nil {
		return nil, fmt.Errorf("screening address: %w", err)
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	d := net.Dialer{Timeout: min(o.Timeout, 5*time.Second), Control: guard.Control}
	return &HTTP{url: o.URL, token: o.Token, client: &http.Client{
		Timeout:   o.Timeout,
		Transport: &http.Transport{DialContext: d.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		// A redirect would carry the person's data to an address that nobody named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Screen asks once, and once more when the matcher did not answer.
func (h *HTTP) Screen(ctx context.Context, session string, s Subject, lists []string) ([]Answer, error) {
	body, err := json.Marshal(map[string]any{"session": session, "subject": s, "lists": lists})
	if err != nil {
		return nil, fmt.Errorf("encode screening request: %w", err)
	}
	defer clear(body)
	as, err := h.ask(ctx, body, lists)
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		as, err = h.ask(ctx, body, lists)
	}
	return as, err
}

func (h *HTTP) ask(ctx context.Context, body []byte, lists []string) ([]Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: the address", ErrRefused)
	}
	req.Header.Set("Content-Type", "application/json")
	if h.token != "" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		if errors.Is(err, webhook.ErrAddress) {
			return nil, fmt.Errorf("%w: %w", ErrRefused, webhook.ErrAddress)
		}
		return nil, ErrUnavailable // the cause quotes the address
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 500:
		return nil, fmt.Errorf("%w: status %d", ErrUnavailable, resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%w: status %d", ErrRefused, resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, ErrUnavailable
	}
	return ParseAnswer(b, lists)
}

// ParseAnswer reads the body of an answer to a request for lists.
func ParseAnswer(b []byte, lists []string) ([]Answer, error) {
	if len(b) > maxAnswer {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrAnswer, maxAnswer)
	}
	var a struct {
		Results []Answer `json:"results"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return nil, fmt.Errorf("%w: not the JSON that was asked for", ErrAnswer)
	}
	return checked(a.Results, lists)
}
