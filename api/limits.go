package api

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/go-chi/httprate"

	"github.com/proofline/proofline/client"
)

// Limits bound what one caller, and all callers together, can use.
type Limits struct {
	// PhotoBytes is the largest photo.
	PhotoBytes int64
	// BytesInFlight bounds the photos held in memory at once; further uploads
	// are answered 503 before their bodies are read.
	BytesInFlight int64
	// Gates is how many photos are judged at once; others wait up to GateWait.
	Gates    int
	GateWait time.Duration
	// UploadTime is the longest an upload may take, UploadRate the bytes per
	// second below which it is ended sooner.
	UploadTime time.Duration
	UploadRate int64
	// UploadLife is how long an upload in parts may rest before it is dropped.
	UploadLife time.Duration
	// JudgeTime is how long a finished upload in parts may take to be joined,
	// judged and kept, the wait for a gate included.
	JudgeTime time.Duration
	// HandoverLife is how long the code works that moves a capture to another
	// device.
	HandoverLife time.Duration
	// BodyTime is how long any other body may take.
	BodyTime time.Duration
	// AnswerTime is how long a client may take to read an answer.
	AnswerTime time.Duration
	// PhotosPerMinute is how many photos, refused ones included, one session may
	// take a minute, whatever tokens they come with.
	PhotosPerMinute int
	// PerKey and PerAddress are requests a minute for one key or token, and
	// for one address (an IPv6 /64).
	PerKey, PerAddress int
	// TokenLife is how long a client token works.
	TokenLife time.Duration
	// IdempotencyLife is how long an Idempotency-Key is remembered.
	IdempotencyLife time.Duration
}

// DefaultLimits suit one machine of two to eight cores.
func DefaultLimits() Limits {
	return Limits{
		PhotoBytes: 25 << 20, BytesInFlight: 128 << 20,
		Gates: max(1, runtime.GOMAXPROCS(0)), GateWait: 20 * time.Second,
		UploadTime: 2 * time.Minute, UploadRate: 8 << 10, UploadLife: time.Hour, JudgeTime: 90 * time.Second, HandoverLife: 10 * time.Minute, BodyTime: 10 * time.Second, AnswerTime: time.Minute,
		PhotosPerMinute: 30, PerKey: 1200, PerAddress: 600,
		TokenLife: 24 * time.Hour, IdempotencyLife: 24 * time.Hour,
	}
}

// withDefaults fills in what is zero.
func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ v, def *int64 }{
		{&l.PhotoBytes, &d.PhotoBytes}, {&l.BytesInFlight, &d.BytesInFlight}, {&l.UploadRate, &d.UploadRate},
		{(*int64)(&l.GateWait), (*int64)(&d.GateWait)}, {(*int64)(&l.UploadTime), (*int64)(&d.UploadTime)},
		{(*int64)(&l.UploadLife), (*int64)(&d.UploadLife)}, {(*int64)(&l.HandoverLife), (*int64)(&d.HandoverLife)},
		{(*int64)(&l.JudgeTime), (*int64)(&d.JudgeTime)},
		{(*int64)(&l.BodyTime), (*int64)(&d.BodyTime)}, {(*int64)(&l.AnswerTime), (*int64)(&d.AnswerTime)}, {(*int64)(&l.TokenLife), (*int64)(&d.TokenLife)},
		{(*int64)(&l.IdempotencyLife), (*int64)(&d.IdempotencyLife)},
	} {
		if *f.v == 0 {
			*f.v = *f.def
		}
	}
	for _, f := range []struct{ v, def *int }{
		{&l.Gates, &d.Gates}, {&l.PhotosPerMinute, &d.PhotosPerMinute}, {&l.PerKey, &d.PerKey}, {&l.PerAddress, &d.PerAddress},
	} {
		if *f.v == 0 {
			*f.v = *f.def
		}
	}
	return l
}

// perAddress limits requests from one address.
func (a *api) perAddress() func(http.Handler) http.Handler {
	return httprate.LimitBy(a.limits.PerAddress, time.Minute,
		func(r *http.Request) (string, error) { return addressKey(a.address(r)), nil },
		httprate.WithLimitHandler(a.limited))
}

// perKey limits requests with one key or token, n a minute. The secret's
// digest is the key, so a wrong secret is limited like a right one.
func (a *api) perKey(n int) func(http.Handler) http.Handler {
	return httprate.LimitBy(n, time.Minute, a.secretKey, httprate.WithLimitHandler(a.limited))
}

func (a *api) secretKey(r *http.Request) (string, error) {
	if s := bearer(r.Header.Get("Authorization")); s != "" {
		return "secret:" + digest([]byte(s)), nil
	}
	return "address:" + addressKey(a.address(r)), nil
}

// perPhoto limits the photos of one session.
func (a *api) perPhoto() func(http.Handler) http.Handler {
	// By session, not by token: whoever may renew a token has as many as wanted.
	limit := httprate.LimitBy(a.limits.PhotosPerMinute, time.Minute, func(r *http.Request) (string, error) {
		token, err := a.deps.Store.ClientToken(r.Context(), bearer(r.Header.Get("Authorization")), tokenPurpose)
		if err != nil {
			return a.secretKey(r) // is refused further in
		}
		return "session:" + token.Session, nil
	}, httprate.WithLimitHandler(a.limited))
	return func(next http.Handler) http.Handler {
		limited := limit(next)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && (strings.HasPrefix(r.URL.Path, evidencePath) || r.URL.Path == uploadsPath) {
				limited.ServeHTTP(w, r)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func (a *api) limited(w http.ResponseWriter, r *http.Request) {
	// httprate has set Retry-After; writeProblem keeps it.
	writeProblem(w, r, newProblem(client.CodeRateLimited, "Wait as long as Retry-After says."))
}

// address is the caller's, as the connection or the configured proxy says.
func (a *api) address(r *http.Request) string {
	if a.deps.ClientAddress != nil {
		if s := a.deps.ClientAddress(r); s != "" {
			return s
		}
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// addressKey groups IPv6 addresses by /64, which one household or machine owns.
func addressKey(s string) string {
	ip, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil {
		return s
	}
	if ip = ip.Unmap(); ip.Is6() {
		if p, err := ip.Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}

// readPhoto reads at most limit bytes of an upload within its time.
func (a *api) readPhoto(w http.ResponseWriter, body io.Reader) ([]byte, *problem) {
	limit := a.limits.PhotoBytes
	b, err := io.ReadAll(io.LimitReader(body, limit+1))
	a.metrics.bytes.Add(float64(len(b)))
	switch {
	case err != nil:
		return nil, readProblem(w, err)
	case int64(len(b)) > limit:
		w.Header().Set("Connection", "close") // the rest is not read
		return nil, tooLarge(limit)
	}
	return b, nil
}

func tooLarge(limit int64) *problem {
	return newProblem(client.CodeBodyTooLarge, fmt.Sprintf("A photo has at most %d bytes.", limit))
}

func readProblem(w http.ResponseWriter, err error) *problem {
	w.Header().Set("Connection", "close")
	var big *http.MaxBytesError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return newProblem(client.CodeRequestTimeout, "The photo did not arrive in time. Send it again.")
	case errors.As(err, &big):
		return tooLarge(big.Limit)
	default:
		return newProblem(client.CodeInvalidRequest, "The body did not arrive completely.").because(err)
	}
}

// uploadDeadline gives an upload of n bytes (-1: unknown) the time that the
// slowest acceptable connection needs.
func (l Limits) uploadDeadline(n int64) time.Duration {
	if n < 0 {
		return l.UploadTime
	}
	return min(l.UploadTime, l.BodyTime+time.Duration(n)*time.Second/time.Duration(l.UploadRate))
}
