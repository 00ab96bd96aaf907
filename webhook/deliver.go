package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/proofline/proofline/session"
)

// Schedule is the time from one try to the next (Standard Webhooks 1.0,
// "Deliverability and reliability"): ten tries over three days.
var Schedule = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// Options of a Deliverer. The zero value is right for production.
type Options struct {
	// Timeout of one try, connection to last byte; 0 means 20 s, within the 15
	// to 30 that the specification recommends.
	Timeout time.Duration
	// AllowHTTP permits http:// endpoints, AllowPrivate private and loopback
	// addresses: for a demo on one machine. AllowNets permits single networks,
	// such as that of the relying service.
	AllowHTTP, AllowPrivate bool
	AllowNets               []netip.Prefix
	// RootCAs replaces the system's certificate authorities.
	RootCAs *x509.CertPool
	Now     func() time.Time
}

const (
	// maxAnswer is how much of an answer is read: nothing in it matters, but a
	// short one is read to its end so that the connection can be used again.
	maxAnswer = 16 << 10
	// maxRetryAfter bounds what an endpoint can ask for.
	maxRetryAfter = 24 * time.Hour
	userAgent     = "Proofline-Webhooks/1"
)

// Deliverer makes deliveries. It is safe for concurrent use.
type Deliverer struct {
	o      Options
	client *http.Client
}

// New makes a Deliverer.
func New(o Options) *Deliverer {
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Deliverer{o: o, client: &http.Client{
		Timeout: o.Timeout,
		Transport: &http.Transport{
			Proxy:       nil, // a proxy would resolve the name itself, past the guard
			DialContext: o.dialer().DialContext, TLSHandshakeTimeout: o.Timeout,
			TLSClientConfig:    &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
			DisableCompression: true, MaxResponseHeaderBytes: maxAnswer,
			MaxIdleConnsPerHost: 2, MaxConnsPerHost: 16, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
		},
		// A redirect is an answer like another, and not a 2xx: following it
		// would send the event to an address that nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close drops idle connections.
func (d *Deliverer) Close() { d.client.CloseIdleConnections() }

// Deliver makes one try. The result says what the endpoint did; an error means
// that no try was made because of us (no key, cancelled context) and nothing
// should be recorded.
func (d *Deliverer) Deliver(ctx context.Context, dl session.Delivery, keys []Key) (session.DeliveryResult, error) {
	if !dl.Endpoint.DisabledAt.IsZero() {
		return session.DeliveryResult{Reason: "endpoint_disabled"}, nil
	}
	if err := d.o.CheckURL(dl.Endpoint.URL); err != nil {
		return session.DeliveryResult{Reason: "refused_url"}, nil // no later try can differ
	}
	now := d.o.Now()
	headers, err := Headers(dl.Event, now, dl.Body, keys...)
	if err != nil {
		return session.DeliveryResult{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, dl.Endpoint.URL, bytes.NewReader(dl.Body))
	if err != nil {
		return session.DeliveryResult{Reason: "refused_url"}, nil
	}
	req.Header = headers
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := d.client.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return session.DeliveryResult{}, fmt.Errorf("deliver webhook: %w", context.Cause(ctx))
		}
		return d.failed(dl, session.DeliveryResult{Reason: reason(err)}, now, 0), nil
	}
	defer resp.Body.Close()
	r := session.DeliveryResult{Status: resp.StatusCode, Reason: "status_" + strconv.Itoa(resp.StatusCode)}
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		r.Delivered, r.Reason = true, ""
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // what it says, or that it breaks off, changes nothing
		return r, nil
	case resp.StatusCode == http.StatusGone:
		r.Disable, r.Reason = true, "gone"
		return r, nil
	}
	return d.failed(dl, r, now, retryAfter(resp.Header.Get("Retry-After"), now)), nil
}

// failed says when to try again, or not at all when the schedule is over.
func (d *Deliverer) failed(dl session.Delivery, r session.DeliveryResult, now time.Time, asked time.Duration) session.DeliveryResult {
	if dl.Tries >= len(Schedule) {
		return r
	}
	wait := Schedule[dl.Tries]
	// Up to a tenth more, so that deliveries that failed together do not return
	// together; derived from the id, so that a repeated computation agrees.
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %d", dl.ID, dl.Tries)
	wait += wait / 10 * time.Duration(h.Sum32()%1000) / 1000
	r.RetryAt = now.Add(max(wait, asked)).UTC()
	return r
}

// retryAfter reads the header's two forms (RFC 9110 section 10.2.3).
func retryAfter(s string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.Atoi(s); err == nil {
		d = time.Duration(min(max(n, 0), int(maxRetryAfter/time.Second))) * time.Second
	} else if t, err := http.ParseTime(s); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// reason names a failure without quoting it: errors hold the URL.
func reason(err error) string {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var ne net.Error
	switch {
	case errors.Is(err, ErrAddress):
		return "refused_address"
	case errors.As(err, &dns):
		return "dns"
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return "certificate"
	case errors.As(err, &ne) && ne.Timeout():
		return "timeout"
	}
	return "connection"
}
